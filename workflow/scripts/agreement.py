from script import logged

with logged(snakemake.log[0]):
    from e2e.deploy.agreement import agreement
    from e2e.files import write_json
    from e2e.report import agreement as report
    from e2e.report import style

    found = agreement(
        snakemake.input.torch,
        snakemake.input.onnx,
        snakemake.input.cmsrun,
        samples=snakemake.params.samples,
        model_pt=snakemake.input.get("model"),
        stores=snakemake.input.get("stores", ()),
    )
    style.save(report.draw(found), snakemake.output.figure)
    write_json(snakemake.output.record, found.record)
