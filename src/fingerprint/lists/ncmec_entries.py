"""Entries of NCMEC's Hash Sharing XML, one at a time: no DTD, no entities, bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError

from fingerprint.errors import FingerprintError, ListFormatError
from fingerprint.lists.entry_values import (
    changes_with_raw,
    id_of,
    instant_or_fault,
    opinion_or_fault,
)
from fingerprint.lists.formats.base import ListLimits
from fingerprint.lists.formats.json_stream import EntryStream
from fingerprint.lists.records import Change, MediaKind, Opinion, Rejected, Retraction

__all__ = ["NAMESPACE", "EntryReader", "elements_of", "local_name"]

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"

_ENTRIES: dict[str, MediaKind] = {"image": "image", "video": "video"}
_DELETED = {"deletedImage", "deletedVideo"}
_FINGERPRINTS = {
    "md5": "md5",
    "sha1": "sha1",
    "sha256": "sha256",
    "sha512": "sha512",
    "pdna": "photodna",
    "photodna": "photodna",
    "pdq": "pdq",
}
_READ_ALL = {"fingerprints", "feedback"}
_READ = {"member", "timestamp", "id", "classification"} | _READ_ALL

MOST_ELEMENTS = 100_000
"""In one entry; an empty one takes 20 times its bytes in memory."""

LONGEST_PIECE = 1 << 20


class EntryReader:
    """The changes in one answer of ``/v2/entries``, read once.

    Parameters
    ----------
    stream : BinaryIO
        XML.
    name : str
        What messages call it.
    source : str
        Prefix of each record's source.
    limits : ListLimits
        What it may ask for.
    """

    def __init__(self, stream: BinaryIO, *, name: str, source: str, limits: ListLimits) -> None:
        self.next: str | None = None
        self.max_timestamp: datetime | None = None
        self.count: int | None = None
        self.rows = 0
        """Entries so far."""
        self._name = name
        self._source = source
        self._stream = EntryStream(stream, name, limits)
        self._limits = limits

    def changes(self) -> Iterator[Change]:
        """Yield them in order.

        Raises
        ------
        ListFormatError
            It is not such an answer, is cut short, past a limit, or of another version.
        """
        path: list[Element] = []
        for event, element in _events(self._stream, self._name, self._limits):
            if event == "start":
                if not path:
                    _require_root(element, "queryResult", self._name)
                path.append(element)
                if len(path) == 2:
                    yield from self._group(element)
                continue
            path.pop()
            if len(path) == 2 and local_name(path[1]) != "paging":
                self.rows += 1
                self._stream.mark()
                yield from self._entry(element)
                path[1].remove(element)
            elif len(path) == 1:
                yield from self._group_end(element)
                path[0].remove(element)

    def _group(self, element: Element) -> Iterator[Change]:
        """Note what images or videos say of themselves."""
        count = element.get("count", "").strip()
        if count:
            if not (count.isascii() and count.isdecimal() and len(count) < 19):
                raise ListFormatError(self._name, f"count: expected a whole number, got {count!r}")
            self.count = (self.count or 0) + int(count)
        faults: list[str] = []
        latest = instant_or_fault("maxTimestamp", element.get("maxTimestamp"), faults)
        if latest is not None:
            self.max_timestamp = max(latest, self.max_timestamp or latest)
        for fault in faults:
            yield Rejected(self.rows + 1, fault, self._source, whole=False)

    def _group_end(self, element: Element) -> Iterator[Change]:
        kind = local_name(element)
        if kind == "paging":
            following = [one for one in element if local_name(one) == "next"]
            if len(following) > 1:
                raise ListFormatError(self._name, "paging: expected one next, got more")
            self.next = (following[0].text or "").strip() or None if following else None
        elif kind not in ("images", "videos"):
            reason = f"element {kind[:40]!r}: not known here"
            yield Rejected(self.rows + 1, reason, self._source, whole=False)

    def _entry(self, element: Element) -> Iterator[Change]:
        try:
            changes = list(_changes(element, self.rows, self._source))
        except (FingerprintError, ValueError) as error:
            yield Rejected(self.rows, str(error), self._source)
            return
        yield from changes


def _changes(element: Element, row: int, source: str) -> Iterator[Change]:
    kind = local_name(element)
    parts = {local_name(one): one for one in reversed(element)}
    member = parts.get("member")
    if member is None:
        raise ValueError(f"{kind[:40]}: expected a member")
    source = id_of("member", f"{source}/{id_of('member id', member.get('id'))}")
    record_id = id_of("id", parts["id"].text if "id" in parts else None)
    faults: list[str] = []
    timestamp = (parts["timestamp"].text or "").strip() if "timestamp" in parts else ""
    seen = instant_or_fault("timestamp", timestamp, faults)
    if kind in _DELETED:
        for fault in faults:
            yield Rejected(row, fault, source, record_id, whole=False)
        yield Retraction(source, record_id, seen, kind)
        return
    if kind not in _ENTRIES:
        yield Rejected(row, f"element {kind[:40]!r}: not known here", source, record_id)
        return
    raw: dict[str, Any] = {}
    if (member.text or "").strip():
        raw["member"] = (member.text or "").strip()
    if faults:
        raw["timestamp"] = timestamp
    for one in element:
        name = local_name(one)
        if name not in _READ or (name not in _READ_ALL and one is not parts[name]):
            raw.setdefault("elements", {}).setdefault(name, []).append(_plain(one))
    hashes = _hashes(element, raw)
    opinions = _opinions(element, raw, faults)
    classification = parts.get("classification")
    yield from changes_with_raw(
        row,
        source,
        record_id,
        hashes,
        raw,
        faults,
        media=_ENTRIES[kind],
        category="" if classification is None else (classification.text or "").strip(),
        opinions=opinions,
        last_seen=seen,
    )


def _hashes(entry: Element, raw: dict[str, Any]) -> dict[str, str]:
    """Return hashes by type; unknown fingerprints go to raw, and links only by name."""
    hashes: dict[str, str] = {}
    for one in _inside(entry, "fingerprints"):
        name, value = local_name(one), (one.text or "").strip()
        kind = _FINGERPRINTS.get(name.lower())
        if one.get("href") is not None:
            raw.setdefault("linked_fingerprints", []).append(name)
        elif value and kind is not None and hashes.setdefault(kind, value) == value:
            continue
        elif value or len(one) or one.attrib:
            raw.setdefault("other_fingerprints", {}).setdefault(name, []).append(_plain(one))
    return hashes


def _opinions(entry: Element, raw: dict[str, Any], faults: list[str]) -> tuple[Opinion, ...]:
    """Return who said what; the tags are the fingerprint's type and the reasons, verbatim.

    Members stand in the order of the document after the reasons that they gave, or within them.
    """
    opinions: list[Opinion] = []
    for sentiment in _inside(entry, "feedback"):
        value = local_name(sentiment).removesuffix("Feedback")
        kinds = [kind] if (kind := sentiment.get("type")) else []
        reasons: list[str] = []
        is_after_members = is_said = False
        for one in sentiment.iter():
            if local_name(one) == "reason":
                reasons = [] if is_after_members else reasons
                is_after_members = False
                reasons.append(one.get("name") or one.get("guid") or (one.text or "").strip())
            elif local_name(one) == "member":
                is_after_members = is_said = True
                by = one.get("id") or (one.text or "").strip()
                opinions += opinion_or_fault(by, value, [*kinds, *reasons], faults)
        if not is_said:
            opinions += opinion_or_fault("", value, [*kinds, *reasons], faults)
    for one in entry:
        if local_name(one) == "feedback" and one.get("lastUpdateTimestamp"):
            raw["feedback_updated"] = one.get("lastUpdateTimestamp")
    return tuple(opinions)


def _inside(entry: Element, name: str) -> list[Element]:
    """Return what is in an entry's elements of a name."""
    return [one for group in entry if local_name(group) == name for one in group]


def _plain(element: Element) -> Any:
    """Return an element as text, or as an object where it is more; never a link's target."""
    text = (element.text or "").strip()
    if not element.attrib and not len(element):
        return text
    plain: dict[str, Any] = {
        "@" + name: "" if name.endswith("href") else value for name, value in element.attrib.items()
    }
    if text:
        plain["text"] = text
    for one in element:
        plain.setdefault(local_name(one), []).append(_plain(one))
    return plain


def local_name(element: Element) -> str:
    """Return an element's name without the namespace; with it where that is another."""
    return str(element.tag).removeprefix("{" + NAMESPACE + "}")


def _require_root(element: Element, root: str | None, name: str) -> None:
    """Raise ListFormatError when an element is not the root that was expected."""
    found, _, local = str(element.tag).rpartition("}")
    if found != "{" + NAMESPACE:
        raise ListFormatError(
            name, f"expected the namespace {NAMESPACE}, got {found.lstrip('{')[:80] or 'none'}"
        )
    if root is not None and local != root:
        raise ListFormatError(name, f"expected the element {root!r}, got {local[:40]!r}")


def elements_of(
    stream: BinaryIO, root: str | None, *, name: str, limits: ListLimits
) -> list[Element]:
    """Return the elements in a small document's root, which is read whole.

    Raises
    ------
    ListFormatError
        It is not XML, is cut short, past a limit, or has another root.
    """
    first: Element | None = None
    for event, element in _events(EntryStream(stream, name, limits), name, limits):
        if first is None and event == "start":
            _require_root(element, root, name)
            first = element
    return [] if first is None else list(first)


class _Pieces:
    """A stream in larger and larger pieces while nothing comes of them.

    Expat looks at a tag, comment or attribute that has no end anew with every piece.
    """

    def __init__(self, stream: EntryStream) -> None:
        self._stream = stream
        self.unanswered_nbytes = 0

    def read(self, size: int) -> bytes:
        """Read at least so many bytes, unless that is all."""
        wanted = min(max(size, self.unanswered_nbytes), LONGEST_PIECE)
        blocks: list[bytes] = []
        while wanted > 0 and (data := self._stream.read(wanted)):
            blocks.append(data)
            wanted -= len(data)
            self.unanswered_nbytes += len(data)
        return b"".join(blocks)


def _events(stream: EntryStream, name: str, limits: ListLimits) -> Iterator[tuple[str, Element]]:
    """Yield the start and end of each element."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    depth = elements = 0
    reason = ""
    pieces = _Pieces(stream)
    try:
        for event, element in iterparse(pieces, events=("start", "end"), forbid_dtd=True):
            pieces.unanswered_nbytes = 0
            depth += 1 if event == "start" else -1
            elements += event == "start"
            if depth > limits.max_depth:
                raise ListFormatError(name, f"nested deeper than {limits.max_depth} levels")
            if depth <= 2:
                elements = 0
            if elements > MOST_ELEMENTS:
                raise ListFormatError(name, f"more than {MOST_ELEMENTS:,} elements in one entry")
            yield event, element
    except ListFormatError:
        raise
    except ParseError as error:
        reason = f"not XML, or cut short: {str(error)[:120]}"
    except DefusedXmlException as error:
        reason = f"has what is not allowed: {type(error).__name__}"
    except (ValueError, LookupError) as error:
        reason = f"not XML: {type(error).__name__}"
    # Not inside the handler: the parser's own error may quote the document.
    if reason:
        raise ListFormatError(name, reason)
