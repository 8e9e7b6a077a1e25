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
        code=library("learning/reference.py"),
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
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "ROC curve"},
        ),
        figures=report(
            directory("results/{task}/{model}/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/evaluation.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{task}/logs/{model}/evaluate.log",
    benchmark:
        "results/{task}/resources/{model}/evaluate.tsv"
    wildcard_constraints:
        task=CLASSIFICATION,
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        code=library(
            "learning/evaluate.py", "plots/evaluation.py", "plots/side_by_side.py"
        ),
    script:
        "../workflow/scripts/evaluate.py"


rule evaluate_masses:
    input:
        stores=stores,
        split="results/{task}/split.parquet",
        model="results/{task}/{model}/model.pt",
        reference="results/{task}/bdt/scores.parquet",
    output:
        scores="results/{task}/{model}/scores.parquet",
        metrics="results/{task}/{model}/metrics.json",
        resolution=report(
            "results/{task}/{model}/resolution.pdf",
            caption="../workflow/report/resolution.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "resolution"},
        ),
        figures=report(
            directory("results/{task}/{model}/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/masses.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{task}/logs/{model}/evaluate.log",
    benchmark:
        "results/{task}/resources/{model}/evaluate.tsv"
    wildcard_constraints:
        task=MASSES,
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        code=library(
            "learning/regression.py", "plots/regression.py", "plots/side_by_side.py"
        ),
    script:
        "../workflow/scripts/evaluate_masses.py"


rule repeats:
    input:
        repeats,
    output:
        record="results/{task}/{model}/repeats.json",
        figure=report(
            "results/{task}/{model}/repeats.png",
            caption="../workflow/report/repeats.rst",
            category="Performance",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "repeats"},
        ),
    log:
        "results/{task}/logs/{model}/repeats.log",
    benchmark:
        "results/{task}/resources/{model}/repeats.tsv"
    wildcard_constraints:
        model=NAMES,
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        code=library("learning/repeats.py", "plots/repeats.py"),
    script:
        "../workflow/scripts/repeats.py"
