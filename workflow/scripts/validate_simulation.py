from script import logged

with logged(snakemake.log[0]):
    from importlib import import_module

    from e2e.files import write_json
    from e2e.report import style
    from e2e.tasks import task

    looked_at = task(snakemake.wildcards.task)
    module = looked_at.simulation.validation
    beside = {"data": list(snakemake.input.data)} if snakemake.input.data else {}
    validate = import_module(f"e2e.simulation.{module}").validate
    found = validate(looked_at, list(snakemake.input.ntuples), **beside)
    figures = import_module(f"e2e.report.{module}").draw(looked_at, found)
    style.save_all(figures, snakemake.output.figures)
    write_json(snakemake.output.record, found.record)
