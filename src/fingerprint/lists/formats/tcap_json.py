"""Tech Against Terrorism's hash list (TCAP).

The shape is that of the public client in facebook/ThreatExchange (python-threatexchange,
``exchanges/clients/techagainstterrorism``) and its test documents; no live service was contacted.

``created_on`` comes there as a time without its zone, such as ``2025-03-03 23:05:22,587``. Such a
time is kept in ``raw`` and not told of for every record; an unreadable ``updated_on`` is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from fingerprint.lists.entry_values import (
    changes_with_raw,
    id_of,
    instant_or_fault,
    text_of,
    truth_of,
)
from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.formats.json_stream import Entry, JsonDocument, changes_of_entries
from fingerprint.lists.records import Change, MediaKind, Rejected, Retraction

__all__ = ["FORMAT", "TcapPage", "parse", "parse_page"]

_ALGORITHMS = {"md5": "md5", "sha256": "sha256", "sha512": "sha512", "sha1": "sha1", "pdq": "pdq"}
_IMAGES = {"jpg", "jpeg", "png", "gif", "bmp", "webp", "tif", "tiff", "heic", "heif", "avif"}
_VIDEOS = {"mp4", "m4v", "mov", "avi", "mkv", "webm", "mpg", "mpeg", "wmv", "flv", "3gp", "ts"}
_READ = {"id", "hash_digest", "ideology", "deleted"}


@dataclass(frozen=True, slots=True)
class TcapPage:
    """One answer of the hash list.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the answer.
    next : str or None
        The URL of the next page, verbatim; None on the last.
    checkpoint : object
        Where to go on from, as it came, usually text of ``{time},{id}``; None without one.
    count : int or None
        Entries that the answer says there are: of the whole list, not of the page.
    entries : int
        Entries that it has.
    """

    changes: tuple[Change, ...] = field(repr=False)
    next: str | None
    checkpoint: Any
    count: int | None
    entries: int


def parse_page(
    body: bytes, *, name: str, source: str = "tcap", limits: ListLimits = DEFAULT_LIMITS
) -> TcapPage:
    """Read one answer of the hash list.

    Raises
    ------
    ListFormatError
        It is not one, or is cut short.
    """
    document = JsonDocument(io.BytesIO(body), name=name, limits=limits, array="results")
    changes = tuple(changes_of_entries(document.entries(), source, _changes))
    return TcapPage(
        changes,
        document.text("next"),
        document.around.get("checkpoint"),
        document.count("count"),
        document.rows,
    )


def parse(
    stream: BinaryIO, *, name: str, source: str = "tcap", limits: ListLimits = DEFAULT_LIMITS
) -> Iterator[Change]:
    """Yield the changes of one answer in a file, entry by entry."""
    document = JsonDocument(stream, name=name, limits=limits, array="results")
    yield from changes_of_entries(document.entries(), source, _changes)


def _changes(entry: Entry, source: str) -> Iterator[Change]:
    values = entry.value
    record_id = id_of("id", values.get("id"))
    faults: list[str] = []
    updated = instant_or_fault("updated_on", values.get("updated_on"), faults)
    try:
        is_deleted = truth_of("deleted", values.get("deleted"))
    except ValueError as error:
        yield Rejected(entry.row, str(error), source, record_id)
        return
    if is_deleted:
        for fault in faults:
            yield Rejected(entry.row, fault, source, record_id, whole=False)
        yield Retraction(source, record_id, updated, "deleted")
        return
    algorithm = text_of(values.get("algorithm"))
    kind = _ALGORITHMS.get(algorithm.strip().lower().replace("-", ""))
    if kind is None:
        reason = f"algorithm {algorithm[:40]!r}: expected one of {', '.join(_ALGORITHMS)}"
        yield Rejected(entry.row, reason, source, record_id)
        return
    read = set(_READ)
    if not faults:
        read.add("updated_on")
    created = instant_or_fault("created_on", values.get("created_on"), [])
    if created is not None:
        read.add("created_on")
    yield from changes_with_raw(
        entry.row,
        source,
        record_id,
        {kind: values.get("hash_digest")},
        {name: one for name, one in values.items() if name not in read},
        faults,
        media=_media(text_of(values.get("file_type"))),
        category=text_of(values.get("ideology")),
        first_seen=created,
        last_seen=updated,
    )


def _media(file_type: str) -> MediaKind:
    """Return what a suffix or media type tells of."""
    kind, slash, _ = file_type.strip().lower().partition("/")
    suffix = kind.lstrip(".")
    if (slash and kind == "image") or suffix in _IMAGES or suffix == "image":
        return "image"
    if (slash and kind == "video") or suffix in _VIDEOS or suffix == "video":
        return "video"
    return "unknown"


FORMAT = ListFormat("tcap-json", "Tech Against Terrorism's hash list", (), parse)
