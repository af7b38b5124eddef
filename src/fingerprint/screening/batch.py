"""Many uploads, in order, on several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Self

from fingerprint.hashing import ResultStream
from fingerprint.screening.evidence import ScreeningResult

if TYPE_CHECKING:
    from fingerprint.screening.examination import Examination
    from fingerprint.screening.media_kind import MediaChoice
    from fingerprint.screening.screener import Screener
    from fingerprint.typing import ImageSource

__all__ = ["ScreeningStream"]


class ScreeningStream:
    """Results of `Screener.screen_many` as they are made; can be iterated once.

    Uploads are read, hashed and looked up on several threads, a few at a time. Floods are
    counted and the audit log is written where it is iterated: in the order of the sources,
    and for what was given out alone.

    Leaving it before its end, by `close`, a ``with`` block or an exception from ``progress``,
    cancels what has not begun.
    """

    def __init__(
        self,
        screener: Screener,
        sources: Iterable[ImageSource],
        media: MediaChoice,
        workers: int,
        progress: Callable[[int], object] | None,
    ) -> None:
        def examine(source: ImageSource) -> Examination:
            return screener.examine(screener.request(source, media), alongside=workers == 1)

        self._screener = screener
        self._examined = ResultStream(sources, examine, workers, None, threading.Event())
        self._progress = progress
        self._done = 0

    def __iter__(self) -> Iterator[ScreeningResult]:
        return self

    def __next__(self) -> ScreeningResult:
        result = self._screener.finish(next(self._examined))
        self._done += 1
        if self._progress is not None:
            try:
                self._progress(self._done)
            except BaseException:
                self.close()
                raise
        return result

    def collect(self) -> list[ScreeningResult]:
        """Return all results that are left."""
        return list(self)

    def close(self) -> None:
        """Cancel what has not begun and wait for what has."""
        self._examined.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
