rule reference:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
    output:
        scores="results/{run}/{task}/bdt{repeat}/scores.parquet",
        metrics="results/{run}/{task}/bdt{repeat}/metrics.json",
        model="results/{run}/{task}/bdt{repeat}/model.joblib",
    log:
        "results/{run}/{task}/logs/bdt{repeat}.log",
    benchmark:
        "results/{run}/{task}/resources/bdt{repeat}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 4
    resources:
        mem_mb=memory(4000),
    params:
        code=library("learning/reference.py", "data/{features}.py", "tasks/{task}.py"),
        seed=seed,
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
        explained="results/{run}/{task}/{model}/explained.npz",
    log:
        "results/{run}/{task}/logs/{model}/evaluate.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/evaluate.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        code=library("learning/evaluation.py", "tasks/{task}.py"),
    script:
        "../workflow/scripts/evaluate.py"


rule performance:
    input:
        metrics="results/{run}/{task}/{model}/metrics.json",
        scores="results/{run}/{task}/{model}/scores.parquet",
        explained="results/{run}/{task}/{model}/explained.npz",
        history="results/{run}/{task}/{model}/history.csv",
        reference="results/{run}/{task}/bdt/metrics.json",
        reference_scores="results/{run}/{task}/bdt/scores.parquet",
    output:
        history=report(
            "results/{run}/{task}/{model}/history.png",
            caption="../workflow/report/history.rst",
            category=category("Training"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "training history"},
        ),
        figures=report(
            directory("results/{run}/{task}/{model}/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/performance.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "{figure}"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/performance.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/performance.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        code=library("report/performance.py", "report/history.py", "tasks/{task}.py"),
        channels=channels,
    script:
        "../workflow/scripts/performance.py"


rule robustness:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        model="results/{run}/{task}/{model}/model.pt",
        reference="results/{run}/{task}/bdt/model.joblib",
        resimulated=resimulated,
    output:
        record="results/{run}/{task}/{model}/robustness.json",
        figure=report(
            "results/{run}/{task}/{model}/robustness.png",
            caption="../workflow/report/robustness.rst",
            category=category("Performance"),
            subcategory="{task}",
            labels={"model": "{model}", "figure": "changes of the detector"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/robustness.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/robustness.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        code=library(
            "learning/robustness.py", "data/{features}.py", "report/robustness.py"
        ),
        objects=config["robustness"]["objects"],
    script:
        "../workflow/scripts/robustness.py"


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
        code=library("report/repeats.py", "learning/repeats.py"),
    script:
        "../workflow/scripts/repeats.py"
