localrules:
    fetch,
    listing,


# The names of a link's files, where the configuration gives none: the network is not touched while planning.
checkpoint listing:
    output:
        "results/{run}/{task}/downloads/{sample}.txt",
    log:
        "results/{run}/{task}/logs/listing/{sample}.log",
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
    params:
        link=link,
    script:
        "../workflow/scripts/listing.py"


# One job a file, so that files come in parallel. Neither code nor server is a parameter: what has been fetched
# and checked once stays. A transfer that was cut off leaves `<file>.<tag>.part`, from which the next job goes on.
rule fetch:
    output:
        "results/{run}/{task}/downloads/{sample}/{file}",
    log:
        "results/{run}/{task}/logs/fetch/{sample}/{file}.log",
    benchmark:
        "results/{run}/{task}/resources/fetch/{sample}/{file}.tsv"
    wildcard_constraints:
        file=r"[^/].*",
    conda:
        "../envs/e2e.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
    params:
        link=link,
    script:
        "../workflow/scripts/fetch.py"
