from script import logged

with logged(snakemake.log[0]):
    from e2e.deploy.agreement import backends_equal
    from e2e.files import write_json

    write_json(snakemake.output[0], backends_equal(snakemake.input.standalone, snakemake.input.other))
