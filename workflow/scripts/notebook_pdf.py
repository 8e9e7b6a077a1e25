from script import logged

with logged(snakemake.log[0]):
    from e2e.report.notebooks.publish import pdf

    pdf(snakemake.input.executed, snakemake.input.page, snakemake.output[0])
