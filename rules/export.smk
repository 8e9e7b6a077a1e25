rule export:
    input:
        model="results/{run}/{task}/{model}/model.pt",
    output:
        onnx="results/{run}/{task}/{model}/model.onnx",
        contract="results/{run}/{task}/{model}/model.json",
    log:
        "results/{run}/{task}/logs/{model}/export.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/export.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(3000),
    params:
        code=library("deploy/export.py"),
        opset=config["export"]["opset"],
        ir_version=config["export"]["ir_version"],
    script:
        "../workflow/scripts/export.py"


rule onnx_scores:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        onnx="results/{run}/{task}/{model}/model.onnx",
        contract="results/{run}/{task}/{model}/model.json",
    output:
        "results/{run}/{task}/{model}/onnx_scores.parquet",
    log:
        "results/{run}/{task}/logs/{model}/onnx_scores.log",
    benchmark:
        "results/{run}/{task}/resources/{model}/onnx_scores.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 2
    resources:
        mem_mb=memory(3000),
    params:
        code=library("deploy/predict.py"),
    script:
        "../workflow/scripts/onnx_scores.py"
