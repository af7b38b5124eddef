"""StopNCII's FetchHashes answers.

The shape is that of the public client in facebook/ThreatExchange (python-threatexchange,
``exchanges/clients/stopncii``) and its test documents; the service's own description is not
public, and no live service was contacted.

A record has no id there: its type and hash are what it is. `Record.record_id` is made of them,
without the hash in it. ``hashStatus`` is what withdraws a record, for all its cases together;
one party's ``feedbackValue`` of the same name does not.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from fingerprint.errors import ListFormatError
from fingerprint.lists.entry_values import (
    changes_with_raw,
    id_of,
    instant_or_fault,
    name_of_hash,
    opinion_or_fault,
    text_of,
)
from fingerprint.lists.formats.base import DEFAULT_LIMITS, ListFormat, ListLimits
from fingerprint.lists.formats.json_stream import Entry, JsonDocument, changes_of_entries
from fingerprint.lists.records import Change, MediaKind, Opinion, Rejected, Retraction

__all__ = ["FORMAT", "StopNciiPage", "parse", "parse_page", "record_id_of"]

_SIGNAL_TYPES: dict[str, tuple[str, str, MediaKind]] = {
    "imagepdq": ("ImagePDQ", "pdq", "image"),
    "imagemd5": ("ImageMD5", "md5", "image"),
    "videomd5": ("VideoMD5", "md5", "video"),
    "videotmk": ("VideoTMK", "tmk_pdqf", "video"),
}
_NOT_MEDIA = {"text", "url"}
_WITHDRAWN = {"withdrawn", "deleted"}
_READ = {"hashValue", "lastModtimestamp", "CSPFeedbacks"}
_READ_OF_FEEDBACK = {"source", "feedbackValue", "tags"}


@dataclass(frozen=True, slots=True)
class StopNciiPage:
    """One answer of FetchHashes.

    Attributes
    ----------
    changes : tuple of Change
        In the order of the answer.
    next_page_token : str or None
        For the next page, verbatim; None where the answer has none.
    next_set_timestamp : int or None
        Where to start from next time, in seconds since 1970.
    has_more : bool
        Whether another page follows.
    count : int or None
        Records that the answer says it has.
    entries : int
        Records that it has.
    """

    changes: tuple[Change, ...] = field(repr=False)
    next_page_token: str | None
    next_set_timestamp: int | None
    has_more: bool
    count: int | None
    entries: int


def parse_page(
    body: bytes, *, name: str, source: str = "stopncii", limits: ListLimits = DEFAULT_LIMITS
) -> StopNciiPage:
    """Read one answer of FetchHashes.

    Raises
    ------
    ListFormatError
        It is not one, is cut short, or does not say whether more follows.
    """
    document = _document(io.BytesIO(body), name, limits)
    changes = tuple(changes_of_entries(document.entries(), source, _changes))
    token = document.text("nextPageToken")
    has_more = document.around.get("hasMoreRecords")
    if not isinstance(has_more, bool):
        raise ListFormatError(name, "hasMoreRecords: expected true or false")
    if has_more and not token:
        raise ListFormatError(name, "nextPageToken: expected text, as more records follow")
    return StopNciiPage(
        changes,
        token,
        document.count("nextSetTimestamp"),
        has_more,
        document.count("count"),
        document.rows,
    )


def parse(
    stream: BinaryIO, *, name: str, source: str = "stopncii", limits: ListLimits = DEFAULT_LIMITS
) -> Iterator[Change]:
    """Yield the changes of one answer in a file, record by record."""
    document = _document(stream, name, limits)
    yield from changes_of_entries(document.entries(), source, _changes)


def record_id_of(signal_type: str, hash_value: str) -> str:
    """Return the id that a record gets here."""
    known = _SIGNAL_TYPES.get(signal_type.strip().lower())
    return name_of_hash(known[0] if known else signal_type, hash_value)


def _document(stream: BinaryIO, name: str, limits: ListLimits) -> JsonDocument:
    return JsonDocument(stream, name=name, limits=limits, array="hashRecords")


def _changes(entry: Entry, source: str) -> Iterator[Change]:
    values = entry.value
    signal, value = values.get("signalType"), values.get("hashValue")
    if not (isinstance(signal, str) and isinstance(value, str) and signal and value.strip()):
        yield Rejected(entry.row, "signalType and hashValue: expected text", source)
        return
    record_id = id_of("signalType", record_id_of(signal, value))
    faults: list[str] = []
    seen = instant_or_fault("lastModtimestamp", values.get("lastModtimestamp"), faults)
    status = text_of(values.get("hashStatus"))
    if status.strip().lower() in _WITHDRAWN:
        for fault in faults:
            yield Rejected(entry.row, fault, source, record_id, whole=False)
        yield Retraction(source, record_id, seen, status)
        return
    known = _SIGNAL_TYPES.get(signal.strip().lower())
    if known is None:
        what = "not a media hash" if signal.lower() in _NOT_MEDIA else "not known here"
        yield Rejected(entry.row, f"signalType {signal[:40]!r}: {what}", source, record_id)
        return
    raw = {name: one for name, one in values.items() if name not in _READ}
    if faults:
        raw["lastModtimestamp"] = values["lastModtimestamp"]
    opinions = _opinions(values.get("CSPFeedbacks"), raw, faults)
    yield from changes_with_raw(
        entry.row,
        source,
        record_id,
        {known[1]: value},
        raw,
        faults,
        media=known[2],
        opinions=opinions,
        last_seen=seen,
    )


def _opinions(feedbacks: Any, raw: dict[str, Any], faults: list[str]) -> tuple[Opinion, ...]:
    """Return each party's feedback in its words; what is more in it goes to raw."""
    if feedbacks is None:
        return ()
    opinions: list[Opinion] = []
    whole = isinstance(feedbacks, list)
    for one in feedbacks if whole else ():
        tags = one.get("tags") if isinstance(one, dict) else None
        if not isinstance(one, dict) or not isinstance(tags, list | None):
            whole = False
            continue
        opinions += opinion_or_fault(
            text_of(one.get("source")),
            text_of(one.get("feedbackValue")),
            map(text_of, tags or ()),
            faults,
        )
        whole = whole and one.keys() <= _READ_OF_FEEDBACK
    if not whole:
        raw["CSPFeedbacks"] = feedbacks
    return tuple(opinions)


FORMAT = ListFormat("stopncii-json", "StopNCII FetchHashes answers", (), parse)
