from itertools import zip_longest

from script import logged

with logged(snakemake.log[0]):
    from e2e.files import whole, write_json
    from e2e.report import style
    from e2e.report.comparison import Files, compare, draw, table

    files = snakemake.input
    each = zip_longest(
        files.metrics, files.scores, files.onnx, files.training, files.benchmarks, files.robustness
    )
    models = dict(zip(snakemake.params.models, (Files(*of) for of in each), strict=True))
    record = compare(models, files.reference)
    style.save(draw(record), snakemake.output.figure)
    with whole(snakemake.output.table) as scratch:
        scratch.write_text(table(record))
    write_json(snakemake.output.record, record)
