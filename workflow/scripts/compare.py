from itertools import zip_longest

from script import logged

with logged(snakemake.log[0]):
    from e2e.files import whole, write_json
    from e2e.report import style
    from e2e.report.comparison import Files, compare, draw, table

    files, names = snakemake.input, snakemake.params.models
    number = len(files.scores) // len(names)  # trainings of a model
    scores = [files.scores[i * number :][:number] for i in range(len(names))]
    each = zip_longest(files.metrics, scores, files.onnx, files.training, files.benchmarks, files.robustness)
    models = dict(zip(names, (Files(*of) for of in each), strict=True))
    record = compare(models, files.reference, files.reference_scores, snakemake.params.declared)
    style.save(draw(record), snakemake.output.figure)
    with whole(snakemake.output.table) as scratch:
        scratch.write_text(table(record))
    write_json(snakemake.output.record, record)
