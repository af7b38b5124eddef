"""vPDQ, Meta's way to compare videos by the PDQ hashes of their frames.

Read from facebook/ThreatExchange: ``vpdq/`` (C++, file format, README) and
``python-threatexchange/threatexchange/extensions/vpdq/`` (``vpdq_util.py``,
``vpdq_brute_matcher.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fingerprint.errors import HashFormatError, IncompatibleHashError
from fingerprint.hash_arrays import HashArray, read_only
from fingerprint.hashes import require_same_kind
from fingerprint.video.video_hash import VideoHash

if TYPE_CHECKING:
    from fingerprint.typing import U64

__all__ = [
    "VPDQ_CPP",
    "VPDQ_PYTHON",
    "VPDQ_README",
    "VPDQ_RULES",
    "VpdqComparison",
    "VpdqRule",
    "read_vpdq_json",
    "read_vpdq_text",
    "vpdq_match",
    "write_vpdq_json",
    "write_vpdq_text",
]

_KIND = ("pdq", 1, 256)

_NUMBER = r"([0-9]{1,15})"
_QUALITY = r"(100|[0-9]{1,2})"
_HEX = r"([0-9a-fA-F]{64})"
_TIME = r"([0-9]{1,15}(?:\.[0-9]{0,17})?(?:e[+-]?[0-9]{1,2})?)"
_LINE = re.compile(rf"{_NUMBER},{_QUALITY},{_HEX},{_TIME}")
_SIGNAL = re.compile(rf"{_HEX},{_QUALITY},{_TIME}")


@dataclass(frozen=True, slots=True)
class VpdqRule:
    """How matching frames are counted, and how many of them make a match.

    Parameters
    ----------
    name : str
        What `vpdq_match` takes for it.
    query_percent, reference_percent : float
        Least percentage of each side's frames that must be found in the other, 0 to
        100, inclusive; a match needs both.
    inclusive : bool
        Whether a distance of exactly ``max_distance`` counts.
    distinct : bool
        Whether frames with the same hash count as one: the first, with its quality.
    source : str
        Where it comes from.
    """

    name: str
    query_percent: float
    reference_percent: float
    inclusive: bool
    distinct: bool
    source: str


VPDQ_PYTHON = VpdqRule(
    name="python",
    query_percent=80.0,
    reference_percent=0.0,
    inclusive=True,
    distinct=True,
    source="python-threatexchange, extensions/vpdq/vpdq_util.py (VPDQ_QUERY_MATCH_THRESHOLD_PERCENT"
    " and VPDQ_INDEX_MATCH_THRESHOLD_PERCENT) and vpdq_brute_matcher.py",
)
"""Meta's Python code: most of the query must be known; it may be a small part of the reference."""

VPDQ_README = VpdqRule(
    name="readme",
    query_percent=0.0,
    reference_percent=80.0,
    inclusive=True,
    distinct=True,
    source="vpdq/README.md, 'Comparison (Matching) Algorithm': P_c 80 %, P_q 0 %",
)
"""Meta's README, the reverse: most of the reference must be there, whatever surrounds it."""

VPDQ_CPP = VpdqRule(
    name="cpp",
    query_percent=0.0,
    reference_percent=80.0,
    inclusive=False,
    distinct=False,
    source="vpdq/cpp, matchTwoHash.cpp; the tool prints percentages and decides nothing, "
    "so the README's thresholds stand here",
)
"""Meta's C++ tool: a distance must be *below* 31, and repeated frames count each time."""

VPDQ_RULES = {rule.name: rule for rule in (VPDQ_PYTHON, VPDQ_README, VPDQ_CPP)}
"""The rules by name."""


@dataclass(frozen=True, slots=True)
class VpdqComparison:
    """How much of each of two videos is in the other: evidence, not a verdict.

    Parameters
    ----------
    query_percent, reference_percent : float
        Percentage of its frames that the other has, 0 to 100; both are 0.0 when one
        side has no frame of the quality asked for.
    is_match : bool
        Whether both reach what the rule, or the caller, asks for; never when one side
        has no such frame.
    rule : VpdqRule
        How frames were counted.
    """

    query_percent: float
    reference_percent: float
    is_match: bool
    rule: VpdqRule


def vpdq_match(
    query: VideoHash,
    reference: VideoHash,
    *,
    rule: str | VpdqRule = "python",
    max_distance: int = 31,
    min_quality: int = 50,
    query_percent: float | None = None,
    reference_percent: float | None = None,
) -> VpdqComparison:
    """Compare two videos as vPDQ does: by the share of frames they have in common.

    Frames are compared as a set: neither their order nor their times count.

    Parameters
    ----------
    query, reference : VideoHash
        The two, of one algorithm.
    rule : {"python", "readme", "cpp"} or VpdqRule
        `VPDQ_PYTHON`, `VPDQ_README` or `VPDQ_CPP`: Meta's code and its README disagree.
    max_distance : int
        Hamming distance in bits; the rule says whether it is included.
    min_quality : int
        Frames below it are left out, and do not count in the percentages either.
        Frames of unknown quality stay.
    query_percent, reference_percent : float, optional
        Other thresholds than the rule's, 0 to 100.

    Raises
    ------
    IncompatibleHashError
        They are of different algorithms.
    ValueError
        No such rule, or a number out of range.
    """
    if isinstance(rule, str):
        if rule not in VPDQ_RULES:
            raise ValueError(f"rule: expected one of {', '.join(VPDQ_RULES)}, got {rule!r}")
        rule = VPDQ_RULES[rule]
    if not isinstance(max_distance, int) or max_distance < 0:
        raise ValueError(f"max_distance: expected bits from 0, got {max_distance!r}")
    require_same_kind(query, reference)
    least_query = _percentage("query_percent", query_percent, rule.query_percent)
    least_reference = _percentage("reference_percent", reference_percent, rule.reference_percent)
    query_words = _frames_that_count(query, rule, min_quality)
    reference_words = _frames_that_count(reference, rule, min_quality)
    if not len(query_words) or not len(reference_words):
        return VpdqComparison(0.0, 0.0, False, rule)
    from fingerprint.kernels.frames import mark_shared

    in_query = np.zeros(len(query_words), np.bool_)
    in_reference = np.zeros(len(reference_words), np.bool_)
    radius = max_distance if rule.inclusive else max_distance - 1
    mark_shared(query_words, reference_words, radius, in_query, in_reference)
    of_query = int(in_query.sum()) * 100 / len(in_query)
    of_reference = int(in_reference.sum()) * 100 / len(in_reference)
    is_match = of_query >= least_query and of_reference >= least_reference
    return VpdqComparison(of_query, of_reference, is_match, rule)


def read_vpdq_text(text: str) -> VideoHash:
    """Read what Meta's ``vpdq-hash-video`` writes: lines of ``frame,quality,hex,timestamp``.

    Returns
    -------
    VideoHash
        In order of time. What the text does not say is inferred or left unknown: the
        frame rate is that of the first and last line (0.0 for a single time), the
        duration ends one frame after the last line, and the size is 0. Times are
        rounded to milliseconds, as they were written.

    Raises
    ------
    HashFormatError
        A line is malformed, or there is none. Blank lines are passed over.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected str, got {type(text).__name__}")
    features = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.removesuffix("\r"))
        if found is None:
            raise HashFormatError(
                f"line {number}: expected frame,quality,hex,timestamp with a quality from 0 to "
                f"100 and 64 hex digits, got {line.count(',') + 1} fields, {len(line)} characters"
            )
        frame, quality, digits, time_s = found.groups()
        features.append(_Feature(int(frame), int(quality), digits, float(time_s)))
    if not features:
        raise HashFormatError("expected at least one line of frame,quality,hex,timestamp, got none")
    return _video_hash(features, has_numbers=True)


def write_vpdq_text(video_hash: VideoHash) -> str:
    """Write the lines that Meta's tools read, one a row, with times in milliseconds.

    A collapsed row is written as its first frame.

    Raises
    ------
    IncompatibleHashError
        The hashes are not PDQ's.
    ValueError
        A quality is unknown, or a time negative.
    """
    return "".join(
        f"{number},{quality},{digits},{time_s:.3f}\n"
        for number, quality, digits, time_s in _features(video_hash)
    )


def read_vpdq_json(text: str) -> VideoHash:
    """Read the signal of Meta's Python package: a JSON list of ``"hex,quality,timestamp"``.

    Returns
    -------
    VideoHash
        In order of time. The signal has no frame numbers: rows are numbered from 0.
        Frame rate and size are 0, the duration is the last time. Times have three
        significant digits: above 1,000 s they are right to 10 s or less.

    Raises
    ------
    HashFormatError
        It is no such list.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected str, got {type(text).__name__}")
    try:
        signal = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HashFormatError("expected a JSON list of texts") from error
    if not isinstance(signal, list):
        raise HashFormatError(f"expected a JSON list of texts, got {type(signal).__name__}")
    features = []
    for number, item in enumerate(signal):
        found = _SIGNAL.fullmatch(item) if isinstance(item, str) else None
        if found is None:
            raise HashFormatError(
                f"item {number}: expected hex,quality,timestamp as a text, with 64 hex digits "
                "and a quality from 0 to 100"
            )
        digits, quality, time_s = found.groups()
        features.append(_Feature(0, int(quality), digits, float(time_s)))
    return _video_hash(features, has_numbers=False)


def write_vpdq_json(video_hash: VideoHash) -> str:
    """Write the signal of Meta's Python package; times keep three significant digits.

    Raises
    ------
    IncompatibleHashError
        The hashes are not PDQ's.
    ValueError
        A quality is unknown, or a time negative.
    """
    features = _features(video_hash)
    return json.dumps(
        [f"{digits},{quality},{time_s:.3}" for _, quality, digits, time_s in features]
    )


class _Feature(NamedTuple):
    number: int
    quality: int
    digits: str
    time_s: float


def _video_hash(features: list[_Feature], *, has_numbers: bool) -> VideoHash:
    in_order = sorted(features, key=lambda feature: feature.time_s)
    n = len(in_order)
    numbers = np.array([feature.number for feature in in_order], np.int64)
    start_s = np.array([feature.time_s for feature in in_order], np.float64)
    packed = np.frombuffer(bytes.fromhex("".join(f.digits for f in in_order)), np.uint8)
    algorithm, version, bits = _KIND
    duration_s, frame_rate = float(start_s[-1]) if n else 0.0, 0.0
    if has_numbers and start_s[-1] > start_s[0]:
        frame_rate = max(0.0, float((numbers[-1] - numbers[0]) / (start_s[-1] - start_s[0])))
        duration_s += 1 / frame_rate if frame_rate else 0.0
    return VideoHash(
        hashes=HashArray(
            packed.reshape(n, bits // 8),
            algorithm,
            bits=bits,
            quality=[feature.quality for feature in in_order],
            version=version,
        ),
        start_s=start_s,
        end_s=start_s,
        duration_s=duration_s,
        width_px=0,
        height_px=0,
        frame_rate=frame_rate,
        numbers=numbers if has_numbers else np.arange(n),
        counts=np.ones(n, np.int64),
    )


def _features(video_hash: VideoHash) -> Iterable[_Feature]:
    if video_hash.kind != _KIND:
        algorithm, version, bits = video_hash.kind
        raise IncompatibleHashError(
            f"vPDQ has pdq v1 hashes of 256 bits, got {algorithm} v{version} ({bits} bits)"
        )
    if (video_hash.qualities < 0).any():
        row = int(np.argmax(video_hash.qualities < 0))
        raise ValueError(f"qualities: expected 0 to 100, got an unknown one in row {row}")
    digits = video_hash.hashes.packed.tobytes().hex()
    return [
        _Feature(number, quality, digits[64 * row : 64 * row + 64], time_s)
        for row, (number, quality, time_s) in enumerate(
            zip(
                video_hash.numbers.tolist(),
                video_hash.qualities.tolist(),
                video_hash.start_s.tolist(),
                strict=True,
            )
        )
    ]


def _frames_that_count(video_hash: VideoHash, rule: VpdqRule, min_quality: int) -> U64:
    words, quality = video_hash.hashes.words, video_hash.hashes.quality
    if rule.distinct:
        # As in vpdq_brute_matcher.py: the first of equal hashes stays, then qualities count.
        first = np.sort(np.unique(words, axis=0, return_index=True)[1])
        words, quality = words[first], quality[first]
    kept: U64 = read_only(words[(quality < 0) | (quality >= min_quality)])
    return kept


def _percentage(name: str, given: float | None, default: float) -> float:
    percent = default if given is None else given
    if not 0 <= percent <= 100:
        raise ValueError(f"{name}: expected 0 to 100, got {percent}")
    return percent
