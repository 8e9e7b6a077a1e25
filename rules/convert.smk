rule data:
    input:
        data_outputs(),


rule convert:
    input:
        source=source,
    output:
        "results/{run}/{task}/store/{sample}_{index}.parquet",
    log:
        "results/{run}/{task}/logs/convert/{sample}_{index}.log",
    benchmark:
        "results/{run}/{task}/resources/convert/{sample}_{index}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        code=library("data/sources.py"),
        channels=channels,
        part=part,
        label=class_of,
        hcal_columns=hcal_columns,
        drop_empty=drop_empty,
        executor=config["convert"],
    script:
        "../workflow/scripts/convert.py"


rule split:
    input:
        stores=stores,
    output:
        table="results/{run}/{task}/split.parquet",
        counts="results/{run}/{task}/split.json",
    log:
        "results/{run}/{task}/logs/split.log",
    benchmark:
        "results/{run}/{task}/resources/split.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        code=library("data/split.py"),
    script:
        "../workflow/scripts/split.py"


rule displays:
    input:
        stores=stores,
    output:
        report(
            "results/{run}/{task}/displays.png",
            caption="../workflow/report/displays.rst",
            category="Data",
            subcategory="{task}",
            labels={"figure": "event displays"},
        ),
    log:
        "results/{run}/{task}/logs/displays.log",
    benchmark:
        "results/{run}/{task}/resources/displays.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        code=library("report/displays.py"),
    script:
        "../workflow/scripts/displays.py"
