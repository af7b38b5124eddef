"""Taking a bundle into a list: all of it, in its order, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fingerprint.errors import BundleRollbackError, BundleSignatureError, UnknownIdError
from fingerprint.lists.bundles.reading import Bundle, read_bundle
from fingerprint.lists.bundles.rows import ContentDigest
from fingerprint.lists.bundles.trust import TrustedKeys, is_part_of
from fingerprint.lists.records import Record, instant_of, text_of_instant

if TYPE_CHECKING:
    from fingerprint.lists.hash_list import HashList
    from fingerprint.lists.reports import ApplyReport

__all__ = ["import_bundle"]

_FEED = "bundle:"


def import_bundle(
    hash_list: HashList,
    path: str | os.PathLike[str],
    trusted: TrustedKeys,
    *,
    by: str,
    now: datetime | None = None,
    max_retracted_share: float = 0.5,
    purge: bool = True,
    progress: Callable[[int], object] | None = None,
) -> ApplyReport:
    """Verify a bundle and apply it to a list, in one commit.

    The stream's name stands for a feed ``bundle:NAME`` of the list, whose checkpoint says which
    version is there. A stream begins with a snapshot; a later version follows as a snapshot,
    or as a delta to the version that is there. The same version again changes nothing but, if
    it was signed later, the time at which the list becomes stale. One stream speaks for a
    source: to let another do so, empty the old one's checkpoint with
    `HashList.set_checkpoint`.

    Parameters
    ----------
    hash_list : HashList
        What to change.
    path : path
        The bundle.
    trusted : TrustedKeys
        Who is believed.
    by : str
        Who imports, for the history.
    now : datetime or None
        The time with its zone; the system's by default.
    max_retracted_share : float
        As for `HashList.apply`: a snapshot that would retract more is refused.
    purge : bool
        As for `HashList.apply`: overwrite in all files what was retracted.
    progress : callable or None
        Called with the number of changes so far.

    Raises
    ------
    BundleSignatureError, BundleTamperedError, BundleExpiredError, BundleError
        As for `read_bundle`; also when the stream was another signer's.
    BundleRollbackError
        It is older than what the list holds, another content under the same version, a delta to
        another version, or to records that are not those of the list.
    ListRefusedError
        It would retract too much.
    """
    clock = datetime.now(UTC) if now is None else now
    bundle = read_bundle(path, trusted, now=clock, contents=False)
    info, feed = bundle.info, _FEED + bundle.info.name
    stored = hash_list.checkpoint(feed)
    before = hash_list.digest_of(info.source)
    _check_stream(hash_list, bundle, stored)
    is_known = _check_order(bundle, stored)
    is_delta = info.kind == "delta"
    if is_delta and not is_known:
        _check_outcome(hash_list, bundle, before)
    times = _times(bundle, stored if is_known else {})

    def checkpoint() -> dict[str, Any]:
        if hash_list.checkpoint(feed) != stored or hash_list.digest_of(info.source) != before:
            raise BundleRollbackError(f"{bundle.path.name}: the list changed meanwhile; try again")
        return {
            "version": info.version,
            "key": info.key,
            "signer": bundle.signer.name,
            "source": info.source,
            "content_digest": info.content_digest,
            **{name: text_of_instant(value) for name, value in times.items()},
        }

    return hash_list.apply(
        () if is_known and is_delta else bundle.changes(),
        by=by,
        feed=feed,
        checkpoint=checkpoint,
        snapshot_of=None if is_delta else info.source,
        max_retracted_share=max_retracted_share,
        refreshed_at=min(times["created_at"], clock),
        expires_at=times["expires_at"],
        note=f"bundle {info.name} {info.version} of {bundle.signer.name}",
        purge=purge,
        progress=progress,
    )


def _check_stream(hash_list: HashList, bundle: Bundle, stored: Mapping[str, Any]) -> None:
    """Refuse a stream that takes over another's name or source."""
    info = bundle.info
    signer, source = stored.get("signer"), stored.get("source")
    if stored and (signer, source) != (bundle.signer.name, info.source):
        raise BundleSignatureError(
            f"{bundle.path.name}: stream {info.name!r} is that of {signer!r} for {source!r}, "
            f"not of {bundle.signer.name!r} for {info.source!r}"
        )
    for feed in hash_list.feeds():
        other = feed.checkpoint.get("source") if feed.name.startswith(_FEED) else None
        if other is None or feed.name == _FEED + info.name:
            continue
        if is_part_of(other, info.source) or is_part_of(info.source, other):
            raise BundleRollbackError(
                f"{bundle.path.name}: records of {other!r} come in stream "
                f"{feed.name.removeprefix(_FEED)!r}; two streams would undo each other"
            )


def _check_order(bundle: Bundle, stored: Mapping[str, Any]) -> bool:
    """Whether the list holds this state already; BundleRollbackError if it does not follow."""
    info, name = bundle.info, bundle.path.name
    have = stored.get("version")
    if have is None:
        if info.kind == "delta":
            raise BundleRollbackError(
                f"{name}: changes version {info.base_version}, but nothing of stream "
                f"{info.name!r} is there: a snapshot has to come first"
            )
        return False
    if info.version < have:
        raise BundleRollbackError(
            f"{name}: is version {info.version}, older than version {have} of the list"
        )
    if info.version == have:
        if info.content_digest != stored["content_digest"]:
            raise BundleRollbackError(
                f"{name}: has another content than the version {have} that the list holds"
            )
        return True
    if info.kind == "delta" and info.base_version != have:
        raise BundleRollbackError(
            f"{name}: changes version {info.base_version}, the list holds {have}: import what "
            f"lies between, or a snapshot"
        )
    return False


def _check_outcome(hash_list: HashList, bundle: Bundle, before: str) -> None:
    """Refuse a delta that does not lead to the records that its signer has."""
    content = ContentDigest(before)
    for change in bundle.changes():
        with suppress(UnknownIdError):
            content.remove(hash_list.get(*change.key))
        if isinstance(change, Record):
            content.add(change)
    info = bundle.info
    if content.hex != info.content_digest:
        raise BundleRollbackError(
            f"{bundle.path.name}: does not lead from the records of {info.source!r} here to "
            f"those of {bundle.signer.name!r}: import a snapshot"
        )


def _times(bundle: Bundle, stored: Mapping[str, Any]) -> dict[str, datetime]:
    """When the state was read and how long it may be used, as the later signature says."""
    times = {"created_at": bundle.info.created_at, "expires_at": bundle.info.expires_at}
    if stored and instant_of(stored["created_at"]) > times["created_at"]:
        return {name: instant_of(stored[name]) for name in times}
    return times
