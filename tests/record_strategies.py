"""Hypothesis strategies of records, and hashes that are near or equal more often than by chance."""

from __future__ import annotations

import base64
import hashlib
import random
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
from hypothesis import strategies as st

from fingerprint.lists import HASH_TYPES, Opinion, Record
from fingerprint.video import TMKFeature

__all__ = ["digest", "instants", "near", "records", "tmk", "values_of", "vpdq"]

Values = st.SearchStrategy[str]


def digest(name: str, n: int) -> str:
    """A hash of a type of fixed length: digits that follow from a number."""
    nbytes = HASH_TYPES[name].bits // 8
    seed = f"{name} {n}".encode()
    return hashlib.shake_256(seed).hexdigest(nbytes)


def near(name: str, n: int, flipped: int) -> str:
    """The hash of a number with some bits flipped, which follow from their count."""
    bits = HASH_TYPES[name].bits
    value = int(digest(name, n), 16)
    for place in random.Random(flipped).sample(range(bits), flipped):
        value ^= 1 << place
    return f"{value:0{bits // 4}x}"


def vpdq(frames: list[str]) -> str:
    """A video's frames as Meta's tools write them, a second apart."""
    return "".join(f"{30 * i},{90 - i},{one},{i:.3f}\n" for i, one in enumerate(frames))


def tmk(n: int) -> str:
    """Base64 of a small .tmk file."""
    average = np.random.default_rng(n).random(8, np.float32)
    waves = np.zeros((1, 2, 8), np.float32)
    coefficients = np.ones(2, np.float32)
    feature = TMKFeature(20 + n, 15, np.array([31], np.int32), coefficients, average, waves, waves)
    return base64.b64encode(feature.to_bytes()).decode()


def values_of(name: str, numbers: st.SearchStrategy[int]) -> Values:
    """Hashes of a type, of few numbers; perceptual ones also near each other."""
    kind = HASH_TYPES[name]
    if name == "vpdq":
        frames = st.builds(near, st.just("pdq"), numbers, st.sampled_from([0, 1, 9]))
        return st.lists(frames, min_size=1, max_size=3).map(vpdq)
    if name == "tmk_pdqf":
        return numbers.map(tmk)
    if kind.family == "perceptual":
        return st.builds(near, st.just(name), numbers, st.sampled_from([0, 0, 1, 5, 12]))
    return st.builds(digest, st.just(name), numbers)


texts = st.text(st.characters(codec="utf-8"), max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
).filter(lambda value: "inf" not in repr(value))
opinions = st.builds(Opinion, by=texts, value=texts, tags=st.lists(texts, max_size=2).map(tuple))
zones = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours, minutes=30)))
instants = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=zones | st.just(UTC))


def records(
    sources: st.SearchStrategy[str],
    ids: st.SearchStrategy[str],
    *,
    types: tuple[str, ...] = tuple(HASH_TYPES),
    numbers: st.SearchStrategy[int] | None = None,
) -> st.SearchStrategy[Record]:
    """Records of whatever a source may say; few different hashes."""
    numbers = st.integers(0, 5) if numbers is None else numbers
    hashes = st.sets(st.sampled_from(types), min_size=1, max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: values_of(name, numbers) for name in names})
    )
    view_names = st.sampled_from(["crop 5 %", "rotate90", "left half"])
    views = st.dictionaries(view_names, values_of("pdq", numbers), max_size=2)
    return st.builds(
        Record,
        source=sources,
        record_id=ids,
        hashes=hashes,
        media=st.sampled_from(["image", "video", "unknown"]),
        category=texts,
        severity=texts,
        flags=st.lists(texts, max_size=3).map(tuple),
        opinions=st.lists(opinions, max_size=2).map(tuple),
        first_seen=st.none() | instants,
        last_seen=st.none() | instants,
        views=views,
        raw=st.dictionaries(texts, json_values, max_size=3),
    )
