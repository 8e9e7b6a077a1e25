from script import REPOSITORY, logged

with logged(snakemake.log[0]):
    from e2e.data.cernbox import fetch

    settings = snakemake.config["cernbox"]
    fetch(
        snakemake.params.link,
        snakemake.wildcards.file,
        snakemake.output[0],
        lock=REPOSITORY / settings["lock"],
        url=settings["url"],
        hosts=settings["hosts"],
    )
