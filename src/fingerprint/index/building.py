"""A segment in the making: written in a thread of its own while SQL goes on."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from fingerprint.index import durable
from fingerprint.index.segments import SEGMENTS, Segment, open_segment, write_segment

if TYPE_CHECKING:
    from fingerprint.index.catalog import Catalog
    from fingerprint.index.view import Part, Rows

__all__ = ["Built"]


class Built:
    """A segment of n rows that is being written, or is; none for no rows."""

    def __init__(self, catalog: Catalog, chunks: Iterable[Rows], n: int) -> None:
        self._catalog = catalog
        self._done: Future[tuple[Segment, Part]] | None = None
        if n:
            executor = ThreadPoolExecutor(1, "fingerprint-build")
            self._done = executor.submit(self._write, chunks, n)
            executor.shutdown(wait=False)

    def segment(self) -> Segment | None:
        """Wait for it and return it as the manifest lists it; raise what went wrong."""
        return None if self._done is None else self._done.result()[0]

    def part(self) -> Part | None:
        """Wait for it and return it as a search sees it; raise what went wrong."""
        return None if self._done is None else self._done.result()[1]

    def remove_unless(self, listed: set[str]) -> None:
        """Remove it from the disk, unless the manifest lists it."""
        if self._done is None or self._done.exception() is not None:
            return
        name = self._done.result()[0].name
        if name not in listed:
            self._remove(name)

    def _write(self, chunks: Iterable[Rows], n: int) -> tuple[Segment, Part]:
        catalog = self._catalog
        segment = write_segment(catalog.directory, catalog.facts, chunks, n)
        try:
            return segment, open_segment(
                catalog.directory, catalog.facts, segment, catalog.residency
            )
        except BaseException:
            self._remove(segment.name)
            raise

    def _remove(self, name: str) -> None:
        durable.remove_folder(self._catalog.directory / SEGMENTS / name)
