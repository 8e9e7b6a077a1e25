"""The hosts, on a small CMake project whose `cmsRun` behaves as the test wants."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from e2e.deploy import cmssw
from e2e.deploy.agreement import read_tree
from e2e.deploy.predict import predict
from e2e.errors import E2EError
from e2e.files import read_json, sha256

REPOSITORY = Path(__file__).parents[2]
CVMFS_SETTINGS = {
    "cvmfs": {"release": "CMSSW_14_0_22", "scram_arch": "el8_amd64_gcc12", "image": "/cvmfs/el8"}
}

CMSRUN = """\
#!/bin/bash
echo "$@"
pwd
cat "$1"
exit "${2#code=}"
"""
FATAL = """\
----- Begin Fatal Exception 22-Nov-2026 15:43:00 UTC-----------------------
An exception of category 'FileOpenError' occurred while
   [0] Constructing input source of type RHTreeSource
Exception Message:
no_such.root: no such file
----- End Fatal Exception -------------------------------------------------
"""


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    """A `cmssw` directory whose host is a shell script and one compiled library, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "containers/cmssw-standalone.def",
        "containers/build",
        "requirements/constraints.txt",
        "requirements/cpu.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    host = tmp_path / "cmssw/standalone"
    host.mkdir(parents=True)
    (host / "cmsRun").write_text(CMSRUN)
    (host / "tagger.cc").write_text("int tagger() { return 1; }\n")
    (host / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(host CXX)\nadd_library(tagger SHARED tagger.cc)\n"
        "install(TARGETS tagger DESTINATION lib)\ninstall(PROGRAMS cmsRun DESTINATION bin)\n"
    )
    return tmp_path / "cmssw"


def build(host, source, settings=None, dry_run=False):
    area = Path("results/cmssw") / host
    cmssw.build(host, area, source, settings or {}, 1, Path(f"{host}.log"), dry_run=dry_run)
    return area


@pytest.fixture
def area(source) -> Path:
    return build("standalone", source)


def run(area, text="", code=0, host="standalone", settings=None):
    Path("cfg.py").write_text(text)
    return cmssw.run(host, area, Path("cfg.py"), [f"code={code}"], Path("logs/cmsRun.log"), settings or {})


def test_standalone_area_builds_and_runs(area):
    assert read_json(area / "area.json") == {"host": "standalone", "path": str(area.resolve())}
    assert (area / "lib/libtagger.so").exists()
    cost = run(area, "from the configuration")
    assert Path("logs/cmsRun.log").read_text() == f"cfg.py code=0\n{Path.cwd()}\nfrom the configuration"
    assert 0 < cost.wall_s < 10
    assert not Path("logs/cmsRun.image.json").exists()


def test_second_build_compiles_nothing(area, source):
    build("standalone", source)
    assert "no work to do" in Path("standalone.log").read_text()


def test_a_moved_area_is_refused_and_built_anew(area, tmp_path, monkeypatch):
    """With its checkout: CMake's tree, too, works only where it was made."""
    moved = tmp_path.with_name(f"{tmp_path.name}_moved")
    tmp_path.rename(moved)
    monkeypatch.chdir(moved)
    with pytest.raises(E2EError, match="was built elsewhere, and works only there; `e2e cmssw build"):
        run(area)
    build("standalone", moved / "cmssw")
    assert read_json(area / "area.json")["path"] == str(area.resolve())
    run(area)


def test_failed_build_names_the_error_and_keeps_the_old_area(area, source):
    (source / "standalone/tagger.cc").write_text("int tagger() { return one; }\n")
    with pytest.raises(E2EError, match=r"‘one’ was not declared|'one' was not declared") as error:
        build("standalone", source)
    assert "standalone.log" in str(error.value)
    assert "\n" not in str(error.value)
    run(area)
    assert [path.name for path in area.parent.iterdir() if path.name != "build"] == ["standalone"]


def test_peak_memory_is_that_of_cmsrun_alone(area):
    ballast = bytearray(os.urandom(1)) * 300_000_000  # this process is larger than what it starts
    assert run(area).peak_rss_bytes < 100_000_000
    assert len(ballast) == 300_000_000


def test_cuda_libraries_of_the_wheels_are_found(area, tmp_path, monkeypatch):
    libraries = tmp_path / "site-packages/nvidia/cublas/lib"
    libraries.mkdir(parents=True)
    monkeypatch.setattr(cmssw.sysconfig, "get_path", lambda name: str(tmp_path / "site-packages"))
    (area / "bin/cmsRun").write_text("#!/bin/bash\necho $LD_LIBRARY_PATH\n")
    run(area)
    assert str(libraries) in Path("logs/cmsRun.log").read_text().split(":")[0]


def test_gpu_computes_in_full_precision_unless_told_otherwise(area, monkeypatch):
    (area / "bin/cmsRun").write_text("#!/bin/bash\necho $NVIDIA_TF32_OVERRIDE\n")
    run(area)
    assert Path("logs/cmsRun.log").read_text() == "0\n"
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    run(area)
    assert Path("logs/cmsRun.log").read_text() == "1\n"


def test_failure_of_cmsrun_quotes_its_exception_and_explains_its_code(area):
    with pytest.raises(E2EError) as error:
        run(area, f"before\n{FATAL}after\n", code=84)
    message = str(error.value)
    assert message.startswith(
        "cmsRun ended with 84 (an input file cannot be opened): An exception of category"
    )
    assert "no_such.root: no such file" in message
    assert "after" not in message
    assert message.endswith("(log: logs/cmsRun.log)")


def test_failure_without_exception_quotes_the_last_lines(area):
    with pytest.raises(E2EError, match=r"ended with 3 \(see the log\): .*line 8 line 9"):
        run(area, "\n".join(f"line {i}" for i in range(10)), code=3)


def test_run_without_an_area_says_how_to_build_it(source):
    with pytest.raises(E2EError, match="e2e cmssw build --host standalone"):
        run(Path("results/cmssw/standalone"))


def test_dry_run_of_a_build_prints_commands_that_work(source, capsys):
    area = build("standalone", source, dry_run=True)
    assert not area.exists()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-e"], input=capsys.readouterr().out, text=True, check=True, env=environment)
    assert (area / "bin/cmsRun").exists()


def test_missing_apptainer_names_the_installer(source, monkeypatch):
    monkeypatch.setenv("PATH", str(source))
    with pytest.raises(E2EError, match="containers/install-apptainer"):
        build("apptainer", source)


def dry_run_commands(capsys):
    return [shlex.split(line) for line in capsys.readouterr().out.splitlines()]


def test_apptainer_makes_the_image_once(source, capsys):
    area = build("apptainer", source, dry_run=True)
    make_image, *rest = dry_run_commands(capsys)
    image = Path(make_image[1])
    assert make_image[0] == str(source.parent / "containers/build")
    assert make_image[2] == "cpu"
    image.parent.mkdir(parents=True)
    image.touch()
    build("apptainer", source, dry_run=True)
    assert dry_run_commands(capsys) == rest
    assert all(command[:3] == ["apptainer", "--quiet", "exec"] and str(image) in command for command in rest)

    (source.parent / "requirements/constraints.txt").write_text("ROOT==7\n")
    build("apptainer", source, dry_run=True)
    assert dry_run_commands(capsys)[0][1] != str(image)
    assert not area.exists()


def apptainer_area(onnxruntime):
    area = Path("results/cmssw/apptainer")
    area.mkdir(parents=True)
    image = f'{{"file": "image.sif", "sha256": "0", "onnxruntime": "{onnxruntime}"}}'
    (area / "area.json").write_text(f'{{"host": "apptainer", "path": "{area.resolve()}", "image": {image}}}')
    return area


def test_files_of_a_run_are_bound_where_they_are(source, tmp_path, capsys):
    data = tmp_path.parent / f"{tmp_path.name}_data"
    data.mkdir()
    (data / "real.root").touch()
    Path("link.root").symlink_to(data / "real.root")
    arguments = ["inputFiles=file:link.root,file:/no/such/a.root", "maxEvents=-1"]
    cmssw.run("apptainer", apptainer_area("cpu"), Path("cfg.py"), arguments, Path("log"), {}, dry_run=True)
    [command] = dry_run_commands(capsys)
    assert {word for word in command if word.startswith("--bind")} == {f"--bind={tmp_path}", f"--bind={data}"}
    assert command[-3:] == ["cfg.py", *arguments]
    assert "--nv" not in command


@pytest.mark.parametrize("name", ["a,b", "a:b"])
def test_names_that_apptainer_would_take_apart_are_refused(source, tmp_path, name):
    (tmp_path / name).mkdir()
    arguments = [f"inputFiles=file:{tmp_path / name}/c,d.root"]
    with pytest.raises(E2EError, match=f"{name}: Apptainer takes : and , in a name apart"):
        cmssw.run(
            "apptainer", apptainer_area("cpu"), Path("cfg.py"), arguments, Path("log"), {}, dry_run=True
        )


def test_cuda_needs_the_image_for_it(source, capsys):
    run_it = (
        "apptainer",
        Path("results/cmssw/apptainer"),
        Path("cfg.py"),
        ["provider=cuda"],
        Path("log"),
        {},
    )
    area = apptainer_area("cpu")
    with pytest.raises(E2EError, match=r"cmssw\.apptainer\.onnxruntime: gpu"):
        cmssw.run(*run_it, dry_run=True)
    shutil.rmtree(area)
    apptainer_area("gpu")
    cmssw.run(*run_it, dry_run=True)
    [command] = dry_run_commands(capsys)
    assert {"--nv", "--env=NVIDIA_TF32_OVERRIDE=0"} <= set(command)


def test_missing_cvmfs_names_the_remedies(source, monkeypatch):
    monkeypatch.setattr(cmssw, "CVMFS", source / "no_cvmfs")
    with pytest.raises(
        E2EError, match=r"cmsset_default\.sh is not there.*cvmfsexec.*standalone or apptainer"
    ):
        build("cvmfs", source, CVMFS_SETTINGS)
    assert not Path("results").exists()


@pytest.fixture
def cvmfs(source, tmp_path, monkeypatch) -> dict:
    """Settings for a /cvmfs whose scram and cmsRun are recorded, and an apptainer that runs on the host."""
    root = tmp_path / "cvmfs"
    tools = root / "tools"
    tools.mkdir(parents=True)
    monkeypatch.setattr(cmssw, "CVMFS", root)
    (root / "cms.cern.ch").mkdir()
    (root / "cms.cern.ch/cmsset_default.sh").write_text(f"false\nexport PATH={tools}:$PATH\n")
    (root / "el8").mkdir()
    programs = {
        # drops its options and the image
        "apptainer": 'while [[ $1 == exec || $1 == --* ]]; do shift; done; shift; exec "$@"',
        "scram": f'echo "$SCRAM_ARCH: scram $*" >>{tmp_path}/calls; '
        'case $1 in project) mkdir -p "$2/src" "$2/.SCRAM" ;; runtime) echo "export LOCALTOP=$PWD;" ;; esac',
        "cmsRun": f'echo "$LOCALTOP: $PWD: cmsRun $*" >>{tmp_path}/calls; exit "${{2#code=}}"',
    }
    for name, text in programs.items():
        (tools / name).write_text(f"#!/bin/bash\n{text}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return {"cvmfs": {**CVMFS_SETTINGS["cvmfs"], "image": str(root / "el8")}}


def test_cvmfs_builds_with_scram_and_runs_in_its_environment(source, cvmfs, tmp_path):
    (source / "src/RecoE2E").mkdir(parents=True)
    area = build("cvmfs", source, cvmfs)
    build("cvmfs", source, cvmfs)
    run(area, host="cvmfs", settings=cvmfs)
    scram = "el8_amd64_gcc12: scram"
    src = tmp_path / area / "CMSSW_14_0_22/src"
    once = [f"{scram} runtime -sh", f"{scram} build -j 1"]
    assert Path("calls").read_text().splitlines() == [
        f"{scram} project CMSSW_14_0_22",
        *once,
        *once,
        f"{scram} runtime -sh",
        f"{src}: {tmp_path}: cmsRun cfg.py code=0",
    ]
    assert (src / "RecoE2E").resolve() == source / "src/RecoE2E"
    assert read_json(area / "area.json")["release"] == "CMSSW_14_0_22"
    assert read_json(Path("logs/cmsRun.image.json"))["unpacked"] == cvmfs["cvmfs"]["image"]
    with pytest.raises(E2EError, match=r"ended with 71 \(a data format has no dictionary"):
        run(area, code=71, host="cvmfs", settings=cvmfs)


def test_cvmfs_build_that_fails_is_no_area(source, cvmfs):
    build("cvmfs", source, cvmfs)
    (Path(cmssw.CVMFS) / "tools/scram").write_text("#!/bin/bash\necho scram error: no such tool\nexit 1\n")
    with pytest.raises(E2EError, match="no such tool"):
        build("cvmfs", source, cvmfs)
    with pytest.raises(E2EError, match="not a complete cvmfs area"):
        run(Path("results/cmssw/cvmfs"), host="cvmfs", settings=cvmfs)


def test_cvmfs_dry_run_needs_no_cvmfs(source, capsys):
    build("cvmfs", source, CVMFS_SETTINGS, dry_run=True)
    [command] = [shlex.split(capsys.readouterr().out)]
    assert command[-3:-1] == ["bash", "-c"]
    for line in (
        "scram project CMSSW_14_0_22",
        "export SCRAM_ARCH=el8_amd64_gcc12",
        "ORT_DISABLE_TELEMETRY=1",
        "scram build -j 1",
    ):
        assert line in command[-1]
    assert "--bind=/cvmfs" in command


# Only containers need Apptainer; .ci/run installs it.
@pytest.mark.skipif(shutil.which("apptainer") is None, reason="apptainer is not installed")
def test_refused_user_namespaces_are_explained(source):
    """Apptainer really is refused: inside a user namespace that allows no further ones."""
    if subprocess.call(["unshare", "--user", "--map-root-user", "true"], stderr=subprocess.DEVNULL):
        # The refusal is staged inside a namespace, which must be allowed first.
        pytest.skip("this machine itself refuses user namespaces")
    apptainer_area("cpu")
    Path("results/cmssw/images/image.sif").mkdir(parents=True)  # a directory is an image, too
    (source / "attempt.py").write_text(
        "from pathlib import Path\nfrom e2e.deploy import cmssw\nfrom e2e.errors import E2EError\n"
        "try:\n"
        "    cmssw.run('apptainer', Path('results/cmssw/apptainer'), Path('cfg.py'), [], Path('log'), {})\n"
        "except E2EError as error:\n    print(error)\n"
    )
    script = f"echo 0 >/proc/sys/user/max_user_namespaces && {sys.executable} {source}/attempt.py"
    output = subprocess.run(
        ["unshare", "--user", "--map-root-user", "bash", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert "may not create user namespaces" in output
    assert "user.max_user_namespaces to 15000" in output


# Only containers need Apptainer; .ci/run installs it.
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apptainer") is None, reason="apptainer is not installed")
def test_image_scores_files_of_the_host(model, ntuple, tmp_path, monkeypatch):
    """The area built in the image gives ONNX Runtime's scores, on files in other folders of the host."""
    monkeypatch.chdir(tmp_path)
    images = REPOSITORY / "results/cmssw/images"  # an image that the workflow has made spares minutes
    if images.is_dir():
        Path("results/cmssw").mkdir(parents=True)
        Path("results/cmssw/images").symlink_to(images)
    area = build("apptainer", REPOSITORY / "cmssw")
    record = read_json(area / "area.json")["image"]
    assert record["sha256"] == sha256(area.parent / "images" / record["file"])

    cfg = REPOSITORY / "cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py"
    arguments = [f"inputFiles=file:{ntuple}", f"model={model}", f"outputFile={tmp_path}/scores.root"]
    cmssw.run("apptainer", area, cfg, arguments, Path("logs/cmsRun.log"), {})
    assert read_json(Path("logs/cmsRun.image.json")) == record
    key = ["run", "lumi", "event", "object"]
    cmsrun = read_tree("scores.root").set_index(key).sort_index()
    python = predict(model, ntuple, "scores.parquet").set_index(key).sort_index()
    assert len(cmsrun) == 39
    assert (cmsrun.index == python.index).all()
    assert np.abs(cmsrun["score"] - python["score"]).max() <= 1e-6
    assert np.ptp(cmsrun["score"]) > 1e-3

    cmssw.run("apptainer", area, Path("--version"), [], Path("version.log"), {})
    assert "standalone" in Path("version.log").read_text()
    with pytest.raises(
        E2EError, match=r"cmsRun ended with 84 \(an input file cannot be opened\): .*no_such\.root"
    ):
        cmssw.run("apptainer", area, cfg, ["inputFiles=file:no_such.root", *arguments[1:]], Path("log"), {})
    if not images.is_dir():
        shutil.rmtree(area.parent / "images")  # 0.5 GB, which pytest would keep for some runs
