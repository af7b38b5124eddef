"""What the tests of plain hash lists share: hashes, any changes, and shortened answers."""

from __future__ import annotations

import hashlib
import io
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from fingerprint.lists import HASH_TYPES, Change, Opinion, Record, Rejected, Retraction
from fingerprint.lists.formats import get_format
from fingerprint.lists.reading import read_list

MD5 = "b62519e2e29a38daff5d14eda5bb93a0"
MD5_B = "0f593ca6fae8560c8dc3c8f3f44b649e"
SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80701"
SHA256 = "fe90a7e910cb3a4739bed9180e807e93fa70c90f25a8915476f5e4bfbac681db"
SHA512 = "1f" * 64
PDQ = "b01921399691cc1a45d7790511db66740232404aac15b5d59ef7b5fed2e63086"
PHASH = "c3b1a5970f0e5a5a"
PHOTODNA = "0123456789abcdef" * 18
NATIVE = {"source": "q", "record_id": "1", "hashes": {"md5": MD5}}


def read(data: str | bytes, kind: str, **options: Any) -> list[Change]:
    raw = data.encode() if isinstance(data, str) else data
    return list(read_list(raw, kind, list_source="s", **options))


def record(record_id: str, hashes: dict[str, str], **fields: Any) -> Record:
    return Record("s", record_id, hashes, **fields)


def id_of(*typed: str) -> str:
    """Id of a record that came without one, from the rule in words."""
    return hashlib.sha256(",".join(sorted(typed)).encode()).hexdigest()[:32]


def rows_and_ids(changes: list[Change]) -> list[tuple[Any, ...]]:
    """Shorten changes: rows of the rejected, ids of the others."""
    return [
        (one.row, one.whole) if isinstance(one, Rejected) else (type(one).__name__, one.record_id)
        for one in changes
    ]


times = st.datetimes(timezones=st.just(UTC)) | st.datetimes(
    min_value=datetime(1900, 1, 1), timezones=st.just(timezone(timedelta(hours=5.5)))
)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def hashes(draw: st.DrawFn) -> dict[str, str]:
    kinds = draw(st.sets(st.sampled_from([k for k in HASH_TYPES if k != "tmk_pdqf"]), min_size=1))
    rng = random.Random(draw(st.integers()))
    made = {}
    for kind in kinds:
        made[kind] = "".join(rng.sample("0123456789abcdef" * 20, HASH_TYPES[kind].bits // 4))
    if "vpdq" in made:
        made["vpdq"] = f"0,80,{PDQ},0.000\n1,75,{PDQ},1.000"
    return made


records = st.builds(
    Record,
    names,
    names,
    hashes(),
    media=st.sampled_from(["image", "video", "unknown"]),
    category=words,
    severity=words,
    flags=st.lists(words, max_size=3).map(tuple),
    opinions=st.lists(
        st.builds(Opinion, words, words, st.lists(words, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    first_seen=st.none() | times,
    last_seen=st.none() | times,
    views=st.dictionaries(st.sampled_from(["identity", "flip"]), st.just(PDQ)),
    raw=st.dictionaries(words, json_values, max_size=3),
)
retractions = st.builds(Retraction, names, names, st.none() | times, words)
change_lists = st.lists(records | retractions, max_size=6)


def written(changes: list[Any], kind: str) -> bytes:
    write = get_format(kind).write
    assert write is not None
    stream = io.BytesIO()
    assert write(iter(changes), stream) == len(changes)
    return stream.getvalue()
