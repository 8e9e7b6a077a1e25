from script import logged

with logged(snakemake.log[0]):
    from e2e.data.convert import convert
    from e2e.files import temporary_folder
    from e2e.simulation import simulate
    from e2e.simulation.detector import Detector
    from e2e.tasks import task

    wildcards, params = snakemake.wildcards, snakemake.params
    settings = dict(params.others)
    settings["detector"] = Detector(**settings.get("detector", {}))
    with temporary_folder() as folder:
        ntuple = folder / f"{wildcards.sample}_{wildcards.index}.root"
        simulate(
            ntuple,
            wildcards.task,
            wildcards.sample,
            params.objects,
            params.seed,
            pileup=snakemake.input.pileup or None,
            part="test",
            **params.settings | settings,
        )
        chosen = task(wildcards.task, params.channels)
        convert(chosen, ntuple, snakemake.output[0], sample=wildcards.sample)
