rule ssl:
    input:
        ssl_outputs(),


rule train:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        init=init,
    output:
        model="results/{run}/{task}/{model}/model.pt",
        history="results/{run}/{task}/{model}/history.csv",
        time="results/{run}/{task}/{model}/training_time.json",
    log:
        "results/{run}/{task}/logs/{model}/train.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/train.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1  # small networks gain little from more, and all of them run side by side
    resources:
        mem_mb=memory(6000),
    params:
        code=training_code,
        settings=model_settings,
        channels=channels,
        # Survives a killed job, so that the next one goes on where it stopped.
        checkpoints="results/{run}/{task}/{model}/checkpoints",
    script:
        "../workflow/scripts/train.py"


rule pretrain:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
    output:
        model="results/{run}/{task}/pretrainings/{pretraining}/model.pt",
        history="results/{run}/{task}/pretrainings/{pretraining}/history.csv",
        time="results/{run}/{task}/pretrainings/{pretraining}/training_time.json",
    log:
        "results/{run}/{task}/logs/pretrainings/{pretraining}/train.log",
    benchmark:
        "results/{run}/{task}/resources/pretrainings/{pretraining}/train.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(6000),
    params:
        code=pretraining_code,
        settings=pretraining_settings,
        channels=channels,
        # Survives a killed job, so that the next one goes on where it stopped.
        checkpoints="results/{run}/{task}/pretrainings/{pretraining}/checkpoints",
    script:
        "../workflow/scripts/train.py"


rule probe:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        model="results/{run}/{task}/pretrainings/{pretraining}/model.pt",
    output:
        "results/{run}/{task}/pretrainings/{pretraining}/probe.json",
    log:
        "results/{run}/{task}/logs/pretrainings/{pretraining}/probe.log",
    benchmark:
        "results/{run}/{task}/resources/pretrainings/{pretraining}/probe.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 2
    resources:
        mem_mb=memory(6000),
    params:
        code=library("learning/probe.py"),
    script:
        "../workflow/scripts/probe.py"
