from script import logged

with logged(snakemake.log[0]):
    from e2e.learning.search import search
    from e2e.report import history, style
    from e2e.tasks import task

    settings = snakemake.params.settings
    looked_at = task(snakemake.wildcards.task, snakemake.params.channels)
    trials, origin = search(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.output.best,
        snakemake.output.table,
        study=snakemake.params.study,
        model=snakemake.wildcards.model,
        task=looked_at,
        trials=snakemake.params.budget["trials"],
        epochs=snakemake.params.budget["epochs"],
        code=snakemake.params.code,
        threads=snakemake.threads,
        trunk=snakemake.input.init or None,
        **settings,
    )
    style.save(history.trials(trials, looked_at, origin), snakemake.output.figure)
