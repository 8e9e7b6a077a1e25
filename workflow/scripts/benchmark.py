from pathlib import Path

from script import CFG, logged

with logged(snakemake.log[0]):
    from e2e.benchmark.run import Outputs, Subject, benchmark
    from e2e.deploy import cmssw
    from e2e.report import style
    from e2e.report.benchmark import draw

    def cmsrun(arguments, log):
        area = Path(snakemake.input.area).parent
        return cmssw.run(area.name, area, CFG, arguments, log, snakemake.params.cmssw)

    record = benchmark(
        Subject(
            snakemake.input.torch,
            snakemake.input.onnx,
            dict(zip(snakemake.input.ntuples, snakemake.params.samples, strict=True)),
            snakemake.input.scores,
            own_columns=snakemake.params.hcal_columns == "own",
        ),
        cmsrun,
        snakemake.params.settings,
        Outputs(
            snakemake.output.record,
            snakemake.output.samples,
            snakemake.params.points,
        ),
        code=f"{snakemake.params.code} {snakemake.params.area} {snakemake.params.cmssw}",
    )
    style.save_all(draw(record), snakemake.output.figures)
