from contextlib import nullcontext

from script import logged

with logged(snakemake.log[0]):
    from e2e.data import public
    from e2e.data.convert import cluster, convert
    from e2e.tasks import task

    chosen = task(snakemake.wildcards.task, snakemake.params.channels)
    paths = snakemake.input.source, snakemake.output[0]
    sample = snakemake.wildcards.sample
    if public.layout(paths[0]):
        public.convert(chosen, *paths, sample=sample, part=snakemake.params.part)
    else:
        settings = dict(snakemake.params.executor)
        dask = settings.pop("executor") == "dask"
        with cluster(**settings) if dask else nullcontext() as executor:
            convert(chosen, *paths, sample=sample, executor=executor)
