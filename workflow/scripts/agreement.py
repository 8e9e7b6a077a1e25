from script import logged

with logged(snakemake.log[0]):
    from e2e.deploy.agreement import agreement

    agreement(
        snakemake.input.torch,
        snakemake.input.onnx,
        snakemake.input.cmsrun,
        snakemake.output.record,
        snakemake.output.figure,
        samples=snakemake.params.samples,
        model_pt=snakemake.input.get("model"),
        stores=snakemake.input.get("stores", ()),
    )
