from script import logged

with logged(snakemake.log[0]):
    from e2e.data.stream import Stream
    from e2e.deploy.predict import scores

    chunks = Stream(snakemake.input.stores, snakemake.input.split, "test").chunks(1000)
    scores(snakemake.input.onnx, chunks, snakemake.output[0], threads=snakemake.threads)
