from script import logged

with logged(snakemake.log[0]):
    from e2e.files import write_json
    from e2e.report import style
    from e2e.tasks import task

    looked_at = task(snakemake.wildcards.task)
    if looked_at.objects == "photon":
        from e2e.report.validation import draw
        from e2e.simulation.validation import validate

        found = validate(snakemake.input.ntuples)
        figures = draw(found)
    else:
        from e2e.report.jet_validation import draw
        from e2e.simulation.jet_validation import validate

        found = validate(looked_at.name, snakemake.input.ntuples)
        figures = draw(looked_at, found)
    style.save_all(figures, snakemake.output.figures)
    write_json(snakemake.output.record, found.record)
