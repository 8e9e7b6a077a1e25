from contextlib import nullcontext
from pathlib import Path

from script import logged

with logged(snakemake.log[0]):
    from e2e.data.convert import cluster
    from e2e.data.sources import convert_file
    from e2e.tasks import task

    settings = dict(snakemake.params.executor)
    dask = settings.pop("executor") == "dask"
    with cluster(**settings) if dask else nullcontext() as executor:
        convert_file(
            task(snakemake.wildcards.task, snakemake.params.channels),
            Path(snakemake.input.source),
            Path(snakemake.output[0]),
            sample=snakemake.wildcards.sample,
            executor=executor,
            part=snakemake.params.part,
            own_columns=snakemake.params.hcal_columns == "own",
            label=snakemake.params.label,
            drop_empty=snakemake.params.drop_empty,
        )
