"""Converts whatever a sample comes as to the sample store: ntuples or public image files, one or many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from coffea.processor.executor import ExecutorBase

from e2e.data import convert, public
from e2e.data.store import STORE, Metadata
from e2e.errors import E2EError
from e2e.files import MARK, local_path, output_path
from e2e.tasks import Task


def convert_file(
    task: Task,
    source: Path,
    output: Path,
    sample: str | None = None,
    progress: bool = True,
    quarter_endcaps: bool = False,
    executor: ExecutorBase | None = None,
    part: str | None = None,
    own_columns: bool = False,
    label: str | None = None,
    drop_empty: bool = False,
) -> Metadata:
    """Convert one file by what it holds: see ``convert.samples`` for ntuples, ``public.convert`` for others.

    ``part`` and ``drop_empty`` are for public files, what ``public.convert`` does not take is for ntuples.
    Raises E2EError as these do, and where the output would replace the source, or a file that is no store,
    or cannot be written.
    """
    source = local_path(source)
    output_path(output, source, kind=STORE)
    if not public.is_image_file(source):
        if drop_empty:
            raise E2EError(f"{source}: only crops of public files can be empty; drop none")
        return convert.convert(
            task,
            source,
            output,
            sample=sample,
            progress=progress,
            quarter_endcaps=quarter_endcaps,
            executor=executor,
            own_columns=own_columns,
            label=label,
        )
    for said, what in (
        (quarter_endcaps, "endcaps be quartered; public jet files came so"),
        (own_columns, "towers be in columns of their own"),
        (label, "all objects be of one class; a public file tells the class of each"),
    ):
        if said:
            raise E2EError(f"{source}: only of an ntuple can {what}")
    return public.convert(task, source, output, sample, part=part, progress=progress, drop_empty=drop_empty)


def convert_files(
    task: Task, sources: Sequence[Path], folder: Path, **options: object
) -> Iterator[tuple[Path, Metadata | E2EError]]:
    """Convert each of ``sources`` to <name without suffix>.parquet in ``folder``.

    Yields the path of each store, with its metadata or with what is wrong with its source: one broken file
    does not keep the others from being converted. ``options`` are those of ``convert_file``. Raises
    E2EError, before any file is converted, when two of them would be written to one, or ``folder`` is none
    and cannot be made.
    """
    if not folder.is_dir() and (folder.exists() or folder.suffix in STORE.suffixes):
        output_path(folder, kind=STORE)
        raise E2EError(f"{folder}: {len(sources)} files are converted into a folder; name one")
    outputs: dict[Path, Path] = {}
    for source in sources:
        output = folder / f"{source.stem}.parquet"
        if output in outputs:
            raise E2EError(f"{source} and {outputs[output]} would both be written to {output}; rename one")
        outputs[output] = source
    output_path(folder / MARK)  # it can be made, and written
    for output, source in outputs.items():
        try:
            output_path(output, *sources)
            yield output, convert_file(task, source, output, **options)
        except E2EError as error:
            yield output, error
