rule benchmark:
    input:
        area=f"results/cmssw/{HOST}/area.json",
        ntuples=ntuples,
        torch="results/{run}/{task}/{model}/model.pt",
        onnx="results/{run}/{task}/{model}/model.onnx",
        contract="results/{run}/{task}/{model}/model.json",
        scores="results/{run}/{task}/{model}/scores.parquet",
    output:
        record="results/{run}/{task}/{model}/benchmark/benchmark.json",
        samples="results/{run}/{task}/{model}/benchmark/samples.parquet",
        figures=report(
            directory("results/{run}/{task}/{model}/benchmark/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/benchmark.rst",
            category="Benchmark",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/benchmark.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/benchmark.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1000  # all that --cores gives: timings mean nothing beside other jobs
    resources:
        mem_mb=memory(4000),
    params:
        code=library("benchmark/run.py"),
        area=area_code(),
        samples=file_samples,
        hcal_columns=hcal_columns,
        settings=config["benchmark"],
        # Survives a killed job, so that the next one goes on where it stopped.
        points="results/{run}/{task}/{model}/benchmark/points",
        cmssw={HOST: config["cmssw"].get(HOST, {})},
    script:
        "../workflow/scripts/benchmark.py"
