rule cmssw_area:
    output:
        "results/cmssw/{host}/area.json",
    log:
        "results/cmssw/logs/{host}.log",
    benchmark:
        "results/cmssw/resources/{host}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 8
    resources:
        mem_mb=memory(4000),
    params:
        code=area_code(),
        # An area works only where it was built: in a moved checkout it is built anew.
        places=[str(REPOSITORY), os.getcwd()],
        settings=host_settings,
    script:
        "../workflow/scripts/cmssw_area.py"


rule cmsrun:
    input:
        area="results/cmssw/{host}/area.json",
        ntuples=ntuples,
        onnx="results/{run}/{task}/{model}/model.onnx",
        contract="results/{run}/{task}/{model}/model.json",
    output:
        scores="results/{run}/{task}/{model}/cmsrun/{host}/scores.root",
        timing="results/{run}/{task}/{model}/cmsrun/{host}/timing.json",
    log:
        "results/{run}/{task}/{model}/cmsrun/{host}/cmsRun.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/cmsrun_{host}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 8
    resources:
        mem_mb=memory(4000),
    params:
        settings=host_settings,
        hcal_columns=hcal_columns,
    script:
        "../workflow/scripts/cmsrun.py"


rule agreement:
    input:
        model="results/{run}/{task}/{model}/model.pt",
        stores=stores,
        torch="results/{run}/{task}/{model}/scores.parquet",
        onnx="results/{run}/{task}/{model}/onnx_scores.parquet",
        cmsrun=f"results/{{run}}/{{task}}/{{model}}/cmsrun/{HOST}/scores.root",
    output:
        record="results/{run}/{task}/{model}/agreement.json",
        figure=report(
            "results/{run}/{task}/{model}/agreement.png",
            caption="../workflow/report/agreement.rst",
            category="Agreement",
            subcategory="{task}",
            labels={"model": "{model}", "figure": "training, ONNX Runtime, cmsRun"},
        ),
    log:
        "results/{run}/{task}/logs/{model}/agreement.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/agreement.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        code=library("deploy/agreement.py", "report/agreement.py"),
        samples=file_samples,
    script:
        "../workflow/scripts/agreement.py"


rule hosts_equal:
    input:
        standalone="results/{run}/{task}/{model}/cmsrun/standalone/scores.root",
        other="results/{run}/{task}/{model}/cmsrun/{host}/scores.root",
    output:
        "results/{run}/{task}/{model}/cmsrun/{host}/equals_standalone.json",
    log:
        "results/{run}/{task}/logs/{model}/hosts_equal_{host}.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/hosts_equal_{host}.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    script:
        "../workflow/scripts/hosts_equal.py"
