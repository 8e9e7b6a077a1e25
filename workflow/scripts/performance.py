from script import logged

with logged(snakemake.log[0]):
    import numpy as np

    from e2e.data.scores import read_scores
    from e2e.files import read_json
    from e2e.report import history, performance, style
    from e2e.tasks import task

    metrics = read_json(snakemake.input.metrics)
    origin = metrics["training_data"]["origin"]
    style.save(history.draw(snakemake.input.history, origin), snakemake.output.history)
    with np.load(snakemake.input.explained) as explained:
        figures = performance.figures(
            task(snakemake.wildcards.task, snakemake.params.channels),
            metrics,
            read_scores(snakemake.input.scores),
            explained,
            read_json(snakemake.input.reference),
            read_scores(snakemake.input.reference_scores),
        )
    style.save_all(figures, snakemake.output.figures)
