rule benchmark:
    input:
        area=f"results/cmssw/{BACKEND}/area.json",
        ntuples=ntuples,
        torch="results/{task}/{model}/model.pt",
        onnx="results/{task}/{model}/model.onnx",
        contract="results/{task}/{model}/model.json",
        scores="results/{task}/{model}/scores.parquet",
    output:
        record="results/{task}/{model}/benchmark/benchmark.json",
        samples="results/{task}/{model}/benchmark/samples.parquet",
        figures=report(
            directory("results/{task}/{model}/benchmark/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/benchmark.rst",
            category="Benchmark",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{task}/logs/{model}/benchmark.log",
    benchmark:
        "results/{task}/resources/{model}/benchmark.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1000  # all that --cores gives: timings mean nothing beside other jobs
    resources:
        mem_mb=4000,
    params:
        code=library("benchmark/run.py"),
        settings=config["benchmark"],
        cmssw={BACKEND: config["cmssw"].get(BACKEND, {})},
    script:
        "../workflow/scripts/benchmark.py"
