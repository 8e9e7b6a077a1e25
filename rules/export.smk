rule export:
    input:
        model="results/{task}/{model}/model.pt",
    output:
        onnx="results/{task}/{model}/model.onnx",
        contract="results/{task}/{model}/model.json",
    log:
        "results/{task}/logs/{model}/export.log",
    benchmark:
        "results/{task}/resources/{model}/export.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        code=library("deploy/export.py"),
        opset=config["export"]["opset"],
        ir_version=config["export"]["ir_version"],
    script:
        "../workflow/scripts/export.py"


rule onnx_scores:
    input:
        stores=stores,
        split="results/{task}/split.parquet",
        onnx="results/{task}/{model}/model.onnx",
        contract="results/{task}/{model}/model.json",
    output:
        "results/{task}/{model}/onnx_scores.parquet",
    log:
        "results/{task}/logs/{model}/onnx_scores.log",
    benchmark:
        "results/{task}/resources/{model}/onnx_scores.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 2
    resources:
        mem_mb=3000,
    params:
        code=library("deploy/predict.py"),
    script:
        "../workflow/scripts/onnx_scores.py"
