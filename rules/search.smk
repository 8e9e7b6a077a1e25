rule search:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        init=init,
    output:
        best="results/{run}/{task}/{model}/search/best.yaml",
        table="results/{run}/{task}/{model}/search/trials.csv",
        figure=report(
            "results/{run}/{task}/{model}/search/history.png",
            caption="../workflow/report/search.rst",
            category="Training",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "hyperparameter search"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/search.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/search.tsv"
    wildcard_constraints:
        model=NAMES,
    conda:
        "../envs/e2e.yaml"
    threads: 8
    resources:
        mem_mb=memory(6000),
    params:
        code=training_code,
        search=library("learning/search.py"),
        settings=model_settings,
        channels=channels,
        budget=config["search"],
        # Survives a killed job, so that the next one goes on where it stopped.
        study="results/{run}/{task}/{model}/search/study.db",
    script:
        "../workflow/scripts/search.py"
