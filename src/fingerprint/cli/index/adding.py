"""``fingerprint index create`` and ``add``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

import fingerprint as fp
from fingerprint.cli.common import (
    FAILURES_SHOWN,
    algorithm_option,
    errors,
    existing_paths,
    few,
    find_pictures,
    hashing_options,
    progress_bar,
    report_failures,
)
from fingerprint.cli.index.options import (
    index_argument,
    is_utf8,
    key_value_option,
    view_ids,
    without_fidelity,
)
from fingerprint.views.image_index import BETWEEN, VIEW_OF, VIEWS

__all__ = ["add", "create"]

BATCH = 1000
"""Pictures that are hashed before they are added: what an interrupt could cost."""


@click.command()
@index_argument
@algorithm_option
@click.option("--backend", default="auto", show_default=True, help="How it is searched.")
@click.option(
    "--bits",
    type=click.IntRange(1),
    help="Bits of a hash, for an algorithm that only lists have, not this program.",
)
def create(index_path: Path, algorithm: str, backend: str, bits: int | None) -> None:
    """Make an empty index."""
    try:
        index = fp.Index.create(index_path, algorithm, bits=bits, backend=backend)
    except ValueError as error:
        if isinstance(error, fp.FingerprintError):
            raise
        raise click.UsageError(str(error)) from error
    with index:
        click.echo(f"made {index_path}: {index.algorithm}, {index.bits} bits")


@click.command()
@index_argument
@existing_paths
@hashing_options
@click.option(
    "--existing",
    type=click.Choice(["skip", "replace", "error"]),
    default="skip",
    show_default=True,
    help="What to do with paths that are in the index already; replace: their metadata too.",
)
@click.option(
    "--views",
    is_flag=True,
    help="Also store views of each picture, some 45 hashes: found when a large part is cut off.",
)
@key_value_option("--metadata", "Stored with each picture.")
def add(
    index_path: Path,
    paths: tuple[Path, ...],
    existing: str,
    views: bool,
    metadata: dict[str, Any],
    all_files: bool,
    **options: Any,
) -> int:
    """Hash pictures into an index; their paths are the ids.

    They are added a thousand at a time: all of those or, on an error, none, and safe
    from a power cut once added. An interrupt keeps what is hashed by then, and says how
    many; the same command goes on from there. With `--existing error` all paths are looked
    up first, and nothing is added when one is there already. With --views each picture
    is added by itself, with its views.

    Exit status 2 when a picture could not be read; the others are added.
    """
    for key in (VIEWS, VIEW_OF):
        if key in metadata:
            raise click.UsageError(f"--metadata: {key!r} is where the names of views are kept")
    if views:
        options = without_fidelity(options)

    def found(*, tell: bool) -> Iterator[str]:
        return find_pictures(paths, all_files=all_files, tell=tell)

    with fp.Index.open(index_path) as index:
        if existing == "error":
            _refuse_known(index, found(tell=False))
        kind = _ViewAdder if views else _Adder
        adder = kind(index, metadata, skip=existing == "skip")
        total = sum(1 for _ in found(tell=False)) if errors.is_terminal else None
        with progress_bar() as bar:
            task = bar.add_task("hashing", total=total)
            adder.run(found(tell=True), options, lambda: bar.advance(task))
        adder.tell()
    return 2 if adder.n_failed else 0


def _refuse_known(index: fp.Index, pictures: Iterable[str]) -> None:
    known = [picture for picture in pictures if picture in index]
    if known:
        raise click.ClickException(
            f"{len(known)} paths are in the index already, nothing was added: {few(known)}"
        )


class _Adder:
    """Pictures on their way into an index, in batches."""

    _kept = ""

    def __init__(self, index: fp.Index, metadata: dict[str, Any], *, skip: bool) -> None:
        self.n_failed = 0
        self._index = index
        self._metadata = metadata
        self._skip = skip
        self._n_added = self._n_skipped = 0
        self._failures: list[fp.Failure] = []
        self._batch: dict[str, fp.Hash] = {}
        self._asked: set[str] = set()

    def run(
        self, pictures: Iterable[str], options: dict[str, Any], tick: Callable[[], object]
    ) -> None:
        """Hash pictures and add them; after an interrupt, those that are hashed."""
        try:
            self._add_all(self._wanted(pictures, tick), options, tick)
            self._flush()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                self._flush()
            self.tell()
            raise

    def _add_all(
        self, pictures: Iterator[str], options: dict[str, Any], tick: Callable[[], object]
    ) -> None:
        with fp.hash_images(pictures, self._index.algorithm, **options) as results:
            for result in results:
                self._take(result)
                tick()

    def tell(self) -> None:
        """Say what was done."""
        skipped = f", {self._n_skipped} were there already{self._kept}" if self._n_skipped else ""
        n = len(self._index)
        click.echo(f"added {self._n_added} pictures{skipped}; {n} entries now")
        report_failures(self._failures, self.n_failed)

    def _wanted(self, pictures: Iterable[str], tick: Callable[[], object]) -> Iterator[str]:
        for picture in pictures:
            if picture in self._asked:  # Twice on the command line.
                tick()
            elif self._skip and picture in self._index:
                self._n_skipped += 1
                tick()
            elif self._is_a_view(picture):
                error = fp.DecodeError(picture, "its name is that of a stored picture's view")
                self._fail(fp.Failure(picture, error))
                tick()
            elif not is_utf8(picture):
                error = fp.DecodeError(picture, "its name is not UTF-8: no id for an index")
                self._fail(fp.Failure(picture, error))
                tick()
            else:
                self._asked.add(picture)
                yield picture

    def _is_a_view(self, name: str) -> bool:
        return BETWEEN in name and name in self._index and VIEW_OF in self._index.get(name).metadata

    def _take(self, result: fp.HashedImage | fp.Failure) -> None:
        if isinstance(result, fp.Failure):
            self._fail(result)
            return
        self._batch[result.source] = result.hash
        if len(self._batch) >= BATCH:
            self._flush()

    def _fail(self, failure: fp.Failure) -> None:
        self.n_failed += 1
        self._asked.discard(failure.source)
        if len(self._failures) < FAILURES_SHOWN:
            self._failures.append(failure)

    def _flush(self) -> None:
        # An upsert also where nothing is replaced: one that an interrupt cut off is repeated.
        if self._batch:
            each = [self._metadata] * len(self._batch) if self._metadata else None
            with self._index.transaction():
                # Or nobody would know any more whose they are.
                self._index.remove(view_ids(self._index, self._batch))
                self._index.upsert(list(self._batch), list(self._batch.values()), each)
            self._n_added += len(self._batch)
            self._asked -= self._batch.keys()
            self._batch = {}


class _ViewAdder(_Adder):
    """Pictures on their way into an index with their views, one by one."""

    _kept = " and stay as they are (--existing replace stores their views)"

    def _add_all(
        self, pictures: Iterator[str], options: dict[str, Any], tick: Callable[[], object]
    ) -> None:
        index = fp.ImageIndex.over(self._index)
        for picture in pictures:
            try:
                if BETWEEN in picture:
                    raise fp.DecodeError(
                        picture, f"its name has {BETWEEN!r} in it: no id with views"
                    )
                index.add(picture, picture, self._metadata, overwrite=True, **options)
                self._n_added += 1
            except fp.DecodeError as error:
                self._fail(fp.Failure(picture, error))
            tick()
