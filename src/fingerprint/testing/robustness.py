"""Whether hashes stay where they were when a picture is edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, TypeAlias

from fingerprint.algorithms import Algorithm
from fingerprint.evaluate import Edit, photo
from fingerprint.hashes import Hash
from fingerprint.hashing import hash_algorithm
from fingerprint.testing.check import require

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["Robustness", "check_robust"]

Change: TypeAlias = "Callable[[U8, int], U8]"

N_PICTURES = 24
"""How many generated pictures are hashed where none are given."""

_SEEDS_NAMED = 8


@dataclass(frozen=True, slots=True)
class Robustness:
    """How far the hashes of pictures moved.

    Parameters
    ----------
    n : int
        How many pictures.
    median : float
        Bits that half of them moved at most.
    worst : int
        Bits that the worst moved.
    """

    n: int
    median: float
    worst: int


def check_robust(
    algorithm: str | Algorithm | Callable[[U8], Hash],
    transform: str | Edit | Change,
    max_bits: int,
    *,
    strength: float | None = None,
    pictures: Iterable[U8] | None = None,
    quantile: float = 1.0,
    seed: int = 0,
) -> Robustness:
    """Check that editing a picture moves its hash by a few bits at most.

    Parameters
    ----------
    algorithm : str, Algorithm or callable
        What to check: a name, an algorithm, or a function from (h, w, 3) uint8 RGB pixels
        to a Hash.
    transform : str, Edit or callable
        The edit: ``"crop:0.02"``, ``"crop"`` with a strength, steps such as
        ``"scale:0.5+jpeg:50"``, or a function from pixels and a seed to pixels.
    max_bits : int
        Most bits that a hash may move.
    strength : float, optional
        Of a transform that is given by its bare name.
    pictures : iterable of ndarray of uint8, shape (h, w, 3), optional
        What to edit; 24 generated pictures by default. One picture that Hypothesis made
        (``pictures=[pixels]``) will do.
    quantile : float
        Share of the pictures, above 0 to 1, of which this must hold.
    seed : int
        The first picture is edited with this seed, the next with the next; the generated
        pictures are ``fingerprint.evaluate.photo(seed)`` and so on.

    Returns
    -------
    Robustness

    Raises
    ------
    AssertionError
        More pictures moved further. The message says how many, how far, and with which seeds
        to see it again: ``seed=S`` with that picture alone does the same.
    ValueError
        The edit is not known, there are no pictures, or a number makes no sense.

    Examples
    --------
    >>> from fingerprint.testing import check_robust
    >>> check_robust("pdq", "mirror+mirror", 0).worst
    0
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile: expected more than 0 up to 1, got {quantile}")
    if not max_bits >= 0:  # Nor nan, which nothing is more than.
        raise ValueError(f"max_bits: expected 0 or more, got {max_bits}")
    name, compute = _hashing(algorithm)
    what, change = _change(transform, strength)
    chosen = map(_generated, range(seed, seed + N_PICTURES)) if pictures is None else pictures
    moved = []
    bits = 0
    for own_seed, pixels in enumerate(chosen, seed):
        before = compute(pixels)
        moved.append(before - compute(change(pixels, own_seed)))
        bits = before.bits
    if not moved:
        raise ValueError("pictures: expected some, got none")
    found = Robustness(len(moved), float(median(moved)), max(moved))
    too_far = [i for i, distance in enumerate(moved) if distance > max_bits]
    # Guards against 0.9 * 10 being a little less than 9.
    allowed = int((1 - quantile) * found.n + 1e-9)
    require(
        len(too_far) <= allowed,
        f"{name} under {what}: {len(too_far)} of {found.n} pictures moved more than {max_bits} of "
        f"{bits} bits, {allowed} may; worst {found.worst}, median {found.median:g}; "
        f"{_seeds_text(seed, too_far)}",
    )
    return found


@lru_cache(maxsize=N_PICTURES)
def _generated(seed: int) -> U8:
    """Return a generated picture; a suite asks for the same ones again and again."""
    pixels = photo(seed)
    pixels.flags.writeable = False
    return pixels


def _seeds_text(seed: int, too_far: list[int]) -> str:
    seeds = ", ".join(str(seed + i) for i in too_far[:_SEEDS_NAMED])
    return f"with the seeds {seeds}{', …' if len(too_far) > _SEEDS_NAMED else ''}"


def _hashing(
    algorithm: str | Algorithm | Callable[[U8], Hash],
) -> tuple[str, Callable[[U8], Hash]]:
    """Return a name, and a function from pixels to a hash."""
    if isinstance(algorithm, str | Algorithm):
        chosen = hash_algorithm(algorithm)
        return chosen.name, chosen.hash_pixels
    name = getattr(algorithm, "__name__", type(algorithm).__name__)

    def compute(pixels: U8) -> Hash:
        found = algorithm(pixels)
        if not isinstance(found, Hash):
            raise TypeError(f"{name}: expected it to return a Hash, got {type(found).__name__}")
        return found

    return name, compute


def _change(transform: str | Edit | Change, strength: float | None) -> tuple[str, Change]:
    """Return what the edit is called, and the edit."""
    if isinstance(transform, str):
        edit = Edit.parse(transform) if strength is None else Edit(((transform, strength),))
        return edit.label, edit
    if strength is not None:
        raise ValueError("strength: expected none but with the name of a transform")
    if isinstance(transform, Edit):
        return transform.label, transform
    return getattr(transform, "__name__", type(transform).__name__), transform
