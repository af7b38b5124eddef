"""Calibrations as JSON: written with a digest, read with suspicion."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from fingerprint.calibration.values import CalibrationFormatError, ChanceStratum, CopyDistances

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from fingerprint.calibration.calibration import Calibration

__all__ = ["read", "shipped", "write"]

FORMAT, VERSION = "fingerprint-calibration", 1

_COUNTS = (
    "algorithm_version",
    "bits",
    "min_quality",
    "step",
    "pictures",
    "unreadable",
    "set_aside",
    "pairs_set_aside",
)
_LARGEST_BITS = 65_536
Value = TypeVar("Value", ChanceStratum, CopyDistances)


def write(calibration: Calibration) -> str:
    """Return a calibration as JSON; rates with five significant digits."""
    plain = _plain(calibration)
    content = {"format": FORMAT, "version": VERSION, **plain}
    return json.dumps({**content, "digest": _digest(content)}, indent=1, ensure_ascii=False) + "\n"


def read(text: str | bytes, kind: type[Calibration]) -> Calibration:
    """Return the calibration that a text holds; CalibrationFormatError when it holds none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CalibrationFormatError("expected a calibration as JSON, got none") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CalibrationFormatError(f"expected an object of format {FORMAT!r}")
    if content.get("version") != VERSION:
        raise CalibrationFormatError(f"version: expected {VERSION}, got {content.get('version')!r}")
    digest = content.pop("digest", None)
    try:
        if digest != _digest(content):
            raise CalibrationFormatError("digest: it does not match the content: damaged or edited")
        return _calibration(content, kind)
    except CalibrationFormatError:
        raise
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise CalibrationFormatError(f"a part is missing or of a wrong kind: {error}") from error


def shipped() -> dict[str, Traversable]:
    """Return the files that ship with the package, by algorithm."""
    folder = resources.files("fingerprint").joinpath("data", "calibration")
    if not folder.is_dir():
        return {}
    return {f.name.removesuffix(".json"): f for f in folder.iterdir() if f.name.endswith(".json")}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        names = (f.name for f in fields(value) if f.compare)
        return {name: _plain(getattr(value, name)) for name in names}
    return value


def _digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def _calibration(content: dict[str, Any], kind: type[Calibration]) -> Calibration:
    counts = {name: _whole(content, name, 0) for name in _COUNTS}
    if not 1 <= counts["bits"] <= _LARGEST_BITS or not 1 <= counts["step"] <= 2:
        raise CalibrationFormatError(f"bits: expected 1 to {_LARGEST_BITS} in steps of 1 or 2")
    strata = {
        _text(name): _stratum(ChanceStratum, one, counts["bits"])
        for name, one in dict(content["strata"]).items()
    }
    copies = {
        _text(name): _stratum(CopyDistances, one, counts["bits"])
        for name, one in dict(content["copies"]).items()
    }
    if not {"same-domain", "diverse"} & set(strata) or "ordinary" not in copies:
        raise CalibrationFormatError("strata: expected ordinary pictures and copies among them")
    return kind(
        **counts,
        algorithm=_text(content["algorithm"]),
        made_on=_text(content["made_on"]),
        made_from=_text(content["made_from"]),
        seed=_whole(content, "seed", 0),
        blind_radius=_whole(content, "blind_radius", -1),
        edits=_texts(content["edits"]),
        strata=strata,
        copies=copies,
        notes=_texts(content["notes"]),
    )


def _stratum(kind: type[Value], content: dict[str, Any], bits: int) -> Value:
    known = {f.name for f in fields(kind)}
    if set(content) != known:
        raise CalibrationFormatError(f"{kind.__name__}: expected {sorted(known)}")
    values: dict[str, Any] = {}
    for name, one in content.items():
        if name in {"rate", "low", "high", "density"}:
            values[name] = _curve(name, one, bits, rising=name != "density")
        elif name == "quality":
            values[name] = None if one is None else _qualities(one)
        elif name in {"scale", "shape"}:
            values[name] = _number(name, one)
        elif name == "generated":
            values[name] = bool(one)
        elif name == "threshold" and one is None:
            values[name] = None
        else:
            values[name] = _whole(content, name, 0)
    if kind is ChanceStratum:
        for low, rate, high in zip(values["low"], values["rate"], values["high"], strict=True):
            if not low <= rate <= high:
                raise CalibrationFormatError("rate: expected it within its interval")
    return kind(**values)


def _curve(name: str, numbers: Any, bits: int, *, rising: bool) -> tuple[float, ...]:
    if not isinstance(numbers, list) or len(numbers) != bits + 1:
        raise CalibrationFormatError(f"{name}: expected {bits + 1} numbers")
    curve = tuple(_number(name, one) for one in numbers)
    if min(curve) < 0 or max(curve) > 1:
        raise CalibrationFormatError(f"{name}: expected shares from 0 to 1")
    if rising and any(b < a for a, b in pairwise(curve)):
        raise CalibrationFormatError(f"{name}: expected a rate that rises with the radius")
    return curve


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CalibrationFormatError(f"{name}: expected a finite number, got {value!r}")
    return float(value)


def _whole(content: Mapping[str, Any], name: str, least: int) -> int:
    value = content[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise CalibrationFormatError(f"{name}: expected a whole number from {least}, got {value!r}")
    return value


def _qualities(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise CalibrationFormatError(f"quality: expected two whole numbers, got {value!r}")
    first, last = value
    pair = {"first": first, "last": last}
    return _whole(pair, "first", 0), _whole(pair, "last", 0)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise CalibrationFormatError(f"expected a text, got {type(value).__name__}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise CalibrationFormatError(f"expected texts, got {type(value).__name__}")
    return tuple(_text(one) for one in value)
