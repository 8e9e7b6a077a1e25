from script import logged

with logged(snakemake.log[0]):
    from e2e.learning.train import train

    settings = snakemake.params.settings
    train(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.output.model,
        snakemake.output.history,
        snakemake.output.figure,
        checkpoints=snakemake.params.checkpoints,
        task=snakemake.wildcards.task,
        architecture=settings["architecture"],
        network=settings["network"],
        trainer=settings["trainer"],
        threads=snakemake.threads,
    )
