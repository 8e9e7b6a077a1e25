from script import logged

with logged(snakemake.log[0]):
    from e2e.files import write_json
    from e2e.learning.train import train
    from e2e.tasks import task

    settings = snakemake.params.settings
    info = train(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.output.model,
        snakemake.output.history,
        checkpoints=snakemake.params.checkpoints,
        task=task(snakemake.wildcards.task, snakemake.params.channels),
        threads=snakemake.threads,
        code=snakemake.params.code,
        **settings | {"init": snakemake.input.get("init") or None},
    )
    if "training_s" in info:  # of several processes, the first
        write_json(snakemake.output.time, {"wall_s": info["training_s"]})
