from script import logged

with logged(snakemake.log[0]):
    from e2e.files import write_json
    from e2e.learning.repeats import repeats
    from e2e.report import repeats as report
    from e2e.report import style

    record = repeats(snakemake.input)
    style.save(report.draw(record), snakemake.output.figure)
    write_json(snakemake.output.record, record)
