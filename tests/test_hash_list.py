"""HashList: what its calls say, refuse and report; its files as docs/list-format.md has them."""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fingerprint as fp
from fingerprint.errors import (
    HashFormatError,
    IncompatibleHashError,
    ListRefusedError,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.evaluate import photo
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.hashing import hash_algorithm
from fingerprint.lists import (
    Change,
    Feed,
    HashList,
    Opinion,
    Record,
    Rejected,
    Retraction,
    applying,
    content_digest,
)
from fingerprint.views import QUERY_FAMILIES
from fingerprint.views.picture import Picture
from tests.record_strategies import digest, near, records, tmk, vpdq

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(n: int, source: str = "s", **fields: Any) -> Record:
    given = {"hashes": {"md5": digest("md5", n), "pdq": digest("pdq", n)}, **fields}
    return Record(source, f"r{n}", **given)


@pytest.fixture
def known(tmp_path: Path) -> Iterator[HashList]:
    with HashList.create(tmp_path / "known", "ours", description="for tests") as opened:
        yield opened


# Applying.


def test_a_report_counts_everything(known: HashList) -> None:
    known.add([record(n) for n in range(5)], by="me")
    report = known.apply(
        [
            record(0),
            record(1, category="B1"),
            record(2, hashes={"md5": digest("md5", 22)}),
            record(7),
            Retraction("s", "r3", None, "Withdrawn"),
            Retraction("s", "nobody"),
            Retraction("nowhere", "r1"),
            Rejected(7, "bad", "s", "r9"),
            Rejected(8, "bad hash", "s", "r7", whole=False),
            record(8),
            Retraction("s", "r8"),
        ],
        by="feed",
        note="the second",
    )
    counts = (report.added, report.updated, report.unchanged, report.retracted)
    assert counts == (1, 2, 1, 1)
    assert (report.unknown_retractions, report.rejected, report.rejected_hashes) == (3, 1, 1)
    assert (report.version, report.changed, report.purged, report.withheld) == (2, True, True, 0)
    assert report.digest == known.digest == content_digest(known.records())
    assert [r.record_id for r in known.records()] == ["r0", "r1", "r2", "r4", "r7"]
    last = known.versions()[-1]
    assert (last.number, last.by, last.note, last.digest) == (2, "feed", "the second", known.digest)
    assert (last.added, last.updated, last.retracted, last.rejected, last.entries) == (
        1,
        2,
        1,
        1,
        5,
    )
    assert abs((datetime.now(UTC) - last.at).total_seconds()) < 100


def test_the_same_again_changes_nothing_but_the_checkpoint(known: HashList) -> None:
    changes: list[Change] = [record(1), Retraction("s", "r5"), Rejected(3, "bad", "s", "r6")]
    first = known.apply(changes, by="me", feed="f", checkpoint={"n": 1}, refreshed_at=NOON)
    later = NOON + timedelta(hours=1)
    again = known.apply(changes, by="me", feed="f", checkpoint={"n": 2}, refreshed_at=later)
    assert (first.version, first.changed) == (1, True)
    assert (again.version, again.changed, again.digest) == (1, False, first.digest)
    assert known.checkpoint("f") == {"n": 2}
    assert known.feeds() == [Feed("f", later, None, "", {"n": 2})]
    assert len(known.versions()) == 1


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_of_one_record_the_last_counts(tmp_path: Path, batch: int) -> None:
    """Whether the changes come in one batch or each in its own."""
    with mock.patch.object(applying, "BATCH", batch), HashList.create(tmp_path / "l") as known:
        known.add([record(1), record(1, hashes={"md5": digest("md5", 9)})], by="a")
        assert known.diff(0).added == (("s", "r1"),)
        assert known.diff(0).updated == ()
        known.apply([Retraction("s", "r1"), record(1)], by="b")
        assert known.get("s", "r1") == record(1)
        assert known.find("md5", digest("md5", 9)) == []
        known.apply([record(2), Retraction("s", "r2")], by="c")
        assert ("s", "r2") not in known
        assert known.diff(1).added == ()
        assert [hit.record for hit in known.find("md5", digest("md5", 1))] == [record(1)]
        assert known.verify().problems == ()


def test_the_digest_is_that_of_the_content_whatever_the_way(tmp_path: Path) -> None:
    with HashList.create(tmp_path / "a") as one, HashList.create(tmp_path / "b") as other:
        one.add([record(n) for n in range(20)], by="me")
        for n in reversed(range(20)):
            other.add(record(n, category="x"), by="you")
            other.add(record(n + 30), by="you")
        other.apply([record(n) for n in range(20)], by="you", snapshot_of="s")
        assert one.digest == other.digest
        assert one.digest_of("s") == one.digest
        other.add(record(1, category="y"), by="you")
        assert one.digest != other.digest


def test_what_changes_raise_undoes_everything(known: HashList) -> None:
    known.apply([record(1)], by="me", feed="f", checkpoint={"n": 1})

    def checkpoint() -> dict[str, Any]:
        raise RuntimeError("no checkpoint")

    with pytest.raises(RuntimeError, match="no checkpoint"):
        known.apply([record(2)], by="me", feed="f", checkpoint=checkpoint)
    with pytest.raises(TypeError, match="JSON"):
        known.apply([record(2)], by="me", feed="f", checkpoint={"n": object()})
    with pytest.raises(TypeError, match="expected Record, Retraction or Rejected, got str"):
        known.apply([record(2), "r3"], by="me")  # type: ignore[list-item]
    assert (len(known), known.version, known.checkpoint("f")) == (1, 1, {"n": 1})
    assert known.find("md5", digest("md5", 2)) == []
    assert known.verify().problems == ()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"by": ""}, "by: expected who"),
        ({"by": "me", "snapshot_of": ""}, "snapshot_of"),
        ({"by": "me", "max_retracted_share": 1.1}, "max_retracted_share"),
        ({"by": "me", "refreshed_at": NOON.replace(tzinfo=None)}, "zone"),
        ({"by": "me", "feed": "f", "expires_at": NOON.replace(tzinfo=None)}, "zone"),
    ],
)
def test_options_that_make_no_sense(known: HashList, options: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        known.apply([record(1)], **options)
    assert (len(known), known.version, known.feeds()) == (0, 0, [])


def test_a_change_within_a_change(known: HashList) -> None:
    def changes() -> Iterator[Record]:
        yield record(1)
        with pytest.raises(UnsupportedOperationError, match="within a change"):
            known.add(record(2), by="me")
        assert len(known) == 0, "reading goes on, of the last commit"
        yield record(3)

    known.apply(changes(), by="me")
    assert [r.record_id for r in known.records()] == ["r1", "r3"]


def test_progress_is_told(known: HashList) -> None:
    told: list[int] = []
    with mock.patch.object(applying, "BATCH", 4):
        known.apply([record(n) for n in range(10)], by="me", progress=told.append)
    assert told == [4, 8, 10]
    shares: list[float] = []
    known.retract("s", "r1", by="me", purge=False)
    known.purge(shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def dated(n: int, hour: int, gone: bool) -> Record | Retraction:
    """What a source says of a record at an hour: each time something else."""
    at = NOON + timedelta(hours=hour)
    if gone:
        return Retraction("s", f"r{n}", at, "Withdrawn")
    return record(n, hashes={"md5": digest("md5", 10 * n + hour // 2)}, last_seen=at)


def date_of(change: Record | Retraction) -> tuple[datetime, bool]:
    when = change.last_seen if isinstance(change, Record) else change.at
    assert when is not None
    return when, isinstance(change, Retraction)


@given(
    st.lists(
        st.builds(dated, st.integers(0, 2), st.integers(0, 5), st.booleans()),
        unique_by=lambda change: (change.key, date_of(change)),
        max_size=10,
    ),
    st.lists(st.integers(0, 9), max_size=4),
    st.data(),
)
def test_dated_changes_end_the_same_in_any_order(
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[Record | Retraction],
    again: list[int],
    data: st.DataObject,
) -> None:
    """The latest date counts, a retraction's before a record's of the same time."""
    latest: dict[tuple[str, str], Record | Retraction] = {}
    for change in changes:
        known_one = latest.get(change.key)
        if known_one is None or date_of(change) > date_of(known_one):
            latest[change.key] = change
    wanted = [one for one in latest.values() if isinstance(one, Record)]
    sent = data.draw(st.permutations(changes + [changes[i] for i in again if i < len(changes)]))
    path = tmp_path_factory.mktemp("dated") / "l"
    with mock.patch.object(applying, "BATCH", 3), HashList.create(path) as known:
        while sent:
            n = data.draw(st.integers(1, len(sent)))
            known.apply(sent[:n], by="me", by_time=True, purge=False)
            sent = sent[n:]
        assert list(known.records()) == sorted(wanted, key=lambda one: one.key)
        assert known.digest == content_digest(wanted)
        found = {hit.record.key for n in range(30) for hit in known.find("md5", digest("md5", n))}
        assert found == {one.key for one in wanted}
        for n in range(3):
            actions = [event.action for event in known.history("s", f"r{n}")]
            lives = [action for action in actions if action != "updated"]
            assert actions.count("added") >= (("s", f"r{n}") in known)
            assert not any(pair == ("added", "added") for pair in itertools.pairwise(lives))
        assert known.verify().problems == ()


# Snapshots.


def test_a_snapshot_is_all_there_is_of_its_source(known: HashList) -> None:
    known.add([record(1, source) for source in ("a", "a/b", "a/b/c", "ab", "b/a")], by="me")
    report = known.apply([record(2, "a/b")], by="me", snapshot_of="a", max_retracted_share=1)
    assert (report.added, report.retracted) == (1, 3)
    assert [(r.source, r.record_id) for r in known.records()] == [
        ("a/b", "r2"),
        ("ab", "r1"),
        ("b/a", "r1"),
    ]
    with pytest.raises(ListRefusedError, match="'ab'"):
        known.apply([record(1, "ab")], by="me", snapshot_of="a")


def test_a_truncated_snapshot_is_refused(known: HashList) -> None:
    known.apply([record(n) for n in range(100)], by="me", feed="f", checkpoint={"n": 1})
    digest_before = known.digest
    with pytest.raises(ListRefusedError, match="leaves out 51 of 100 records"):
        known.apply([record(n) for n in range(49)], by="me", snapshot_of="s", feed="f")
    # What is new does not make up for what is missing.
    others = [record(n) for n in range(1000, 1500)]
    with pytest.raises(ListRefusedError, match="leaves out 100 of 100 records"):
        known.apply(others, by="me", snapshot_of="s", feed="f", checkpoint={"n": 2})
    assert (known.digest, known.version, known.checkpoint("f")) == (digest_before, 1, {"n": 1})
    assert known.find("md5", digest("md5", 1001)) == []
    assert known.apply([record(n) for n in range(50)], by="me", snapshot_of="s").retracted == 50
    rest = known.apply([], by="me", snapshot_of="s", max_retracted_share=1)
    assert (rest.retracted, len(known)) == (50, 0)


def test_rejected_rows_keep_what_is_known(known: HashList) -> None:
    known.add([record(n) for n in range(4)], by="me")
    snapshot: list[Change] = [
        record(0),
        Rejected(2, "no hash", "s", "r1"),
        Rejected(3, "no hash", "s", "r77"),
    ]
    report = known.apply(snapshot, by="me", feed="f", snapshot_of="s")
    assert (report.retracted, report.rejected, report.withheld) == (2, 2, 0)
    assert [r.record_id for r in known.records()] == ["r0", "r1"]
    rows = known.rejected()
    assert [(r.feed, r.row, r.reason, r.source, r.record_id, r.whole) for r in rows] == [
        ("f", 2, "no hash", "s", "r1", True),
        ("f", 3, "no hash", "s", "r77", True),
    ]
    # A row of nobody knows whom: nothing is retracted for want of mention.
    report = known.apply([Rejected(1, "not even an id", "s")], by="me", snapshot_of="s")
    assert (report.retracted, report.withheld, report.changed) == (0, 2, False)
    assert len(known) == 2
    known.apply([record(0), record(1)], by="me", feed="f", snapshot_of="s")
    assert [row.feed for row in known.rejected()] == [""]


@pytest.mark.parametrize("text", ["\ud800", "a\0b", "x" * 5000, digest("pdq", 5)])
def test_a_bad_row_of_any_text_does_not_stop_the_others(known: HashList, text: str) -> None:
    report = known.apply(
        [record(1), Rejected(1, f"unreadable: {text}", text, text)], by="me", snapshot_of="s"
    )
    assert (report.added, report.rejected) == (1, 1)
    (row,) = known.rejected()
    assert digest("pdq", 5) not in row.reason


# What happened.


def test_history_of_a_record_through_two_lives(known: HashList) -> None:
    known.add(record(1), by="ann", note="from a case")
    known.add(record(1, category="B1", flags=("grid",)), by="bob")
    known.add(record(2), by="bob")
    known.suspend("s", "r1", by="cy", reason="matches everything")
    known.suspend("s", "r1", by="cy", reason="again: no news")
    known.resume("s", "r1", by="cy", reason="mended")
    known.retract("s", "r1", by="dee", reason="Withdrawn")
    known.add(record(1, hashes={"sha1": digest("sha1", 1)}), by="eve")
    events = known.history("s", "r1")
    assert [(e.version, e.by, e.action, e.detail) for e in events] == [
        (1, "ann", "added", "from a case"),
        (2, "bob", "updated", "category, flags"),
        (3, "cy", "suspended", "matches everything"),
        (3, "cy", "resumed", "mended"),
        (4, "dee", "retracted", "Withdrawn"),
        (5, "eve", "added", ""),
    ]
    assert [e.at for e in events] == sorted(e.at for e in events)
    assert all(e.at.tzinfo is not None for e in events)
    known.add(record(1, hashes={"sha1": digest("sha1", 2), "md5": digest("md5", 1)}), by="eve")
    assert known.history("s", "r1")[-1].detail == "hash md5, hash sha1"
    assert known.history("s", "nobody") == known.history("nowhere", "r1") == []


def test_differences_between_versions(known: HashList) -> None:
    known.add([record(1), record(2)], by="me")
    known.apply([Retraction("s", "r1"), record(2, category="x"), record(3)], by="me")
    known.apply([record(1), Retraction("s", "r3")], by="me")
    found = known.diff(1, 2)
    assert (found.old, found.new) == (1, 2)
    assert (found.added, found.updated) == ((("s", "r3"),), (("s", "r2"),))
    assert found.retracted == (("s", "r1"),)
    assert known.diff(0, 3).added == (("s", "r1"), ("s", "r2"))
    assert known.diff(0, 3).retracted == ()
    assert known.diff(3) == known.diff(3, 3)
    for old, new in ((-1, 2), (0, 4), (2, 1), (True, 1), ("0", 1)):
        with pytest.raises(ValueError, match="expected"):
            known.diff(old, new)  # type: ignore[arg-type]


# Feeds.


def test_feeds_and_how_stale_they_are(known: HashList) -> None:
    assert known.stale_reasons() == []
    assert known.checkpoint() == {}
    known.apply(
        [record(1)],
        by="me",
        feed="f",
        checkpoint=lambda: {"next": "2026", "ä": [1]},
        refreshed_at=NOON.astimezone(timezone(timedelta(hours=-7))),
        expires_at=NOON + timedelta(days=1),
    )
    (feed,) = known.feeds()
    assert (feed.refreshed_at, feed.checkpoint) == (NOON, {"next": "2026", "ä": [1]})
    assert feed.refreshed_at is not None
    assert feed.refreshed_at.utcoffset() == timedelta(0)
    later = NOON + timedelta(hours=2)
    assert known.stale_reasons(later) == []
    assert known.stale_reasons(later, max_age_s=7200) == []
    assert "more than 7,199 s ago" in known.stale_reasons(later, max_age_s=7199)[0]
    assert "expired" in known.stale_reasons(NOON + timedelta(days=1))[0]
    with pytest.raises(ValueError, match="zone"):
        known.stale_reasons(NOON.replace(tzinfo=None))
    known.mark_stale("f", "tombstones have expired")
    assert known.stale_reasons(later) == ["f: tombstones have expired"]
    assert known.checkpoint("f") == {"next": "2026", "ä": [1]}
    known.apply([], by="me", feed="f", refreshed_at=later)
    assert known.stale_reasons(later) == []
    assert known.feeds()[0].expires_at is None
    known.set_checkpoint("g", {"n": 1}, expires_at=NOON)
    assert "g: was never read to its end" in known.stale_reasons(NOON - timedelta(days=1))
    known.set_checkpoint("g", {"n": 2}, refreshed_at=NOON)
    assert [f.name for f in known.feeds()] == ["f", "g"]
    assert known.version == 1


# Looking up.


def test_each_type_is_found_in_each_notation(known: HashList) -> None:
    import base64

    dna = digest("photodna", 1)
    hashes = {
        name: digest(name, 1) for name in ("md5", "sha1", "sha256", "sha512", "phash", "dhash")
    }
    known.add(Record("s", "1", {**hashes, "photodna": dna, "tmk_pdqf": tmk(1)}), by="me")
    known.add(Record("s", "2", {"photodna": dna, "tmk_pdqf": tmk(2)}), by="me")
    for name, value in hashes.items():
        for form in (value, value.upper()):
            (hit,) = known.find(name, form)
            assert (hit.record.record_id, hit.type, hit.distance) == ("1", name, 0)
            assert (hit.transform, hit.list_name, hit.list_version) == ("identity", "ours", 2)
    assert known.find("SHA-256", hashes["sha256"])
    both = known.find("PDNA", base64.b64encode(bytes.fromhex(dna)).decode())
    assert [hit.record.record_id for hit in both] == ["1", "2"]
    assert [hit.record.record_id for hit in known.find("tmk_pdqf", tmk(2))] == ["2"]
    assert known.find("tmk_pdqf", tmk(3)) == []
    assert known.find("md5", digest("md5", 2)) == []
    assert known.hash_types == {*hashes, "photodna", "tmk_pdqf"}
    for name in ("phash", "dhash"):
        (hit,) = known.within(Hash.parse(f"{name}:{near(name, 1, 3)}"), 3)
        assert (hit.distance, hit.type) == (3, name)
        assert known.within(Hash.parse(f"{name}:{near(name, 1, 3)}"), 2) == []


def test_what_cannot_be_asked(known: HashList) -> None:
    def pdq(n: int) -> Hash:
        return Hash.parse(f"pdq:{digest('pdq', n)}")

    asked: list[tuple[type[Exception], Callable[[], object]]] = [
        (HashFormatError, lambda: known.find("md4", digest("md5", 1))),
        (HashFormatError, lambda: known.find("md5", "abc")),
        (HashFormatError, lambda: known.find("md5", 32 * "0")),
        (UnsupportedOperationError, lambda: known.find("vpdq", vpdq([digest("pdq", 1)]))),
        (UnsupportedOperationError, lambda: known.within(Hash("ahash", bytes(8), 64), 1)),
        (UnsupportedOperationError, lambda: known.within(Hash("md5", bytes(16), 128), 0)),
        (ValueError, lambda: known.within({}, 1)),
        (ValueError, lambda: known.within(pdq(1), -1)),
        (ValueError, lambda: known.within(pdq(1), 1.5)),  # type: ignore[arg-type]
        (TypeError, lambda: known.within(digest("pdq", 1), 1)),  # type: ignore[arg-type]
        (TypeError, lambda: known.within({"identity": None}, 1)),  # type: ignore[dict-item]
    ]
    for filled in (False, True):
        if filled:
            known.add(record(1), by="me")
        for kind, ask in asked:
            with pytest.raises(kind) as found:
                ask()
            assert digest("pdq", 1) not in str(found.value)
    mixed = {"identity": pdq(1), "other": Hash("phash", bytes(range(8)), 64)}
    with pytest.raises(IncompatibleHashError):
        known.within(mixed, 31)


def test_two_records_with_one_hash_live_and_die_apart(known: HashList) -> None:
    shared = record(1).hashes
    known.add([Record("a", "x", shared), Record("b", "x", shared), record(2)], by="me")
    query = Hash.parse(f"pdq:{near('pdq', 1, 4)}")
    for sources in (["a", "b"], ["b"], []):
        assert [h.record.source for h in known.find("md5", shared["md5"])] == sources
        assert sorted(h.record.source for h in known.within(query, 31)) == sources
        assert known.count("md5") == len(sources) + 1
        if sources:
            known.retract(sources[0], "x", by="me")
    with pytest.raises(UnknownIdError):
        known.retract("a", "x", by="me")


def test_suspended_records_are_kept_but_not_found(known: HashList) -> None:
    video = Record("s", "v", {"vpdq": vpdq([digest("pdq", 1), digest("pdq", 4)])})
    known.add([record(1), video], by="me")
    frames = HashArray.from_hex([digest("pdq", 1)], "pdq")
    for key in (("s", "r1"), ("s", "v")):
        known.suspend(*key, by="me", reason="flood")
    assert known.find("md5", digest("md5", 1)) == []
    assert known.within(Hash.parse(f"pdq:{digest('pdq', 1)}"), 31) == []
    assert known.frames_within(frames, 31).owners.size == 0
    assert list(known.records_with("pdq")) == []
    assert list(known.records()) == [record(1), video]
    assert known.info()["suspended"] == 2
    known.add(record(1, category="still"), by="me")  # An update does not let it loose.
    known.add(record(1, hashes={"md5": digest("md5", 1)}), by="me")
    assert known.find("md5", digest("md5", 1)) == []
    known.resume("s", "r1", by="me")
    known.resume("s", "v", by="me")
    assert len(known.find("md5", digest("md5", 1))) == 1
    found = known.frames_within(frames, 31)
    assert (found.keys, found.rows.tolist(), found.distances.tolist()) == (
        ((("s", "v")),),
        [0],
        [0],
    )
    with pytest.raises(UnknownIdError):
        known.suspend("s", "nobody", by="me", reason="x")


def test_records_with_a_type(known: HashList) -> None:
    only_views = Record("s", "w", {"md5": digest("md5", 8)}, views={"rotate90": digest("pdq", 8)})
    known.add([record(1), record(2, hashes={"md5": digest("md5", 2)}), only_views], by="me")
    assert [r.record_id for r in known.records_with("pdq")] == ["r1"]
    assert {r.record_id for r in known.records_with("md5")} == {"r1", "r2", "w"}
    assert list(known.records_with("sha1")) == []


PICTURES = [photo(seed, 200, 260) for seed in range(4)]


def test_pictures_are_found_by_views_of_either_side(known: HashList) -> None:
    pictures = [Picture(pixels, hash_algorithm("pdq")) for pixels in PICTURES]
    known.add(
        [Record("s", f"{i}", {"pdq": str(p.exact).split(":")[-1]}) for i, p in enumerate(pictures)],
        by="me",
    )
    turned = Picture(PICTURES[2][::-1, ::-1].copy(), hash_algorithm("pdq"))
    families = list(QUERY_FAMILIES.values())
    radii = {family.name: 31 for family in families}
    (hit,) = known.match_picture(turned, families, radii)
    assert (hit.record.record_id, hit.transform) == ("2", "rotate180")
    index = fp.Index("pdq")
    index.add([f"{i}" for i in range(4)], [p.exact for p in pictures])
    (match,) = fp.match_image(index, PICTURES[2][::-1, ::-1].copy())
    assert (match.id, match.distance, match.transform) == ("2", hit.distance, hit.transform)
    assert known.match_picture(turned, families, radii, exclude=lambda r: True) == []
    # The other way round: the source stored what it had turned.
    views = {name: str(one).split(":")[-1] for name, one in pictures[1].positions.items()}
    known.add(Record("t", "x", {"md5": digest("md5", 1)}, views=views), by="me")
    hits = known.within(pictures[1].positions["rotate90"], 10)
    assert [(h.record.source, h.transform) for h in hits] == [("t", "identity of rotate90")]


# What it is.


def test_info_and_what_it_shows_of_itself(known: HashList) -> None:
    known.apply([record(1), record(2, "t")], by="me", feed="f", refreshed_at=NOON)
    known.retract("t", "r2", by="me", purge=False)
    info = known.info()
    assert json.loads(json.dumps(info)) == info
    assert (info["name"], info["description"], info["version"]) == ("ours", "for tests", 2)
    assert (info["records"], info["sources"], info["unpurged"]) == (1, {"s": 1}, 1)
    assert info["hash_types"] == {"md5": 1, "pdq": 1}
    assert info["digest"] == known.digest
    assert info["nbytes_on_disk"] > 10_000
    text = f"{known!r} {known.get('s', 'r1')!r} {known.find('md5', digest('md5', 1))!r} {info}"
    assert digest("md5", 1) not in text
    assert digest("pdq", 1) not in text
    assert 5 not in known
    assert ("s",) not in known
    with pytest.raises(UnknownIdError, match="'r2' of 't'"):
        known.get("t", "r2")


# The files, read by docs/list-format.md alone.


def digest_by_the_document(rows: list[tuple[str, str, str]]) -> str:
    total = 0
    for source, record_id, body in rows:
        text = json.dumps([source, record_id], separators=(",", ":")) + body
        total += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return f"{total % 2**256:064x}"


def shelf_by_the_document(folder: Path) -> dict[int, bytes]:
    db = sqlite3.connect(folder / "catalog.sqlite")
    found = dict(db.execute("SELECT seq, hash FROM entries"))
    for first, n, hashes in db.execute("SELECT first_seq, n, hashes FROM blocks"):
        size = len(hashes) // n
        found |= {first + i: hashes[i * size : (i + 1) * size] for i in range(n)}
    db.close()
    return found


def hashes_by_the_document(kind: str, body: dict[str, Any]) -> list[bytes]:
    import base64

    value = body["hashes"].get(kind)
    found = []
    if kind == "vpdq":
        found = [bytes.fromhex(line.split(",")[2]) for line in value.splitlines()]
    elif kind == "tmk_pdqf":
        found = [hashlib.sha256(base64.b64decode(value)).digest()]
    elif value is not None:
        found = [bytes.fromhex(value)]
    if kind == "pdq":
        found += [bytes.fromhex(one) for one in body.get("views", {}).values()]
    return found


def read_by_the_document(path: Path) -> dict[str, Any]:
    db = sqlite3.connect(path / "list.sqlite")
    assert db.execute("PRAGMA application_id").fetchone() == (0x46504C53,)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    rows = db.execute(
        "SELECT s.name, r.id, r.body, r.seq, r.places FROM records r "
        "JOIN sources s ON s.no = r.source ORDER BY s.name, r.id"
    ).fetchall()
    version, entries = db.execute("SELECT version, entries FROM state").fetchone()
    assert entries == len(rows)
    shelves = {no: (kind, folder) for no, kind, folder, _, _ in db.execute("SELECT * FROM shelves")}
    on_shelf = {no: shelf_by_the_document(path / "shelves" / f) for no, (_, f) in shelves.items()}
    owners: dict[tuple[int, int], int] = {}
    for shelf, first, seqs in db.execute("SELECT shelf, first, seqs FROM places"):
        for i, (seq,) in enumerate(struct.iter_unpack("<q", seqs)):
            owners[shelf, first + i] = seq
    seen: set[tuple[int, int]] = set()
    for _, _, text, seq, places in rows:
        body = json.loads(text)
        by_shelf: dict[int, list[int]] = {}
        for shelf, first, n in struct.iter_unpack("<BqI", places):
            by_shelf.setdefault(shelf, []).extend(range(first, first + n))
        for shelf, numbers in by_shelf.items():
            assert all(owners[shelf, number] == seq for number in numbers)
            found = [on_shelf[shelf][number] for number in numbers]
            assert found == hashes_by_the_document(shelves[shelf][0], body)
            seen |= {(shelf, number) for number in numbers}
        assert set(body["hashes"]) | ({"pdq"} if "views" in body else set()) == {
            shelves[shelf][0] for shelf in by_shelf
        }
    leaving = db.execute("SELECT * FROM leaving").fetchall()
    db.close()
    assert leaving == []
    assert {(no, n) for no, some in on_shelf.items() for n in some} == seen
    return {
        "version": version,
        "digest": digest_by_the_document([row[:3] for row in rows]),
        "records": [{"source": s, "record_id": i, **json.loads(body)} for s, i, body, _, _ in rows],
    }


sources = st.sampled_from(["a", "a/b", "ü"])
ids = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=3)


@given(st.lists(records(sources, ids), max_size=4), st.data())
def test_files_are_as_the_document_says(
    tmp_path_factory: pytest.TempPathFactory, some: list[Record], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("documented") / "l"
    with HashList.create(path) as known:
        known.add(some, by="me")
        keys = sorted({one.key for one in some})
        for key in data.draw(st.sets(st.sampled_from(keys))) if keys else ():
            known.retract(*key, by="me", purge=data.draw(st.booleans()))
        expected = {
            "version": known.version,
            "digest": known.digest,
            "records": [one.to_dict() for one in known.records()],
        }
    assert read_by_the_document(path) == expected


def test_the_document_names_what_there_is(known: HashList) -> None:
    text = (Path(__file__).parent.parent / "docs" / "list-format.md").read_text()
    db = sqlite3.connect(known.path / "list.sqlite")
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert len(tables) > 10
    for table in tables:
        assert f"**{table}**" in text, table
        line = next(line for line in text.splitlines() if line.startswith(f"**{table}**"))
        for _, column, *_ in db.execute(f"PRAGMA table_info({table})"):
            assert f"`{column}`" in text or column in line, (table, column)
    db.close()


def test_opinions_and_words_come_back(known: HashList) -> None:
    one = record(
        1,
        opinions=(Opinion("b", "Undefined", ("x",)), Opinion("a", "good")),
        raw={"hashStatus": "Ünknown", "n": [1, None, {"deep": 2.5}]},
        first_seen=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        category="日本",
    )
    known.add(one, by="me")
    found = known.get("s", "r1")
    assert found == one
    assert found.first_seen == datetime(2025, 12, 31, 22, tzinfo=UTC)
    assert [o.by for o in found.opinions] == ["a", "b"]


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("between", [0, 30])
def test_a_record_that_stands_twice_tells_of_the_hashes_it_loses(
    known: HashList, monkeypatch: pytest.MonkeyPatch, filled: bool, between: int
) -> None:
    monkeypatch.setattr(applying, "BATCH", 10)
    if filled:
        known.add(record(99), by="me")
    first = Record("s", "r1", {"md5": digest("md5", 1), "sha1": digest("sha1", 1)})
    second = Record("s", "r1", {"md5": digest("md5", 1)})
    others = [record(n) for n in range(2, 2 + between)]
    report = known.apply([first, *others, second], by="me")
    assert report.rejected_hashes == 1
    (told,) = known.rejected()
    assert (told.source, told.record_id, told.whole) == ("s", "r1", False)
    assert "sha1 of the earlier row is not kept" in told.reason
