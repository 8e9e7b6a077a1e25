# Jupyter finds the kernel of the environment itself, whatever else a user has installed or configured.
os.environ.update(JUPYTER_PREFER_ENV_PATH="1", JUPYTER_PATH="", JUPYTER_NO_CONFIG="1")


rule notebook:
    input:
        stores=stores,
        split="results/{run}/{task}/split.parquet",
        counts="results/{run}/{task}/split.json",
        reference=multiext(
            "results/{run}/{task}/bdt/", "scores.parquet", "metrics.json"
        ),
        results=model_results,
    output:
        "results/{run}/{task}/notebook.ipynb",
    log:
        # Where Snakemake writes what it executed: that is the output.
        notebook="results/{run}/{task}/notebook.ipynb",
    benchmark:
        "results/{run}/{task}/resources/notebook.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 2
    resources:
        mem_mb=memory(4000),
    params:
        code=notebook_code,
        models=model_names,
    notebook:
        "../notebooks/{wildcards.task}.ipynb"


rule notebook_html:
    input:
        "results/{run}/{task}/notebook.ipynb",
    output:
        report(
            "results/{run}/{task}/notebook.html",
            caption="../workflow/report/notebook.rst",
            category="Notebooks",
            labels={"task": "{task}"},
        ),
    log:
        "results/{run}/{task}/logs/notebook_html.log",
    benchmark:
        "results/{run}/{task}/resources/notebook_html.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
    params:
        code=library("report/notebooks/publish.py"),
    script:
        "../workflow/scripts/notebook_html.py"


rule notebook_pdf:
    input:
        executed="results/{run}/{task}/notebook.ipynb",
        page="results/{run}/{task}/notebook.html",
    output:
        "results/{run}/{task}/notebook.pdf",
    log:
        "results/{run}/{task}/logs/notebook_pdf.log",
    benchmark:
        "results/{run}/{task}/resources/notebook_pdf.tsv"
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        code=library("report/notebooks/publish.py"),
    script:
        "../workflow/scripts/notebook_pdf.py"


rule notebooks_pdf:
    input:
        notebooks("pdf"),
