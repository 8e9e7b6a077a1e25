from script import logged

with logged(snakemake.log[0]):
    from e2e.data.convert import convert
    from e2e.tasks import task

    wildcards = snakemake.wildcards
    chosen = task(wildcards.task, snakemake.params.channels)
    convert(chosen, snakemake.input.source, snakemake.output[0], sample=wildcards.sample)
