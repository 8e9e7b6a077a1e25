from script import logged

with logged(snakemake.log[0]):
    from e2e.data.split import write_split

    write_split(snakemake.input.stores, snakemake.output.table, snakemake.output.counts)
