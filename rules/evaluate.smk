rule reference:
    input:
        stores=stores,
        split="results/{task}/split.parquet",
    output:
        scores="results/{task}/bdt/scores.parquet",
        metrics="results/{task}/bdt/metrics.json",
    log:
        "results/{task}/logs/bdt.log",
    benchmark:
        "results/{task}/resources/bdt.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 4
    resources:
        mem_mb=4000,
    params:
        code=library(
            "learning/reference.py",
            "learning/shower_shapes.py",
            "learning/evaluate.py",
            "learning/statistics.py",
        ),
    script:
        "../workflow/scripts/reference.py"


rule evaluate:
    input:
        stores=stores,
        split="results/{task}/split.parquet",
        model="results/{task}/{model}/model.pt",
        reference="results/{task}/bdt/scores.parquet",
    output:
        scores="results/{task}/{model}/scores.parquet",
        metrics="results/{task}/{model}/metrics.json",
        roc=report(
            "results/{task}/{model}/roc.pdf",
            caption="../workflow/report/roc.rst",
            category="Performance",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "ROC curve"},
        ),
        figures=report(
            directory("results/{task}/{model}/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/evaluation.rst",
            category="Performance",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{task}/logs/{model}/evaluate.log",
    benchmark:
        "results/{task}/resources/{model}/evaluate.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 4
    resources:
        mem_mb=4000,
    params:
        code=library(
            "learning/evaluate.py",
            "learning/attribution.py",
            "learning/statistics.py",
            "plots/evaluation.py",
        ),
    script:
        "../workflow/scripts/evaluate.py"
