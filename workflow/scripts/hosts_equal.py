from script import logged

with logged(snakemake.log[0]):
    from e2e.deploy.agreement import hosts_equal
    from e2e.files import write_json

    write_json(snakemake.output[0], hosts_equal(snakemake.input.standalone, snakemake.input.other))
