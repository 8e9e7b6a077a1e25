from script import logged

with logged(snakemake.log[0]):
    from e2e.deploy import cmssw

    cmssw.build()
