"""Of when the files of an import are, and whose their records."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import click

from fingerprint.cli.lists.options import time_text
from fingerprint.cli.lists.reporting import warn
from fingerprint.lists import Change, HashList, Rejected

__all__ = ["Owners", "refuse_older"]


def refuse_older(found: HashList, feed: str, at: datetime | None, *, older: bool) -> None:
    """Refuse files that are older than what a feed was last read at, unless that is meant."""
    known = next((one.refreshed_at for one in found.feeds() if one.name == feed), None)
    when = at or datetime.now(UTC)
    if older or not feed or known is None or when >= known:
        return
    raise click.UsageError(
        f"--as-of: these files are of {time_text(when)}, and the feed {feed!r} was last read at "
        f"{time_text(known)}: an older file would bring back what was withdrawn since; --older "
        "if it is meant"
    )


class Owners:
    """Whose the records are: what the rows say, or --source."""

    def __init__(self, given: str | None) -> None:
        self._given = given
        # Nobody is called so: rows that say nothing are told by it.
        self.default = given or f"nobody-{uuid.uuid4().hex}"
        self._rows = self._owned = 0

    def watch(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield changes; UsageError at one that is nobody's."""
        for change in changes:
            if change.source == self.default or change.source.startswith(f"{self.default}/"):
                self._owned += 1
                if self._given is None:
                    if not isinstance(change, Rejected):
                        raise click.UsageError("--source: say whose records these are")
                    change = replace(change, source="")
            self._rows += not isinstance(change, Rejected)
            yield change

    def tell(self) -> None:
        """Say when --source was of no use."""
        if self._given and self._rows and not self._owned:
            warn(f"--source {self._given} had no effect: every row says whose it is")
