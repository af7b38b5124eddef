"""The values: what a hash is, how it is written, and what it compares with."""

from __future__ import annotations

import base64
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fingerprint.algorithms import get_algorithm
from fingerprint.errors import (
    FingerprintError,
    HashFormatError,
    IncompatibleHashError,
    UnknownAlgorithmError,
)
from fingerprint.hash_arrays import HashArray
from fingerprint.hashes import Hash
from fingerprint.testing.strategies import hashes
from tests import naive

BITS = (1, 7, 8, 9, 42, 64, 100, 128, 256, 300)
any_bits = st.sampled_from(BITS)
kinds = any_bits.flatmap(lambda bits: st.lists(hashes("pdq", bits), min_size=1, max_size=20))


def triple(bits: int) -> st.SearchStrategy[tuple[Hash, Hash, Hash]]:
    one = hashes("pdq", bits)
    return st.tuples(one, one, one)


@given(any_bits.flatmap(triple))
def test_distance_is_a_metric(three: tuple[Hash, Hash, Hash]) -> None:
    a, b, c = three
    assert a - a == 0
    assert a - b == b - a
    assert (a - b == 0) == (a == b)
    assert a - c <= (a - b) + (b - c)
    assert 0 <= a - b <= a.bits
    assert a - b == naive.hamming(a.packed, b.packed) == int((a.to_bits() != b.to_bits()).sum())


@given(kinds)
def test_every_way_of_writing_is_read_back(found: list[Hash]) -> None:
    for h in found:
        assert Hash.from_hex(h.hex, h.algorithm, bits=h.bits) == h
        assert Hash.from_hex(h.hex.upper(), h.algorithm, bits=h.bits) == h
        assert Hash.from_base64(h.base64, h.algorithm, bits=h.bits) == h
        assert Hash.from_bits(h.to_bits(), h.algorithm, quality=h.quality) == h
        assert Hash.from_bits(h.to_bits().tolist(), h.algorithm).packed == h.packed
        assert pickle.loads(pickle.dumps(h)) == h  # noqa: S301
        assert len(h.hex) == -(-h.bits // 4)
        assert str(h) == h.hex
        assert h.to_numpy().tobytes() == h.packed
        if h.bits % 8 == 0:
            assert Hash.from_hex(h.legacy_hex, h.algorithm, bits=h.bits, legacy=True) == h
        else:
            with pytest.raises(HashFormatError):
                _ = h.legacy_hex
            with pytest.raises(HashFormatError):
                Hash.from_hex(h.hex, h.algorithm, bits=h.bits, legacy=True)


@pytest.mark.parametrize(
    "name", ["pdq", "phash", "phash:16", "phash:3", "phash:4", "colorhash", "colorhash:1"]
)
@given(data=st.data())
def test_parse_reads_tagged_hex_and_base64(name: str, data: st.DataObject) -> None:
    h = data.draw(hashes(name))
    assert Hash.parse(h.tagged) == h
    assert Hash.parse(f"  {h.tagged}\n") == h
    assert Hash.parse(h.hex, name, quality=7).quality == 7
    assert Hash.parse(h.tagged, name) == h
    assert Hash.parse(h.base64, name) == h
    assert Hash.parse(f"{name}:{h.base64}") == h


def test_hex_is_one_big_integer_with_the_first_bit_on_top() -> None:
    bits = [True] + [False] * 41
    assert Hash.from_bits(bits, "colorhash").hex == "20000000000"
    assert Hash.from_bits(bits[::-1], "colorhash").hex == "00000000001"
    assert Hash.from_bits(bits, "colorhash").packed == b"\x80\0\0\0\0\0"


def test_colorhash_of_42_bits_round_trips() -> None:
    h = Hash.parse("07007000000", "colorhash")
    assert h.bits == 42
    assert h.hex == "07007000000"
    assert Hash.parse(h.tagged) == h
    with pytest.raises(HashFormatError):
        Hash.parse("7fffffff000", "colorhash")


def test_old_hex_of_imagehash_has_its_bytes_backwards() -> None:
    old, new = "5d3121cad6cbc366", "ba8c84536bd3c366"
    h = Hash.from_hex(old, "phash", legacy=True)
    assert h.hex == new
    assert h.legacy_hex == old
    assert h == Hash.parse(new, "phash")


SECRET = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        (SECRET[:-1], "pdq"),
        (SECRET + "0", "pdq"),
        (SECRET[:-1] + "g", "pdq"),
        ("-" + SECRET[1:], "pdq"),
        ("0x" + SECRET[2:], "pdq"),
        (SECRET[:30] + "_" + SECRET[31:], "pdq"),
        ("²" * 64, "pdq"),
        ("٣" * 64, "pdq"),
        (SECRET, None),
        ("", "pdq"),
        ("", None),
        ("pdq:", None),
        (":" + SECRET, None),
        ("phash:" + SECRET[:16], "pdq"),
        ("f" * 11, "colorhash"),
        (base64.b64encode(bytes(31)).decode()[:-1] + "*", "pdq"),
        ("é" * 44, "pdq"),
        (SECRET[:42] + "==", "phash:16"),
    ],
)
def test_malformed_text_is_refused_without_repeating_it(text: str, algorithm: str | None) -> None:
    with pytest.raises(HashFormatError) as caught:
        Hash.parse(text, algorithm)
    told = f"{caught.value} {caught.value!r}"
    if len(text) > 16:
        assert text not in told
        assert not any(text[i : i + 17] in told for i in range(len(text) - 16))


@given(st.text(max_size=80))
def test_any_text_is_a_hash_or_a_typed_error(text: str) -> None:
    for algorithm in (None, "pdq", "colorhash", "phash:4"):
        try:
            found = Hash.parse(text, algorithm)
        except FingerprintError:
            continue
        assert Hash.parse(found.tagged).packed == found.packed


def test_unknown_names_are_named() -> None:
    with pytest.raises(UnknownAlgorithmError) as caught:
        Hash.parse("md5:" + SECRET[:32])
    assert caught.value.name == "md5"
    assert "pdq" in caught.value.known
    with pytest.raises(HashFormatError):
        HashArray.from_hex([SECRET, "junk"], "pdq")


def test_repr_does_not_show_the_hash() -> None:
    h = Hash.parse(SECRET, "pdq", quality=80)
    array = HashArray.from_hashes([h, h])
    for shown in (repr(h), repr(array), repr([h]), f"{array}"):
        assert SECRET[:17] not in shown
        assert repr(h.packed)[2:-1] not in shown
    assert "quality=80" in repr(h)


def test_wrong_parts_are_refused() -> None:
    with pytest.raises(HashFormatError):
        Hash("pdq", bytes(31), 256)
    with pytest.raises(HashFormatError):
        Hash("colorhash", b"\xff" * 6, 42)
    with pytest.raises(HashFormatError):
        Hash("pdq", b"", 0)
    for quality in (-1, 101):
        with pytest.raises(ValueError, match="quality"):
            Hash("pdq", bytes(32), 256, quality)
    with pytest.raises(ValueError, match="uint8"):
        HashArray(np.zeros((2, 32), np.int8), "pdq")
    with pytest.raises(ValueError, match="nbytes"):
        HashArray(np.zeros(32, np.uint8), "pdq")
    with pytest.raises(HashFormatError):
        HashArray(np.full((2, 6), 255, np.uint8), "colorhash", bits=42)
    with pytest.raises(ValueError, match="quality"):
        HashArray(np.zeros((2, 32), np.uint8), "pdq", quality=[1, 2, 3])
    with pytest.raises(ValueError, match="quality"):
        HashArray(np.zeros((2, 32), np.uint8), "pdq", quality=[1, 101])


def test_equality_is_of_kind_and_bits_alone() -> None:
    a = Hash("pdq", bytes(32), 256, 10)
    assert a == Hash("pdq", bytes(32), 256, 90)
    assert hash(a) == hash(Hash("pdq", bytes(32), 256, None))
    others = [
        Hash("pdq", bytes(31) + b"\1", 256, 10),
        Hash("pdq", bytes(32), 256, 10, version=2),
        Hash("phash:16", bytes(32), 256, 10),
        Hash("pdq", bytes(32), 255, 10),
        None,
        a.hex,
        a.packed,
    ]
    for other in others:
        assert a != other
        assert not a == other  # noqa: SIM201 - both operators are methods
    assert len({a, *others[:4]}) == 5
    with pytest.raises(AttributeError):
        a.bits = 3  # type: ignore[misc]


def test_incompatible_hashes_do_not_compare() -> None:
    a = Hash("pdq", bytes(32), 256)
    others = [Hash("phash:16", bytes(32), 256), Hash("pdq", bytes(32), 256, version=2)]
    others.append(Hash("pdq", bytes(31), 248))
    array = HashArray.from_hashes([a])
    for other in others:
        with pytest.raises(IncompatibleHashError):
            _ = a - other
        with pytest.raises(IncompatibleHashError):
            array.distances(other)
        with pytest.raises(IncompatibleHashError):
            array.distances(HashArray.from_hashes([other]))
        with pytest.raises(IncompatibleHashError):
            HashArray.from_hashes([a, other])
        with pytest.raises(IncompatibleHashError):
            HashArray.concatenate([array, HashArray.from_hashes([other])])
    for other_type in (None, 3, "0" * 64):
        with pytest.raises(TypeError):
            _ = a - other_type


@given(kinds)
def test_array_keeps_its_hashes(found: list[Hash]) -> None:
    array = HashArray.from_hashes(found)
    assert len(array) == len(found)
    assert list(array) == found
    assert [h.quality for h in array] == [h.quality for h in found]
    assert array.to_hex() == [h.hex for h in found]
    assert HashArray.from_hex(array.to_hex(), "pdq", bits=array.bits) == array
    assert HashArray(array.packed, "pdq", bits=array.bits, quality=array.quality) == array
    assert array[-1] == found[-1]
    assert HashArray.concatenate([array, array]).to_hex() == array.to_hex() * 2
    spare = array.words.view(np.uint8)[:, array.packed.shape[1] :]
    assert not spare.any()
    with pytest.raises(IndexError):
        array[len(found)]


@given(kinds, st.data())
def test_slices_masks_and_rows_select_like_a_list(found: list[Hash], data: st.DataObject) -> None:
    array = HashArray.from_hashes(found)
    cut = data.draw(st.slices(len(found)))
    assert list(array[cut]) == found[cut]
    assert [h.quality for h in array[cut]] == [h.quality for h in found[cut]]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found))))
    assert list(array[mask]) == [h for h, wanted in zip(found, mask, strict=True) if wanted]
    rows = data.draw(st.lists(st.integers(0, len(found) - 1), max_size=9))
    assert list(array[np.array(rows, int)]) == [found[r] for r in rows]


@given(kinds, st.data())
def test_distances_are_those_of_single_hashes(found: list[Hash], data: st.DataObject) -> None:
    array = HashArray.from_hashes(found)
    others = data.draw(st.lists(hashes("pdq", array.bits), min_size=1, max_size=4))
    table = array.distances(HashArray.from_hashes(others))
    assert table.shape == (len(found), len(others))
    for i, a in enumerate(found):
        assert table[i].tolist() == [naive.hamming(a.packed, b.packed) for b in others]
    for j, b in enumerate(others):
        assert array.distances(b).tolist() == table[:, j].tolist()


@given(kinds, st.data())
def test_arrow_round_trip_also_sliced_and_chunked(found: list[Hash], data: st.DataObject) -> None:
    pa = pytest.importorskip("pyarrow")
    array = HashArray.from_hashes(found)
    column = array.to_arrow()
    assert column.type == pa.binary(array.packed.shape[1])
    assert column.to_pylist() == [h.packed for h in found]
    assert HashArray.from_arrow(column, "pdq", bits=array.bits) == array
    start = data.draw(st.integers(0, len(found)))
    length = data.draw(st.integers(0, len(found) - start))
    part = HashArray.from_arrow(column.slice(start, length), "pdq", bits=array.bits)
    assert list(part) == found[start : start + length]
    chunked = pa.chunked_array([column.slice(start), column.slice(0, start)], type=column.type)
    joined = HashArray.from_arrow(chunked, "pdq", bits=array.bits)
    assert list(joined) == found[start:] + found[:start]
    # The array must outlive the buffers that it came from.
    assert array[1:].to_arrow().to_pylist() == [h.packed for h in found[1:]]


def test_arrow_of_another_type_or_with_nulls_is_refused() -> None:
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(TypeError, match="fixed_size_binary"):
        HashArray.from_arrow(pa.array([b"x" * 32]), "pdq")
    with pytest.raises(ValueError, match="null"):
        HashArray.from_arrow(pa.array([b"x" * 32, None], pa.binary(32)), "pdq")
    empty = HashArray.from_arrow(pa.array([], pa.binary(32)), "pdq")
    assert len(empty) == 0
    assert empty.to_arrow().to_pylist() == []


def test_numpy_views_do_not_copy() -> None:
    packed = np.arange(320, dtype=np.uint8).reshape(10, 32)
    array = HashArray(packed, "pdq")
    assert np.shares_memory(array.packed, packed)
    assert np.shares_memory(array[2:5].packed, packed)
    assert array.words.shape == (10, 4)
    view = array[0].to_numpy()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


@pytest.mark.parametrize("stored", ["big-endian rows", "strided", "column-major"])
def test_memory_order_does_not_matter(stored: str) -> None:
    packed: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (9, 32), dtype=np.uint8)
    spread = np.zeros((18, 32), np.uint8)
    spread[::2] = packed
    other = {
        "big-endian rows": packed.copy()[::-1][::-1],
        "strided": spread[::2],
        "column-major": np.asfortranarray(packed),
    }[stored]
    assert HashArray(other, "pdq") == HashArray(packed, "pdq")


def test_empty_arrays() -> None:
    like = Hash("pdq", bytes(32), 256)
    empty = HashArray.from_hashes([], like=like)
    assert len(empty) == 0
    assert empty.distances(like).shape == (0,)
    assert empty.distances(HashArray.from_hashes([like])).shape == (0, 1)
    assert HashArray.from_hex([], "pdq") == empty
    with pytest.raises(ValueError, match="at least one"):
        HashArray.from_hashes([])
    with pytest.raises(ValueError, match="at least one"):
        HashArray.concatenate([])


def test_names_of_the_downsampled_family_parse_to_its_label() -> None:
    # pdq:512 labels its hashes pdq, so that both families compare.
    algorithm = get_algorithm("pdq:512")
    assert Hash.parse(f"pdq:512:{SECRET}") - Hash.parse(f"{algorithm.hash_name}:{SECRET}") == 0


def test_strategies_without_hypothesis_name_the_extra() -> None:
    script = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import fingerprint.testing\n"
        "from fingerprint.errors import MissingExtraError\n"
        "try:\n    import fingerprint.testing.strategies\n"
        "except MissingExtraError as error:\n    print(error.package, error.extra)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["hypothesis", "testing"], done.stderr
