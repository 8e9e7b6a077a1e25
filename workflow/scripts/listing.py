from script import logged

with logged(snakemake.log[0]):
    from e2e.data.transport.fetch import names, place
    from e2e.files import whole

    settings = snakemake.config["cernbox"]
    found = names(place(snakemake.params.link, settings["url"], settings["hosts"]))
    with whole(snakemake.output[0]) as scratch:
        scratch.write_text("".join(f"{name}\n" for name in found))
