"""`VideoIndex` beside a comparison of the query with every video."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from fingerprint.errors import (
    CorruptIndexError,
    DuplicateIdError,
    IncompatibleHashError,
    IndexFormatError,
    IndexLockedError,
    LowQualityWarning,
    TruncatedSearchWarning,
    UnknownIdError,
    UnsupportedOperationError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.index import Index, durable, memory_store, merging, writer
from fingerprint.video import VideoHash
from fingerprint.video.frame_matches import match_frames
from fingerprint.video.index import VideoIndex
from fingerprint.video.index_files import FRAMES, MARKER
from tests.video_lists import N_SHOTS, compared, video

# Its videos have a frame a second.
pytestmark = pytest.mark.filterwarnings("ignore::fingerprint.SparseSamplingWarning")

Model = dict[str, tuple[VideoHash, dict[str, Any]]]

shots_of = st.lists(st.integers(0, N_SHOTS - 1), max_size=4)
rows_of = st.lists(st.integers(0, 15), max_size=4).map(tuple)
video_of = st.builds(
    video,
    shots_of,
    noise=st.sampled_from([0, 4, 10]),
    seed=st.integers(0, 99),
    poor=rows_of,
    bars=rows_of,
    mirrored=st.booleans(),
)
metadata_of = st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2)
videos_of = st.lists(st.tuples(video_of, metadata_of), max_size=3)


def stored(model: Model) -> Model:
    return {name: (one.collapsed(), metadata) for name, (one, metadata) in model.items()}


class VideoIndexMachine(RuleBasedStateMachine):
    on_disk = False
    ids = Bundle("ids")

    @initialize()
    def start(self) -> None:
        self.stack = ExitStack()
        for module, name in (
            (writer, "SEAL_ABOVE"),
            (memory_store, "SEAL_ABOVE"),
            (merging, "SMALLEST_TIER"),
        ):
            self.stack.enter_context(mock.patch.object(module, name, 40))
        self.folder = Path(tempfile.mkdtemp(prefix="videos-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.reader: VideoIndex | None = None
        if self.on_disk:
            self.index = VideoIndex.create(self.folder / "index")
            self.reader = VideoIndex.open(self.folder / "index", read_only=True)
        else:
            self.index = VideoIndex()
        self.model: Model = {}
        self.made = 0

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            for index in self.both():
                index.close()
            self.stack.close()

    def both(self) -> list[VideoIndex]:
        return [self.index] if self.reader is None else [self.index, self.reader]

    @rule(target=ids, videos=videos_of)
    def add(self, videos: list[tuple[VideoHash, dict[str, Any]]]) -> Any:
        new = [f"n{self.made + i}" for i in range(len(videos))]
        self.made += len(videos)
        self.index.add_many(new, [v for v, _ in videos], [m for _, m in videos])
        self.model.update(zip(new, videos, strict=True))
        return multiple(*new)

    @rule(old=ids, one=video_of)
    def add_a_known_id(self, old: str, one: VideoHash) -> None:
        if old in self.model:
            with pytest.raises(DuplicateIdError):
                self.index.add_many(["fresh", old], [one, one])
        else:
            self.index.add(old, one)
            self.model[old] = (one, {})

    @rule(old=ids, one=video_of, metadata=metadata_of)
    def upsert(self, old: str, one: VideoHash, metadata: dict[str, Any]) -> None:
        self.index.upsert(old, one, metadata)
        self.model.pop(old, None)
        self.model[old] = (one, metadata)

    @rule(some=st.lists(ids, max_size=3))
    def remove(self, some: list[str]) -> None:
        if set(some) <= set(self.model):
            self.index.remove(some)
            for one in set(some):
                del self.model[one]
        else:
            with pytest.raises(UnknownIdError):
                self.index.remove(some)

    @precondition(lambda self: self.on_disk)
    @rule(old=ids, one=video_of)
    def fail_to_upsert(self, old: str, one: VideoHash) -> None:
        full = OSError(28, "No space left on device")
        with mock.patch.object(durable, "commit", side_effect=full), pytest.raises(OSError):
            self.index.upsert(old, one)

    @precondition(lambda self: self.on_disk)
    @rule(maintenance=st.sampled_from(["background", "manual"]))
    def reopen(self, maintenance: Any) -> None:
        self.index.close()
        self.index = VideoIndex.open(self.folder / "index", maintenance=maintenance)

    @rule()
    def compact(self) -> None:
        self.index.compact()

    @rule()
    def verify(self) -> None:
        assert self.index.verify().problems == ()

    @rule()
    def snapshot(self) -> None:
        self.index.snapshot(self.folder / "copy")
        with VideoIndex.open(self.folder / "copy", read_only=True) as copy:
            assert [copy.get(one) for one in copy] == [self.index.get(one) for one in self.index]
            assert copy.verify().ok
        shutil.rmtree(self.folder / "copy")

    @rule(query=video_of, mirrored=st.booleans(), radius=st.sampled_from([None, 0, 12]))
    def search(self, query: VideoHash, mirrored: bool, radius: int | None) -> None:
        expected = compared(query, stored(self.model), mirrored=mirrored, radius=radius)
        is_poor = len(query) > 0 and (query.qualities < 50).all()
        for index in self.both():
            if is_poor:
                with pytest.warns(LowQualityWarning):
                    assert index.search(query) == []
            else:
                assert index.search(query, mirrored=mirrored, radius=radius) == expected

    @rule(query=video_of, value=st.integers(0, 2), top=st.integers(1, 3))
    def search_some(self, query: VideoHash, value: int, top: int) -> None:
        if len(query) and (query.qualities < 50).all():
            return
        wanted = {n: (v, m) for n, (v, m) in stored(self.model).items() if m.get("a") == value}
        found = self.index.search(query, where={"a": value}, top=top)
        assert found == compared(query, wanted)[:top]

    @rule(shot=st.integers(0, N_SHOTS - 1), row=st.integers(0, 7), radius=st.sampled_from([4, 31]))
    def search_image(self, shot: int, row: int, radius: int) -> None:
        picture = video([shot]).hashes[row]
        expected = []
        for place, (name, (one, metadata)) in enumerate(stored(self.model).items()):
            found = shown(one, picture, radius)
            if found:
                nearest = min(found.values())
                expected.append((nearest, place, name, spans(one, found), metadata))
        for index in self.both():
            matches = index.search_image(picture, radius=radius)
            assert [(m.distance, m.id, m.spans, m.metadata) for m in matches] == [
                (distance, name, times, metadata)
                for distance, _, name, times, metadata in sorted(expected, key=lambda e: e[:2])
            ]
            assert all(m.quality == 90 and m.transform == "identity" for m in matches)

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        for index in self.both():
            assert (len(index), list(index)) == (len(self.model), list(self.model))
            assert "nobody" not in index
            assert "#1" not in index
        for name, (one, metadata) in stored(dict(list(self.model.items())[-2:])).items():
            assert name in self.index
            entry = self.index.get(name)
            assert (entry.id, entry.video_hash, entry.metadata) == (name, one, metadata)


def shown(one: VideoHash, picture: Any, radius: int) -> dict[int, int]:
    """Rows of a video within reach of a picture, whole or without bars, compared bit by bit."""
    found: dict[int, int] = {}
    for hashes in (one.hashes, one.trimmed):
        for row in range(0 if hashes is None else len(one)):
            assert hashes is not None
            pair = int.from_bytes(hashes[row].packed), int.from_bytes(picture.packed)
            distance = (pair[0] ^ pair[1]).bit_count()
            if hashes.quality[row] >= 50 and distance <= radius:
                found[row] = min(distance, found.get(row, distance))
    return found


def spans(one: VideoHash, found: dict[int, int]) -> tuple[tuple[float, float, int], ...]:
    runs: list[list[int]] = []
    for row in sorted(found):
        if runs and row == runs[-1][-1] + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    times = [
        (float(one.start_s[run[0]]), float(one.end_s[run[-1]]), min(found[row] for row in run))
        for run in runs
    ]
    return tuple(sorted(times, key=lambda span: (span[2], span[0])))


def machine_test(*, on_disk: bool) -> Any:
    class Machine(VideoIndexMachine):
        pass

    Machine.on_disk = on_disk
    Machine.__qualname__ = f"Videos_{'disk' if on_disk else 'memory'}"
    case = Machine.TestCase
    case.settings = settings(
        stateful_step_count=15, max_examples=max(5, settings().max_examples // 3)
    )
    return case


TestVideosInMemory = machine_test(on_disk=False)
TestVideosOnDisk = machine_test(on_disk=True)


def filled(path: Path | None = None, n: int = 12) -> VideoIndex:
    index = VideoIndex() if path is None else VideoIndex.create(path, maintenance="manual")
    names = [f"video {i}" for i in range(n)]
    videos = [video([i % 10, (3 * i + 1) % 10, 7], noise=5, seed=i, bars=(1, 9)) for i in range(n)]
    index.add_many(names, videos, [{"n": i} for i in range(n)])
    return index


# What is stored


def test_neighbouring_frames_become_one_row_unless_told_otherwise() -> None:
    still = video([1, 1])
    still = VideoHash(
        **{
            **{name: getattr(still, name) for name in still.__dataclass_fields__},
            "hashes": still.hashes[np.arange(16) // 8],
            "trimmed": None,
        }
    )
    index = VideoIndex()
    index.add("auto", still)
    index.add("none", still, collapse=None)
    index.add("all", still, collapse=256)
    assert [len(index.get(one).video_hash) for one in index] == [2, 16, 1]
    assert index.get("auto").video_hash == still.collapsed()
    assert index.get("none").video_hash == still
    # Whichever way it is stored, a search says what a comparison says.
    assert index.search(still) == compared(
        still, {one: (index.get(one).video_hash, {}) for one in index}
    )


def test_frames_with_little_in_them_are_kept_and_not_looked_up() -> None:
    index = VideoIndex()
    index.add("dark", video([1, 2], poor=tuple(range(16))))
    index.add("half", video([1, 2], poor=tuple(range(8))))
    assert len(index.get("dark").video_hash) == 16
    assert index.info()["entries"] == 1 + 8
    assert [match.id for match in index.search(video([1, 2]))] == ["half"]
    assert index.search_image(video([1]).hashes[0]) == []
    index.remove("dark")
    assert index.info()["entries"] == 8


def test_a_video_without_frames_is_a_video() -> None:
    index = VideoIndex()
    empty = video([])
    index.add("empty", empty, {"why": "audio"})
    index.add("other", video([1]))
    assert index.get("empty").video_hash == empty
    assert index.search(empty) == []
    assert index.verify().ok
    index.upsert("empty", video([2]))
    assert list(index) == ["other", "empty"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((5, video([1])), TypeError, "id: expected str, got int"),
        (("#5", video([1])), ValueError, "expected another than # and a number"),
        (("\ud800", video([1])), ValueError, "UTF-8"),
        (("a", "file.mp4"), TypeError, "video_hash: expected VideoHash, got str"),
        (("a", video([1]), [1]), TypeError, "metadata: expected Mapping, got list"),
        (("a", video([1]), {"x": {1}}), TypeError, "not JSON serializable"),
        (("known", video([1])), DuplicateIdError, "'known' is in the index already"),
    ],
)
def test_bad_additions_change_nothing(
    arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    index = VideoIndex()
    index.add("known", video([3]))
    with pytest.raises(error, match=message):
        index.add(*arguments)
    with pytest.raises((error, ValueError)):
        index.upsert(*arguments) if error is not DuplicateIdError else index.add(*arguments)
    assert list(index) == ["known"]


def test_other_hashes_are_refused() -> None:
    index = VideoIndex("phash")
    for call in (lambda: index.add("a", video([1])), lambda: index.search(video([1]))):
        with pytest.raises(IncompatibleHashError, match=r"phash v1 .64 bits., got pdq"):
            call()
    with pytest.raises(IncompatibleHashError):
        index.search_image(video([1]).hashes[0])
    with pytest.raises(IncompatibleHashError):
        match_frames(video([1]), Index("phash"))


def test_lists_of_unequal_length_are_refused() -> None:
    index = VideoIndex()
    for ids, videos, metadata in ((["a"], [], None), ([], [video([1])], None), (["a"], [], [{}])):
        with pytest.raises(ValueError, match="as many ids"):
            index.add_many(ids, videos, metadata)
    with pytest.raises(TypeError, match="ids: expected a sequence"):
        index.add_many("ab", [video([1])] * 2)
    with pytest.raises(DuplicateIdError):
        index.add_many(["a", "a"], [video([1])] * 2)
    assert len(index) == 0


@pytest.mark.parametrize("id", ["nobody", "#1", "#2", "\ud800", 5, None])
def test_unknown_ids(id: Any) -> None:  # noqa: A002
    index = filled(n=2)
    with pytest.raises(UnknownIdError):
        index.get(id)
    with pytest.raises(UnknownIdError):
        index.remove([id])
    assert id not in index
    assert len(index) == 2


@pytest.mark.parametrize("name", ["top", "candidates"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3"])
def test_counts_are_whole_numbers(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected a whole number from 1"):
        filled(n=1).search(video([1]), **{name: value})


def test_a_closed_index_says_so(tmp_path: Path) -> None:
    for index in (filled(), filled(tmp_path / "i")):
        index.close()
        for call in (lambda: index.search(video([1])), lambda: len(index), index.compact):  # noqa: B023
            with pytest.raises(ValueError, match="closed"):
                call()


# What is found


def test_the_best_candidates_are_compared_and_common_frames_say_little() -> None:
    index = VideoIndex()
    for i in range(40):  # All have shots 7 and 8, as a channel's opening.
        index.add(f"same opening {i}", video([7, 8, i % 4], noise=3, seed=i))
    index.add("copy", video([5], noise=14, seed=99))
    with pytest.warns(TruncatedSearchWarning, match="41 videos"):
        found = index.search(video([7, 8, 5], noise=3, seed=100), candidates=1)
    assert [match.id for match in found] == ["copy"]
    assert len(index.search(video([7, 8, 5]))) == 41


def test_a_picture_is_found_in_every_view_that_is_given() -> None:
    index = filled()
    one = index.get("video 4").video_hash
    other = video([0]).hashes
    views = {"flip_y": other[0], "identity": one.hashes[3]}
    (match,) = [m for m in index.search_image(views) if m.id == "video 4"]
    assert (match.transform, match.distance, match.metadata) == ("identity", 0, {"n": 4})
    assert index.search_image(views, top=1)[0].distance == 0
    assert [m.id for m in index.search_image(views, where={"n": 4})] == ["video 4"]
    with pytest.warns(LowQualityWarning) as caught:
        index.search_image(video([1], poor=(0,)).hashes[0])
    assert caught[0].filename == __file__


def test_frames_of_a_video_are_found_among_pictures() -> None:
    pictures = video(list(range(10)), noise=3, seed=1).hashes
    index = Index("pdq")
    index.add([f"picture {i}" for i in range(80)], pictures, [{"n": i} for i in range(80)])
    one = video([2, 5, 2, 9], noise=4, seed=2, poor=(3, 11), bars=(0, 8))
    expected = []
    for i in range(80):
        found = shown(one, pictures[i], 31)
        if found:
            expected.append((min(found.values()), f"picture {i}", spans(one, found)))
    expected.sort(key=lambda e: (e[0], e[2][0][0]))
    matches = match_frames(one, index)
    assert [(m.distance, m.id, m.spans) for m in matches] == expected
    assert len(expected) > 20
    assert {m.transform for m in matches} == {"identity", "trimmed"}
    assert [m.id for m in match_frames(one, index, where={"n": 16})] == ["picture 16"]
    assert all(m.metadata == {"n": int(m.id.split()[1])} for m in matches)
    turned = match_frames(video([2], mirrored=True), index)
    assert len(turned) == 8
    assert {m.transform for m in turned} == {"flip_y"}
    assert match_frames(video([2], mirrored=True), index, mirrored=False) == []
    assert match_frames(video([]), index) == []


def test_threads_search_while_one_adds() -> None:
    index = filled()
    expected = index.search(video([3, 1]))
    mine = {match.id for match in expected}
    problems: list[object] = []
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            found = [m for m in index.search(video([3, 1])) if m.id in mine]
            if found != expected:
                problems.append([m.id for m in found])

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(60):
        index.upsert(f"more {i % 7}", video([i % 10], noise=3, seed=i))
        if i % 20 == 19:
            index.compact()
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []


# Files


def test_one_writer_and_any_number_of_readers(tmp_path: Path) -> None:
    with filled(tmp_path / "i") as index, VideoIndex.open(tmp_path / "i", read_only=True) as reader:
        with pytest.raises(IndexLockedError):
            VideoIndex.open(tmp_path / "i")
        changes: list[Callable[[], None]] = [
            lambda: reader.add("a", video([1])),
            lambda: reader.remove("video 1"),
            lambda: reader.upsert("video 1", video([1])),
            reader.compact,
        ]
        for change in changes:
            with pytest.raises(UnsupportedOperationError):
                change()
        index.add("new", video([9, 9]))
        assert "new" in [match.id for match in reader.search(video([9, 9]))]
        index.remove("new")
        assert "new" not in [match.id for match in reader.search(video([9, 9]))]


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    with filled(tmp_path / "i") as index:
        index.compact()
        index.snapshot(tmp_path / "copy")
        for path in tmp_path.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path


def test_what_was_removed_is_in_no_file_after_compact(tmp_path: Path) -> None:
    secret = video([4], noise=0)
    needles = [row.tobytes() for row in secret.hashes.packed]
    # The record is base64: one of three ways to cut it into groups of three bytes.
    needles += [
        base64.b64encode(row.tobytes()[i : i + 30])
        for row in secret.hashes.packed
        for i in range(3)
    ]
    needles += [b"secret-id", b"secret-metadata"]

    def seen() -> list[bytes]:
        data = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
        return [needle for needle in needles if needle in data]

    with filled(tmp_path / "i", n=3) as index:
        index.remove("video 1")  # It shows shot 4, too.
        for i in range(4):
            index.add(f"secret-id {i}", secret, {"about": "secret-metadata"})
        index.compact()
        assert len(seen()) >= 2 + 2 * len(secret)
        index.upsert("secret-id 1", video([8]))
        index.remove([one for one in index if one.startswith("secret-id")])
        index.compact()
        assert index.verify().ok
        assert seen() == []


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, IndexFormatError, "found nothing; expected a video index"),
        ({}, IndexFormatError, f"found no {MARKER} in it"),
        ({MARKER: b"{"}, IndexFormatError, "another program's"),
        ({MARKER: b"[]"}, IndexFormatError, "another program's"),
        ({MARKER: b"{}" * 9999}, IndexFormatError, "another program's"),
        ({MARKER: b'{"what": "mine", "format": 1}'}, IndexFormatError, "another program's"),
        (
            {MARKER: b'{"what": "fingerprint video index", "format": 2}'},
            IndexFormatError,
            "found format 2",
        ),
        (
            {MARKER: b'{"what": "fingerprint video index", "format": 1}'},
            CorruptIndexError,
            "frames is missing",
        ),
    ],
)
def test_foreign_directories(
    tmp_path: Path, content: dict[str, bytes] | None, error: type[Exception], message: str
) -> None:
    path = tmp_path / "i"
    if content is not None:
        path.mkdir()
        for name, data in content.items():
            (path / name).write_bytes(data)
    with pytest.raises(error, match=message):
        VideoIndex.open(path)
    with pytest.raises(error, match=message):
        VideoIndex.rebuild(path)
    if content:
        with pytest.raises(IndexFormatError, match="something there already"):
            VideoIndex.create(path)
        assert {p.name: p.read_bytes() for p in path.iterdir()} == content


def test_an_index_of_pictures_is_no_video_index_and_the_other_way_round(tmp_path: Path) -> None:
    Index.create(tmp_path / "pictures").close()
    VideoIndex.create(tmp_path / "videos").close()
    with pytest.raises(IndexFormatError, match="an index of pictures"):
        VideoIndex.open(tmp_path / "pictures")
    with pytest.raises(IndexFormatError, match="an index of videos"):
        Index.open(tmp_path / "videos")
    with filled() as index, pytest.raises(IndexFormatError, match="something there already"):
        index.snapshot(tmp_path / "videos")


def catalog(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path / FRAMES / "catalog.sqlite", isolation_level=None)


def test_entries_that_make_up_no_video_are_ignored_and_told_of(tmp_path: Path) -> None:
    with filled(tmp_path / "i") as index:
        expected = index.search(video([3, 1]))
    with Index.open(tmp_path / "i" / FRAMES) as frames:
        frames.add(None, video([3, 1], noise=2).hashes)
    with VideoIndex.open(tmp_path / "i") as index:
        assert index.search(video([3, 1])) == expected
        problems = index.verify().problems
        assert len(problems) == 16
        assert all("belongs to no video" in problem for problem in problems)
    assert VideoIndex.rebuild(tmp_path / "i", drop_damaged=True).ok
    with VideoIndex.open(tmp_path / "i") as index:
        assert index.search(video([3, 1])) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"min_quality": 50, "video": "AAAA", "metadata": {}}',
        '{"min_quality": 50, "video": "é", "metadata": {}}',
        "[1]",
    ],
)
def test_a_record_that_is_none_is_damage(tmp_path: Path, text: str) -> None:
    filled(tmp_path / "i").close()
    with Index.open(tmp_path / "i" / FRAMES) as frames:
        entry = frames.get("video 3")
        frames.upsert("video 3", entry.hash, json.loads(text) if text[0] == "{" else {"a": 1})
        assert len(frames) > 12
    with VideoIndex.open(tmp_path / "i") as index:
        with pytest.raises(CorruptIndexError, match="'video 3' is no video's record"):
            index.get("video 3")
        assert any("no video's record" in problem for problem in index.verify().problems)
    assert VideoIndex.rebuild(tmp_path / "i", drop_damaged=True).ok
    with VideoIndex.open(tmp_path / "i") as index:
        assert len(index) == 11
        assert index.search(video([2]))


def test_a_damaged_record_is_dropped_and_damaged_frames_come_back(tmp_path: Path) -> None:
    index = filled(tmp_path / "i")
    long = video(list(range(9)))  # 72 rows: its frames are stored as a block.
    index.add("long", long)
    query = video([2, 6])
    expected = index.search(query)
    index.compact()
    index.close()
    with closing(catalog(tmp_path / "i")) as db:
        changed = db.execute("UPDATE blocks SET hashes = zeroblob(length(hashes))")
        assert changed.rowcount == 1
        db.execute("UPDATE entries SET metadata = replace(metadata, 'a', 'b') WHERE id = 'video 6'")
    with VideoIndex.open(tmp_path / "i", read_only=True) as index:
        assert len(index.verify().problems) >= 2
        with pytest.raises(CorruptIndexError):
            index.get("video 6")
    with pytest.raises(CorruptIndexError):
        VideoIndex.rebuild(tmp_path / "i")
    assert VideoIndex.rebuild(tmp_path / "i", drop_damaged=True).ok
    with VideoIndex.open(tmp_path / "i") as index:
        assert index.get("long").video_hash == long
        assert index.search(query) == [match for match in expected if match.id != "video 6"]
        assert "video 6" not in index


def test_a_segment_that_says_something_else_is_no_false_match(tmp_path: Path) -> None:
    with filled(tmp_path / "i") as index:
        index.compact()
        query = index.get("video 5").video_hash
    (column,) = (tmp_path / "i").rglob("hashes.npy")
    data = bytearray(column.read_bytes())
    first = int(data.index(query.hashes.packed[2].tobytes()))
    data[first] ^= 1
    column.write_bytes(bytes(data))
    with VideoIndex.open(tmp_path / "i") as index:
        with pytest.raises(CorruptIndexError, match=r"VideoIndex\.rebuild mends it"):
            index.search(query)
        with pytest.raises(CorruptIndexError, match=r"VideoIndex\.rebuild mends it"):
            index.search_image(query.hashes[2])
        assert not index.verify().ok
    assert VideoIndex.rebuild(tmp_path / "i").ok
    with VideoIndex.open(tmp_path / "i") as index:
        assert index.search(query)[0].id == "video 5"


def test_other_algorithms_and_sizes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    packed = rng.integers(0, 256, (12, 5), dtype=np.uint8)
    one = video([1, 2])
    parts = {name: getattr(one, name) for name in one.__dataclass_fields__}
    for name in ("start_s", "end_s", "numbers", "counts"):
        parts[name] = parts[name][:12]
    mine = VideoHash(**{**parts, "hashes": HashArray(packed, "mine", version=3)})
    with VideoIndex.create(tmp_path / "i", "mine", bits=40, version=3) as index:
        index.add("a", mine)
        with pytest.raises(ValueError, match="radius: mine has no published one"):
            index.search(mine)
        assert [match.id for match in index.search(mine, radius=2)] == ["a"]
        assert index.search_image(mine.hashes[3], radius=0)[0].spans == ((3.0, 3.0, 0),)
        assert (index.info()["videos"], index.info()["algorithm"]) == (1, "mine")
