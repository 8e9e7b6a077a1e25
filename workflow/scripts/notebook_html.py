from script import logged

with logged(snakemake.log[0]):
    from e2e.report.notebooks.publish import html

    html(snakemake.input[0], snakemake.output[0])
