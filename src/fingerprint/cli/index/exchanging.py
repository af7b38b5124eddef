"""``fingerprint index export`` and ``import``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

import fingerprint as fp
from fingerprint.cli.common import errors, progress_bar
from fingerprint.cli.index.lists import read_list
from fingerprint.cli.index.options import index_argument, is_utf8

__all__ = ["export", "import_"]

_FORMATS = {
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".faiss", ".index", ".bin"), "faiss"),
    **dict.fromkeys((".txt", ".csv", ".hex"), "hex"),
}


@click.command()
@index_argument
@click.argument("path", metavar="PATH.parquet", type=click.Path(dir_okay=False, path_type=Path))
def export(index_path: Path, path: Path) -> None:
    """Write all entries to a Parquet file.

    It takes the place of one that is there, holds whole hashes, and is readable by its
    owner alone.
    """
    if _FORMATS.get(path.suffix.lower()) != "parquet":
        raise click.UsageError(f"{path}: expected a name that ends in .parquet")
    n = 0

    def show(done: int) -> None:
        nonlocal n
        n = done
        bar.update(task, completed=done)

    with fp.Index.open(index_path, read_only=True) as index, progress_bar() as bar:
        task = bar.add_task("writing", total=len(index))
        index.export_parquet(path, progress=show)
    click.echo(f"wrote {n} entries to {path}")


@click.command(name="import")
@index_argument
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--format",
    "chosen",
    type=click.Choice(["parquet", "faiss", "hex"]),
    help="By suffix otherwise: .parquet, .pq; .faiss, .index, .bin; .txt, .csv, .hex.",
)
@click.option(
    "--prefix",
    help="For hashes without ids: an id is this and the line number in a hex list, FILE: by "
    "default; or this and FAISS's number, faiss: by default.",
)
def import_(
    index_path: Path, files: tuple[Path, ...], chosen: str | None, prefix: str | None
) -> None:
    """Add entries from Parquet, FAISS or lists of hex.

    Each file is added whole or, on an error, not at all.

    A hex list has a hash a line, or hash,quality; or it is a CSV that starts with the line
    id,hash or id,hash,quality. FAISS reads its binary indexes itself and trusts them: import
    none that strangers made.
    """
    formats = [chosen or _FORMATS.get(path.suffix.lower()) for path in files]
    for path, name in zip(files, formats, strict=True):
        if name is None:
            raise click.UsageError(
                f"{path}: say --format, its suffix is none of {', '.join(_FORMATS)}"
            )
        if name == "hex" and prefix is None and not is_utf8(path.name):
            raise click.UsageError(f"{path}: say --prefix, its name is not UTF-8")
    if prefix is not None and (prefix == "#" or not is_utf8(prefix)):
        raise click.UsageError("--prefix: expected UTF-8, and not # alone, as the index's own ids")
    with fp.Index.open(index_path) as index:
        for path, name in zip(files, formats, strict=True):
            with progress_bar() as bar:
                task = bar.add_task("reading", total=_total(path, name))
                n = _import(index, path, name, prefix, lambda i: bar.update(task, completed=i))  # noqa: B023 - used up at once
            click.echo(f"added {n} entries of {path}; {len(index)} now")


def _import(
    index: fp.Index,
    path: Path,
    name: str | None,
    prefix: str | None,
    progress: Callable[[int], object],
) -> int:
    if name == "parquet":
        return index.import_parquet(path, progress=progress)
    if name == "faiss":
        if prefix is None:
            return index.import_faiss(path, progress=progress)
        return index.import_faiss(path, prefix=prefix, progress=progress)
    return _import_list(index, path, f"{path.name}:" if prefix is None else prefix, progress)


def _total(path: Path, name: str | None) -> int | None:
    """Return how many entries a list has at most, for a progress bar; None for not known."""
    if name != "hex" or not errors.is_terminal:
        return None
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) + 1


def _import_list(
    index: fp.Index, path: Path, prefix: str, progress: Callable[[int], object]
) -> int:
    n = 0
    kind = (index.algorithm, index.version, index.bits)
    with index.transaction():
        for batch in read_list(path, kind, prefix):
            try:
                index.add(batch.ids, batch.hashes)
            except fp.DuplicateIdError as error:
                raise click.ClickException(
                    f"{path}, lines {batch.first} to {batch.last}: {error}; nothing of it was added"
                ) from error
            n += len(batch.ids)
            progress(n)
    return n
