"""The parts of an evaluation: intervals, pictures and halves, groups, scores, what is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import binomtest

import fingerprint as fp
from fingerprint.evaluate.contenders import Contender, ViewedHashes, resolve_contenders
from fingerprint.evaluate.originals import bounded, find_pictures, half_of
from fingerprint.evaluate.pairs import (
    LEFT_OUT,
    LOW_QUALITY,
    OWN,
    SAME_FOLDER,
    References,
    group_pictures,
    signature,
)
from fingerprint.evaluate.resume import finished_in
from fingerprint.evaluate.statistics import (
    FalsePairs,
    largest_radius,
    pair_rate_interval,
    row_rate_interval,
    wilson,
)
from fingerprint.evaluate.synthesis import photo


def random_hashes(n: int, seed: int, nbytes: int = 8) -> fp.HashArray:
    packed = np.random.default_rng(seed).integers(0, 256, (n, nbytes), np.uint8)
    return fp.HashArray(packed, "toy", quality=np.full(n, 80))


def ones(a: bytes, b: bytes) -> int:
    return sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True))


@given(st.integers(1, 400), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    found = data.draw(st.integers(0, n))
    expected = binomtest(found, n).proportion_ci(0.95, method="wilson")
    assert wilson(found, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_known_values() -> None:
    # Agresti and Coull (1998), and the interval of none of ten.
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
    assert wilson(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="found: expected 0 to n, got 3 of 2"):
        wilson(3, 2)


def test_largest_radius_by_hand() -> None:
    false = np.array([0, 0, 1, 0, 9, 90])
    assert largest_radius(false, 100, 0) == 1
    assert largest_radius(false, 100, 0.01) == 3
    assert largest_radius(false, 100, 0.0099) == 1
    assert largest_radius(false, 100, 0.1) == 4
    assert largest_radius(false, 100, 1) == 5
    assert largest_radius(np.array([1, 0]), 100, 0.001) == -1
    assert largest_radius(np.array([0, 0]), 100, 0) == 1


def test_one_picture_that_is_near_to_all_widens_the_interval() -> None:
    n = 100
    others = np.arange(1, n)
    zeros, ones_ = np.zeros(n - 1, np.int64), np.ones(n - 1, np.int64)
    hub = FalsePairs(np.r_[zeros, others], np.r_[others, zeros], np.r_[ones_, ones_])
    scattered = np.arange(0, n, 2)
    many = FalsePairs(
        np.r_[scattered, scattered + 1], np.r_[scattered + 1, scattered], np.ones(n, np.int64)
    )
    pairs = np.full(n, n - 1)
    rate = 2 * (n - 1) / (n * (n - 1))
    low, high = pair_rate_interval(hub, pairs, n, seed=0)
    # Without that picture, as one sample in e is, there is nothing.
    assert low == 0
    assert high > 2 * rate
    low, high = pair_rate_interval(many, pairs, n, seed=0)
    assert 0.3 * rate < low < 0.5 * rate < high
    assert pair_rate_interval(many, pairs, n, seed=0) == (low, high)


def test_the_interval_of_rows_covers_the_rate() -> None:
    false = np.random.default_rng(1).poisson(2.0, 200)
    low, high = row_rate_interval(false, np.full(200, 100), seed=0)
    assert low < 0.02 < high
    # As the central limit theorem has it.
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(2 / 200) / 100, rel=0.25)


def test_halves_are_those_of_the_digest_and_stay_when_files_are_added(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    names = [f"b/{i}.png" if i % 2 else f"{i}.png" for i in range(40)]
    for name in names:
        Image.new("RGB", (20, 20)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    tune = [one.name for one in find_pictures(tmp_path, half="tune")]
    report = [one.name for one in find_pictures(tmp_path, half="report")]
    assert sorted(tune + report) == sorted(names)
    assert 8 < len(tune) < 32
    for name in names:
        first_bit = hashlib.blake2b(name.encode(), digest_size=8).digest()[0] >> 7
        assert half_of(name) == ("report" if first_bit else "tune")
    Image.new("RGB", (20, 20)).save(tmp_path / "new.png")
    more = {one.name for one in find_pictures(tmp_path, half="tune")}
    assert more - {"new.png"} == set(tune)
    folders = {one.folder for one in find_pictures(tmp_path)}
    assert folders == {str(tmp_path.resolve()), str((tmp_path / "b").resolve())}


def test_a_limit_draws_by_name_and_seed(tmp_path: Path) -> None:
    for i in range(30):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{i:02}.png")
    some = [one.name for one in find_pictures(tmp_path, limit=10)]
    assert some == sorted(some)
    assert len(some) == 10
    assert some == [one.name for one in find_pictures(tmp_path, limit=10)]
    assert some != [one.name for one in find_pictures(tmp_path, limit=10, seed=1)]
    fewer = {one.name for one in find_pictures(tmp_path, limit=5)}
    assert fewer < set(some)


def test_sources_of_every_kind() -> None:
    array = photo(1, 60, 80)
    found = find_pictures([array, Image.fromarray(array)])
    assert all(np.array_equal(one.pixels(None), array) for one in found)
    assert found[0].pixels(40).shape == (30, 40, 3)
    grey = find_pictures([array[..., 0]])[0].pixels(None)
    assert grey.shape == (60, 80, 3)
    assert bounded(array, 100) is not None
    with pytest.raises(TypeError, match="sources: expected a folder or an iterable"):
        find_pictures(array)
    with pytest.raises(ValueError, match="expected each picture once"):
        find_pictures(["a.png", "a.png"])
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        find_pictures("no such folder")


def test_pictures_that_show_the_same_are_grouped_in_any_position() -> None:
    import cv2

    first, second, third = photo(1), photo(2), photo(3)
    smaller = np.asarray(cv2.resize(first, (320, 240), interpolation=cv2.INTER_AREA), np.uint8)
    turned = np.ascontiguousarray(np.rot90(smaller))
    mirrored = np.ascontiguousarray(second[:, ::-1])
    some = [signature(one) for one in (first, second, turned, third, mirrored)]
    assert group_pictures(some).tolist() == [0, 1, 0, 3, 1]
    assert group_pictures([]).tolist() == []


def test_flat_pictures_are_grouped_only_when_they_look_alike() -> None:
    slope = np.linspace(0, 6, 200)[:, None, None] + np.linspace(0, 9, 200)[None, :, None]
    dark, light, again = (np.uint8(slope + level).repeat(3, axis=2) for level in (40, 200, 41))
    some = [signature(one) for one in (dark, light, again)]
    assert max(one.quality for one in some) < 50
    assert some[0].positions[0] - some[1].positions[0] <= 31
    assert group_pictures(some).tolist() == [0, 1, 0]


def test_scores_are_those_of_a_slow_loop() -> None:
    generator = np.random.default_rng(5)
    lengths = [1, 3, 0, 2, 5]
    stored = [random_hashes(n, seed) for seed, n in enumerate(lengths)]
    query = ViewedHashes(random_hashes(4, 99), generator.integers(0, 9, 4), ("a", "b", "b", "c"))
    zeros = np.zeros(5, np.int64)
    references = References(
        stored, [80] * 5, bits=64, min_quality=50, folders=zeros, groups=np.arange(5)
    )
    scores, views = references.compare(query)
    for i, rows in enumerate(stored):
        each = [
            min([64, *(ones(q.packed, r.packed) + int(h) for r in rows)])
            for q, h in zip(query.hashes, query.handicaps, strict=True)
        ]
        assert scores[i] == min(each)
        assert views[i] == each.index(min(each)) or scores[i] == 64


def test_strata_by_hand() -> None:
    stored = [random_hashes(1, seed) for seed in range(6)]
    references = References(
        stored,
        [80, 80, 20, 20, 80, 80],
        bits=64,
        min_quality=50,
        folders=np.array([0, 0, 0, 1, 1, 1]),
        groups=np.array([0, 1, 2, 3, 4, 0]),
    )
    both = SAME_FOLDER + LOW_QUALITY
    assert references.strata(0, low=False).tolist() == [OWN, 1, both, LOW_QUALITY, 0, LEFT_OUT]
    assert references.strata(0, low=True).tolist() == [
        *(OWN, both, both, LOW_QUALITY, LOW_QUALITY, LEFT_OUT)
    ]


def test_views_are_checked() -> None:
    hashes = random_hashes(2, 0)
    with pytest.raises(ValueError, match="handicaps: expected 2 whole numbers"):
        ViewedHashes(hashes, np.array([0]), ("a", "b"))
    with pytest.raises(ValueError, match="handicaps: expected 2 whole numbers"):
        ViewedHashes(hashes, np.array([0, -1]), ("a", "b"))
    with pytest.raises(ValueError, match="names: expected 2"):
        ViewedHashes(hashes, np.array([0, 1]), ("a",))


def test_contenders_of_every_kind(imagehash: object) -> None:
    def mine(pixels: np.ndarray) -> fp.Hash:
        return fp.hash_image(pixels, "dhash")

    found, _ = resolve_contenders(
        ["pdq", fp.get_algorithm("phash:16"), mine, "imagehash.dhash", "crop_resistant"],
        peers=False,
    )
    assert [one.name for one in found] == [
        *("pdq", "phash:16", "mine", "imagehash.dhash", "crop_resistant")
    ]
    assert [one.bits for one in found] == [256, 256, 64, 64, 64]
    assert found[2].radius is None
    pixels = photo(4)
    ours, theirs = found[2].query(pixels), found[3].query(pixels)
    assert ours.hashes[0].packed == theirs.hashes[0].packed
    segments = found[4]
    assert len(segments.reference(pixels)) == len(fp.hash_segments(pixels).segments)
    assert set(segments.query(pixels).names) == {"segment"}


def test_a_peer_is_the_package_itself(pdqhash: object) -> None:
    peer: Contender = resolve_contenders(["pdqhash"], peers=False)[0][0]
    pixels = photo(5)
    ours = fp.hash_image(pixels)
    assert peer.query(pixels).hashes[0].packed == ours.packed
    assert peer.reference(pixels).quality[0] == ours.quality


def test_perception_is_the_package_itself() -> None:
    hashers = pytest.importorskip("perception.hashers", reason="perception is not installed")
    pixels = photo(5)
    for name, hasher in (
        ("perception.phash", hashers.PHash()),
        ("perception.phash:16", hashers.PHash(hash_size=16)),
        ("perception.dhash", hashers.DHash()),
    ):
        peer = resolve_contenders([name], peers=False)[0][0]
        hashed = peer.query(pixels).hashes[0]
        assert hashed.bits == peer.bits
        assert hashed.hex == hasher.compute(pixels, hash_format="hex")


def test_who_cannot_take_part() -> None:
    with pytest.raises(fp.UnknownAlgorithmError, match="nohash"):
        resolve_contenders(["nohash"], peers=False)
    with pytest.raises(ValueError, match="got 'pdq' twice"):
        resolve_contenders(["pdq", "pdq"], peers=False)
    with pytest.raises(ValueError, match="expected at least one"):
        resolve_contenders([], peers=False)
    with pytest.raises(TypeError, match="expected a sequence of algorithms, got str"):
        resolve_contenders("pdq", peers=False)
    with pytest.raises(TypeError, match="got int"):
        resolve_contenders([3], peers=False)  # type: ignore[list-item]
    with pytest.raises(TypeError, match="returns Hash, got int"):
        resolve_contenders([lambda pixels: 3], peers=False)  # type: ignore[list-item,return-value]


def test_peers_that_are_not_installed_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    from fingerprint.evaluate import peers

    monkeypatch.setattr(peers, "is_installed", lambda package: False)
    found, notes = resolve_contenders(["pdq"], peers=True)
    assert [one.name for one in found] == ["pdq"]
    assert "imagehash is not installed: left out" in notes
    with pytest.raises(fp.UnsupportedOperationError, match="pip install imagehash"):
        resolve_contenders(["imagehash.phash"], peers=False)


def test_what_is_kept_survives_a_torn_line(tmp_path: Path) -> None:
    with finished_in(tmp_path) as finished:
        finished.record("a", {"x": 1})
        finished.record("b", [1, 2])
    path = tmp_path / "finished.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:-4])
    with finished_in(tmp_path) as finished:
        assert finished.get("a") == {"x": 1}
        assert finished.get("b") is None
        finished.record("b", [3])
    path.write_bytes(path.read_bytes() + b"rubbish\n\x00\xff {}\n")
    with finished_in(tmp_path) as finished:
        assert (finished.get("a"), finished.get("b")) == ({"x": 1}, [3])
        with (
            pytest.raises(fp.IndexLockedError, match="another evaluation writes there"),
            finished_in(tmp_path),
        ):
            pass
    with finished_in(None) as nothing:
        nothing.record("a", 1)
        assert nothing.get("a") is None
