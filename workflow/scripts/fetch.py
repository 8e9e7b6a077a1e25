from script import REPOSITORY, logged

with logged(snakemake.log[0]):
    from e2e.data.transport.fetch import fetch, place

    settings = snakemake.config["cernbox"]
    fetch(
        place(snakemake.params.link, settings["url"], settings["hosts"]),
        snakemake.wildcards.file,
        snakemake.output[0],
        lock=REPOSITORY / settings["lock"],
    )
