rule compare:
    input:
        reference="results/{run}/{task}/bdt/metrics.json",
        metrics=of_each_model("results/{run}/{task}/{model}/metrics.json"),
        scores=scores_of(MODELS.get),
        reference_scores=scores_of(lambda task: ["bdt"]),
        onnx=of_each_model("results/{run}/{task}/{model}/model.onnx"),
        contracts=of_each_model("results/{run}/{task}/{model}/model.json"),
        training=of_each_model("results/{run}/{task}/{model}/training_time.json"),
        benchmarks=benchmarks,
        robustness=robustness,
    output:
        record="results/{run}/{task}/comparison.json",
        table="results/{run}/{task}/comparison.md",
        figure=report(
            "results/{run}/{task}/comparison.png",
            caption="../workflow/report/comparison.rst",
            category="Performance",
            subcategory="{task}",
            labels={"figure": "comparison of all models"},
        ),
    log:
        "results/{run}/{task}/logs/compare.log",
    benchmark:
        "results/{run}/{task}/resources/compare.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        code=library("report/comparison.py"),
        models=model_names,
        declared=declared,
    script:
        "../workflow/scripts/compare.py"
