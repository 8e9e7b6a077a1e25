rule reference:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
    output:
        scores="results/{run}/{task}/bdt/scores.parquet",
        metrics="results/{run}/{task}/bdt/metrics.json",
    log:
        "results/{run}/{task}/logs/bdt.log",
    benchmark:
        "results/{run}/{task}/resources/bdt.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 4
    resources:
        mem_mb=memory(4000),
    params:
        code=library("learning/reference.py"),
    script:
        "../workflow/scripts/reference.py"


rule evaluate:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        model="results/{run}/{task}/{model}/model.pt",
        reference="results/{run}/{task}/bdt/scores.parquet",
    output:
        scores="results/{run}/{task}/{model}/scores.parquet",
        metrics="results/{run}/{task}/{model}/metrics.json",
        roc=report(
            "results/{run}/{task}/{model}/roc.pdf",
            caption="../workflow/report/roc.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "ROC curve"},
        ),
        figures=report(
            directory("results/{run}/{task}/{model}/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/evaluation.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/evaluate.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/evaluate.tsv"
    wildcard_constraints:
        task=CLASSIFICATION,
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        code=library(
            "learning/evaluate.py", "plots/evaluation.py", "plots/side_by_side.py"
        ),
    script:
        "../workflow/scripts/evaluate.py"


rule evaluate_masses:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        model="results/{run}/{task}/{model}/model.pt",
        reference="results/{run}/{task}/bdt/scores.parquet",
    output:
        scores="results/{run}/{task}/{model}/scores.parquet",
        metrics="results/{run}/{task}/{model}/metrics.json",
        errors=report(
            "results/{run}/{task}/{model}/errors.pdf",
            caption="../workflow/report/errors.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "errors"},
        ),
        figures=report(
            directory("results/{run}/{task}/{model}/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/masses.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/evaluate.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/evaluate.tsv"
    wildcard_constraints:
        task=MASSES,
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
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
        record="results/{run}/{task}/{model}/repeats.json",
        figure=report(
            "results/{run}/{task}/{model}/repeats.png",
            caption="../workflow/report/repeats.rst",
            category="Performance",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "repeats"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/repeats.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/repeats.tsv"
    wildcard_constraints:
        model=NAMES,
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        code=library("learning/repeats.py", "plots/repeats.py"),
    script:
        "../workflow/scripts/repeats.py"
