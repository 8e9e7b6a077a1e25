"""The `e2e` command: the steps of the workflow, one by one, on a user's own files."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.errors import E2EError, Stopped, of_the_machine, stoppable
from e2e.files import local_path, text
from e2e.tasks import every, task
from e2e.version import version

if TYPE_CHECKING:
    from e2e.data.store import Metadata

REPOSITORY = Path(__file__).resolve().parents[2]


def _convert(arguments: argparse.Namespace) -> None:
    from contextlib import nullcontext

    from e2e.data.convert import cluster
    from e2e.data.sources import convert_file, convert_files

    chosen = task(arguments.task, arguments.channels)
    sources, output = arguments.sources, arguments.output
    dask = arguments.workers is not None or arguments.scheduler
    with cluster(arguments.workers, arguments.scheduler) if dask else nullcontext() as executor:
        options = {
            "sample": arguments.sample,
            "quarter_endcaps": arguments.quarter_endcaps,
            "own_columns": arguments.hcal_columns == "own",
            "label": arguments.label,
            "drop_empty": arguments.drop_empty_crops,
            "executor": executor,
        }
        if len(sources) == 1 and not output.is_dir():
            _say_written(output, convert_file(chosen, sources[0], output, **options))
            return
        broken = 0
        for path, found in convert_files(chosen, sources, output, **options):
            if isinstance(found, E2EError):
                broken += 1
                print(f"e2e: error: {found}", file=sys.stderr)
            else:
                _say_written(path, found)
    if broken:
        raise E2EError(f"{broken} of {len(sources)} files could not be converted; the others are in {output}")


def _say_written(path: Path, metadata: Metadata) -> None:
    print(f"{path}: written from {metadata.source}; rejected: {_counts(metadata.rejected)}")
    for about, note in metadata.notes.items():
        print(f"  {about}: {note}")


def _counts(rejected: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in rejected.items()) or "none"


def _inspect(arguments: argparse.Namespace) -> None:
    from e2e.report.inspect import inspect

    inspect(arguments.file, picture=arguments.picture)


def _simulate(arguments: argparse.Namespace) -> None:
    from e2e.simulation import simulate
    from e2e.simulation.detector import Detector

    simulate(
        arguments.output,
        arguments.task,
        arguments.sample,
        arguments.objects,
        arguments.seed,
        tracks=arguments.tracks,
        pileup=arguments.pileup,
        detector_seed=arguments.detector_seed,
        part=arguments.part,
        pt=arguments.pt,
        detector=Detector(arguments.material, arguments.pileup_mean),
    )


def _predict(arguments: argparse.Namespace) -> None:
    from e2e.deploy.contract import numbers_of
    from e2e.deploy.predict import predict

    table = predict(arguments.model, arguments.source, arguments.output, arguments.hcal_columns == "own")
    first, *_ = numbers_of(table)
    name, unit = first.name, "" if first.unit == "1" else f" {first.unit}"
    span = f"{name} {table[name].min():.4g} to {table[name].max():.4g}{unit}; " if len(table) else ""
    print(f"{arguments.output}: {len(table):,} rows; {span}rejected: {_counts(table.attrs['rejected'])}")


def _cmssw_settings(arguments: argparse.Namespace) -> tuple[str, Path, dict]:
    """Host, its area, and the `cmssw` part of the configuration."""
    if not (REPOSITORY / "cmssw").is_dir():
        raise E2EError("e2e cmssw builds a clone's cmssw/: install e2e from the clone, by pip install -e")
    from e2e.config import read

    config = read(arguments.config)
    host = arguments.host or config["cmssw"]["host"]
    return host, Path("results/cmssw") / host, config["cmssw"]


def _cmssw_build(arguments: argparse.Namespace) -> None:
    from e2e.deploy import cmssw

    host, area, settings = _cmssw_settings(arguments)
    log = area.with_name("logs") / f"{host}.log"
    cmssw.build(
        host, area, REPOSITORY / "cmssw", settings, os.cpu_count() or 1, log, dry_run=arguments.dry_run
    )


def _cmssw_run(arguments: argparse.Namespace) -> None:
    from e2e.deploy import cmssw

    host, area, settings = _cmssw_settings(arguments)
    log = Path("cmsRun.log").absolute()
    cmssw.run(host, area, arguments.cfg, arguments.options, log, settings, dry_run=arguments.dry_run)


def _add_hcal_columns(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--hcal-columns",
        choices=("ecal", "own"),
        default="ecal",
        help="columns of HBHE_energy: those of the ECAL, as MLAnalyzer writes it, or the HCAL's own, as this "
        "project did once",
    )


def _momenta(text: str) -> tuple[float, ...]:
    """A number, or the two ends of a range."""
    try:
        return tuple(float(number) for number in text.split("-"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no momentum: give one as 50, a spectrum as 20-100"
        ) from None


def _add_detector(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--pt",
        type=_momenta,
        metavar="GEV",
        help="of electrons and photons: transverse momentum, or a spectrum (default: 20-100)",
    )
    command.add_argument(
        "--material", type=float, default=1.0, metavar="X", help="of the tracker, times CMS's (default: 1)"
    )
    command.add_argument(
        "--pileup-mean",
        type=float,
        default=21.0,
        metavar="N",
        help="interactions beside the event (default: 21)",
    )
    command.add_argument(
        "--detector-seed",
        type=int,
        default=0,
        metavar="N",
        help="other random numbers for the detector alone (default: 0): events of equal number are the same "
        "particles of the same --seed",
    )
    command.add_argument("--part", type=text, help="only events of this part of the split, such as test")


class _Version(argparse.Action):
    """Asks git only where the version is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"e2e {version()}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="e2e", description=__doc__)
    parser.add_argument("--version", action=_Version, nargs=0, help="version, and commits since, and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "convert",
        help="RHTree ntuples (ROOT) or public image files to the sample store (parquet)",
        description="Cuts a crop around each photon or jet of RHTree ntuples, or takes those of public files "
        "(HDF5, parquet), and writes them as a sample store with labels and kinematics; prints what was left "
        "out, and why.",
        epilog="Example: e2e convert --task tau IN.root OUT.parquet",
    )
    command.add_argument("--task", required=True, choices=sorted(every()))
    command.add_argument("--channels", type=int, metavar="N", help="the task's first N (default: all)")
    command.add_argument(
        "--sample", type=text, help="name of the sample in the store (default: the file's stem)"
    )
    command.add_argument(
        "--quarter-endcaps",
        action="store_true",
        help="repeat the fault of the public jet files: ECAL endcaps coarser, with a quarter of their energy",
    )
    _add_hcal_columns(command)
    command.add_argument(
        "--drop-empty-crops",
        action="store_true",
        help="leave out crops of public electron/photon files without any hit (default: kept, and counted)",
    )
    command.add_argument(
        "--class",
        dest="label",
        type=text,
        metavar="NAME",
        help="of every object, for a sample that is a class, such as photon or jet",
    )
    command.add_argument("--workers", type=int, metavar="N", help="convert on Dask, in N processes here")
    command.add_argument(
        "--scheduler", type=text, metavar="ADDRESS", help="convert on the Dask cluster with this one"
    )
    command.add_argument("sources", type=local_path, nargs="+", metavar="IN")
    command.add_argument(
        "output",
        type=local_path,
        metavar="OUT",
        help="OUT.parquet, or a folder: one that is there, or, for several files, is made",
    )
    command.set_defaults(run=_convert)

    command = commands.add_parser(
        "inspect",
        help="schema, units, counts, ranges and a picture of a file",
        description="Prints what is in an ntuple (which analyzer wrote it, which tasks can use it), a sample "
        "store, a public file or a table of scores, and draws a picture of crops or of an event.",
        epilog="Example: e2e inspect IN.root --picture IN.png",
    )
    command.add_argument("file", type=local_path, metavar="FILE")
    command.add_argument(
        "--picture", type=local_path, help="where it goes (default: <stem>.png here, or <stem>-2.png)"
    )
    command.set_defaults(run=_inspect)

    simulated = {name: made for name, task in every().items() if (made := task.simulation)}
    command = commands.add_parser(
        "simulate",
        help="write an ntuple of simulated objects of a task",
        description="Writes an RHTree ntuple of events of this project's fast simulation, with truth, for "
        "electrons, photons and jets.",
        epilog="Example: e2e simulate --task tau --sample qcd --objects 100 --seed 1 OUT.root",
    )
    command.add_argument("--task", required=True, choices=sorted(simulated))
    command.add_argument(
        "--sample",
        required=True,
        type=text,
        help="; ".join(f"{name}: {', '.join(made.samples)}" for name, made in simulated.items()),
    )
    command.add_argument("--objects", required=True, type=int, help="how many, or a few more")
    command.add_argument("--seed", required=True, type=int, help="also the run number")
    command.add_argument(
        "--tracks",
        choices=("direction", "point"),
        default="direction",
        help="of jets: at their momentum's direction on the ECAL's face, as MLAnalyzer writes them, or at "
        "the point where they meet it",
    )
    command.add_argument(
        "--pileup",
        type=local_path,
        metavar="POOL.npz",
        help="of jets: a pool of collisions that files share, as the workflow makes it; by default the same "
        "small one is made for each file again, in some seconds",
    )
    _add_detector(command)
    command.add_argument("output", type=local_path, metavar="OUT.root")
    command.set_defaults(run=_simulate)

    command = commands.add_parser(
        "predict",
        help="scores of an exported model on an ntuple or a store file",
        description="Runs an exported model on each object of an ntuple or a sample store, as cmsRun does, "
        "and writes a table: identity, target, scores or masses, kinematics.",
        epilog="Example: e2e predict --model model.onnx IN.root OUT.parquet",
    )
    command.add_argument("--model", required=True, type=local_path, help="model.onnx, model.json beside it")
    _add_hcal_columns(command)
    command.add_argument("source", type=local_path, metavar="IN.root")
    command.add_argument("output", type=local_path, metavar="OUT.parquet")
    command.set_defaults(run=_predict)

    steps = commands.add_parser("cmssw", help="build the CMSSW area, or run cmsRun in it").add_subparsers(
        required=True, metavar="STEP"
    )
    build = steps.add_parser(
        "build",
        help="build RecoE2E into results/cmssw/HOST",
        description="Builds the CMSSW packages for a host: standalone, in a container, or in a release of "
        "cvmfs; what the compiler says goes to results/cmssw/logs/HOST.log.",
        epilog="Example: e2e cmssw build --host standalone",
    )
    build.set_defaults(run=_cmssw_build)
    run = steps.add_parser(
        "run",
        help="cmsRun CFG.py NAME=VALUE ... in that area; its output goes to cmsRun.log",
        description="Runs cmsRun of a built area in the working directory; its output goes to cmsRun.log "
        "there, which is named where it fails.",
        epilog="Example: e2e cmssw run cmssw/src/RecoE2E/Taggers/test/e2e_cfg.py inputFiles=file:IN.root "
        "model=model.onnx",
    )
    run.set_defaults(run=_cmssw_run)
    for command in (build, run):
        command.add_argument("--host", choices=("standalone", "apptainer", "cvmfs"), help="default: config")
        command.add_argument("--config", type=local_path, default=REPOSITORY / "config.yaml")
        command.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    run.add_argument("cfg", type=local_path, metavar="CFG.py")
    run.add_argument("options", type=text, nargs="*", metavar="NAME=VALUE")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; bad input prints one line on stderr and returns 1, a signal 128 and its number."""
    try:
        arguments = _parser().parse_args(argv)
        with of_the_machine(), stoppable():
            arguments.run(arguments)
            sys.stdout.flush()
    except E2EError as error:
        print(f"e2e: error: {error}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print(f"e2e: {stopped}", file=sys.stderr)
        return stopped.code
    return 0
