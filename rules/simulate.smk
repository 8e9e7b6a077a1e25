rule simulate:
    output:
        "results/{task}/ntuples/{sample}_{index}.root",
    log:
        "results/{task}/logs/simulate/{sample}_{index}.log",
    benchmark:
        "results/{task}/resources/simulate/{sample}_{index}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=2000,
    params:
        code=simulation_code,
        objects=file_objects,
        seed=file_seed,
    script:
        "../workflow/scripts/simulate.py"


rule validate_simulation:
    input:
        ntuples=ntuples,
    output:
        record="results/{task}/simulation/validation.json",
        figures=report(
            directory("results/{task}/simulation/figures"),
            patterns=["{figure}.png"],
            caption="../workflow/report/validation.rst",
            category="Simulation",
            subcategory="{task}",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/{task}/logs/validate_simulation.log",
    benchmark:
        "results/{task}/resources/validate_simulation.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=library(
            "simulation/validation.py",
            "simulation/jet_validation.py",
            "plots/simulation.py",
            "plots/jet_simulation.py",
        ),
    script:
        "../workflow/scripts/validate_simulation.py"
