from script import logged

with logged(snakemake.log[0]):
    from e2e.data.cernbox import names
    from e2e.files import whole

    found = names(snakemake.params.token, snakemake.config["cernbox"]["url"])
    with whole(snakemake.output[0]) as scratch:
        scratch.write_text("".join(f"{name}\n" for name in found))
