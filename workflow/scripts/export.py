from script import logged

with logged(snakemake.log[0]):
    from e2e.deploy.export import export

    export(
        snakemake.input.model,
        snakemake.output.onnx,
        snakemake.output.contract,
        opset=snakemake.params.opset,
        ir_version=snakemake.params.ir_version,
    )
