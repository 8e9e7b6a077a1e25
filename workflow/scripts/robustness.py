from script import logged

with logged(snakemake.log[0]):
    from collections import defaultdict
    from pathlib import Path

    from e2e.files import read_json
    from e2e.learning.robustness import robustness
    from e2e.report import robustness as report
    from e2e.report import style

    resimulated = defaultdict(list)
    for path in snakemake.input.resimulated:
        resimulated[Path(path).parent.name].append(path)
    robustness(
        snakemake.input.stores,
        snakemake.input.split,
        snakemake.input.model,
        snakemake.input.reference,
        snakemake.output.record,
        snakemake.params.objects,
        threads=snakemake.threads,
        resimulated=resimulated,
    )
    style.save(report.draw(read_json(snakemake.output.record)), snakemake.output.figure)
