from itertools import zip_longest

from script import logged

with logged(snakemake.log[0]):
    from e2e.comparison import Files, compare

    files = snakemake.input
    each = zip_longest(files.metrics, files.scores, files.onnx, files.training, files.benchmarks)
    compare(
        dict(zip(snakemake.params.models, (Files(*of) for of in each), strict=True)),
        files.reference,
        snakemake.output.record,
        snakemake.output.table,
        snakemake.output.figure,
    )
