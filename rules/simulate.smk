rule pileup:
    output:
        "results/{run}/pileup.npz",
    log:
        "results/{run}/logs/pileup.log",
    benchmark:
        "results/{run}/resources/pileup.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        code=imports.digest("simulation/pileup_pool.py"),
        collisions=config["pileup"]["collisions"],
        seed=config["pileup"]["seed"],
    script:
        "../workflow/scripts/pileup.py"


rule simulate:
    input:
        pileup=pileup,
    output:
        "results/{run}/{task}/ntuples/{sample}_{index}.root",
    log:
        "results/{run}/{task}/logs/simulate/{sample}_{index}.log",
    benchmark:
        "results/{run}/{task}/resources/simulate/{sample}_{index}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        code=simulation_code,
        objects=file_objects,
        seed=file_seed,
        settings=simulation_settings,
    script:
        "../workflow/scripts/simulate.py"


rule resimulate:
    input:
        pileup=pileup,
    output:
        "results/{run}/{task}/resimulated/{other}/{sample}_{index}.parquet",
    log:
        "results/{run}/{task}/logs/resimulate/{other}/{sample}_{index}.log",
    benchmark:
        "results/{run}/{task}/resources/resimulate/{other}/{sample}_{index}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        code=simulation_code,
        store=library("data/convert.py"),
        objects=resimulated_objects,
        seed=file_seed,
        settings=simulation_settings,
        channels=channels,
        others=others,
    script:
        "../workflow/scripts/resimulate.py"


rule validate_simulation:
    input:
        ntuples=ntuples,
        data=data_beside,
    output:
        record="results/{run}/{task}/simulation/validation.json",
        figures=report(
            directory("results/{run}/{task}/simulation/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/validation.rst",
            category="Simulation",
            subcategory="{task}",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/{run}/{task}/logs/validate_simulation.log",
    benchmark:
        "results/{run}/{task}/resources/validate_simulation.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        code=validation_code,
    script:
        "../workflow/scripts/validate_simulation.py"
