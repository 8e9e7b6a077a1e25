from script import logged

with logged(snakemake.log[0]):
    from e2e.data.split import read_part
    from e2e.deploy.predict import scores

    samples = read_part(snakemake.input.stores, snakemake.input.split, "test")
    scores(snakemake.input.onnx, samples, snakemake.output[0], threads=snakemake.threads)
