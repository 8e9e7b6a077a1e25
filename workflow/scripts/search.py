from script import logged

with logged(snakemake.log[0]):
    from e2e.learning.search import search
    from e2e.tasks import task

    settings = snakemake.params.settings
    search(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.output.best,
        snakemake.output.table,
        snakemake.output.figure,
        study=snakemake.params.study,
        model=snakemake.wildcards.model,
        task=task(snakemake.wildcards.task, snakemake.params.channels),
        architecture=settings["architecture"],
        network=settings["network"],
        trainer=settings["trainer"],
        trials=snakemake.params.budget["trials"],
        epochs=snakemake.params.budget["epochs"],
        code=snakemake.params.code,
        threads=snakemake.threads,
    )
