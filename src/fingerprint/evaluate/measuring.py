"""The work of an evaluation: hash every picture, then edit, ask and count."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fingerprint import __version__
from fingerprint.errors import DecodeError, FingerprintError, redacted
from fingerprint.evaluate.originals import pixels_digest, seed_of
from fingerprint.evaluate.pairs import (
    References,
    Signature,
    group_pictures,
    pdq_quality,
    signature,
)
from fingerprint.evaluate.synthesis import photo
from fingerprint.evaluate.tally import PictureTally
from fingerprint.hashing import ResultStream
from fingerprint.results import Failure

if TYPE_CHECKING:
    from fingerprint.evaluate.contenders import Contender
    from fingerprint.evaluate.originals import Original
    from fingerprint.evaluate.resume import Finished
    from fingerprint.evaluate.robustness import Progress
    from fingerprint.evaluate.tally import Caps
    from fingerprint.evaluate.transforms import Edit
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import I64, U8

__all__ = ["Measuring", "Studied", "left_out", "study"]

_RECORD_VERSION = 1


@dataclass(frozen=True, slots=True)
class Studied:
    """A picture that could be read, and what each contender stores of it."""

    original: Original
    digest: str
    signature: Signature
    stored: tuple[HashArray, ...]


def study(
    originals: Sequence[Original],
    contenders: Sequence[Contender],
    max_side_px: int | None,
    workers: int,
    progress: Progress | None,
) -> list[Studied | Failure]:
    """Hash pictures, unedited, in order."""

    def one(original: Original) -> Studied | Failure:
        try:
            pixels = original.pixels(max_side_px)
            stored = tuple(_stored(one, pixels, original.name) for one in contenders)
            return Studied(original, pixels_digest(pixels), signature(pixels), stored)
        except FingerprintError as error:
            return Failure(original.name, error)
        except (TypeError, ValueError) as error:  # No picture at all, or a wrong array.
            return Failure(original.name, DecodeError(original.name, str(error)))

    tell = _teller(progress, "reading pictures", len(originals))
    with ResultStream(originals, one, workers, tell) as results:
        return list(results)


def left_out(groups: I64, n_pictures: int) -> tuple[int, int]:
    """Return how many pairs of different groups and of one group there are, each once.

    Pairs of two distractors do not count: nobody asks for those.
    """
    n_pairs = n_pictures * (n_pictures - 1) // 2 + n_pictures * (len(groups) - n_pictures)
    asked = Counter(groups[:n_pictures].tolist())
    others = Counter(groups[n_pictures:].tolist())
    same = sum(n * (n - 1) // 2 + n * others[group] for group, n in asked.items())
    return n_pairs - same, same


class Measuring:
    """Edits pictures, asks for them, and counts.

    Parameters
    ----------
    studied : sequence of Studied
        Pictures to edit, then distractors.
    contenders : sequence of Contender
        Who takes part.
    edits : sequence of Edit
        What is done to every picture.
    caps : mapping of str to Caps
        Of each contender.
    seed, max_side_px
        As in `evaluate`.
    """

    def __init__(
        self,
        studied: Sequence[Studied],
        contenders: Sequence[Contender],
        edits: Sequence[Edit],
        caps: Mapping[str, Caps],
        *,
        seed: int,
        max_side_px: int | None,
    ) -> None:
        self._studied, self._contenders = studied, contenders
        self._edits, self._caps = edits, caps
        self._seed, self._max_side_px = seed, max_side_px
        self.groups = group_pictures([one.signature for one in studied])
        folders = _numbered([one.original.folder for one in studied])
        self._references = [
            References(
                [one.stored[c] for one in studied],
                [_quality(one.stored[c], one.signature.quality) for one in studied],
                bits=contender.bits,
                min_quality=contender.min_quality,
                folders=folders,
                groups=self.groups,
            )
            for c, contender in enumerate(contenders)
        ]
        self._base = self._digest_of_settings(folders)
        self._who = {one.name: self._digest_of(one) for one in contenders}

    def run(
        self, n_pictures: int, finished: Finished, workers: int, progress: Progress | None
    ) -> Iterator[tuple[int, dict[str, Any] | Failure]]:
        """Yield, for each picture in order, what each contender's queries found."""

        def one(i: int) -> dict[str, Any] | Failure:
            kept = {c.name: finished.get(self._key(i, c)) for c in self._contenders}
            missing = [n for n, c in enumerate(self._contenders) if kept[c.name] is None]
            try:
                made = self._measure(i, missing) if missing else {}
            except FingerprintError as error:
                return Failure(self._studied[i].original.name, error)
            return {name: made.get(name, record) for name, record in kept.items()}

        tell = _teller(progress, "editing and comparing", n_pictures)
        with ResultStream(range(n_pictures), one, workers, tell) as results:
            for i, result in enumerate(results):
                if not isinstance(result, Failure):
                    self._keep(i, result, finished)
                yield i, result

    def named_groups(self, n_pictures: int) -> tuple[tuple[str, ...], ...]:
        """Return the names of pictures that show the same, two or more each.

        Groups of distractors alone do not matter: nobody asks for those.
        """
        members: dict[int, list[str]] = {group: [] for group in self.groups[:n_pictures].tolist()}
        for studied, group in zip(self._studied, self.groups.tolist(), strict=True):
            if group in members:
                members[group].append(studied.original.name)
        return tuple(tuple(names) for names in members.values() if len(names) > 1)

    def _keep(self, i: int, result: dict[str, Any], finished: Finished) -> None:
        for contender in self._contenders:
            key = self._key(i, contender)
            if contender.version is not None and finished.get(key) is None:
                finished.record(key, result[contender.name])

    def _measure(self, i: int, missing: Sequence[int]) -> dict[str, Any]:
        studied = self._studied[i]
        pixels = studied.original.pixels(self._max_side_px)
        if pixels_digest(pixels) != studied.digest:
            raise DecodeError(studied.original.name, "changed while it was being evaluated")
        tallies = {c: PictureTally(self._caps[self._contenders[c].name]) for c in missing}
        own_seed = seed_of(self._seed, studied.original.name)
        for edit in (None, *self._edits):
            edited = pixels if edit is None else self._edited(i, edit, pixels, own_seed)
            asked = _Asked(edited)
            for c, tally in tallies.items():
                self._ask(i, c, asked, tally, edited=edit is not None)
        return {self._contenders[c].name: tally.record() for c, tally in tallies.items()}

    def _edited(self, i: int, edit: Edit, pixels: U8, seed: int) -> U8:
        try:
            return edit(pixels, seed)
        except Exception as error:
            raise DecodeError(self._studied[i].original.name, f"{edit}: {_told(error)}") from error

    def _ask(self, i: int, c: int, asked: _Asked, tally: PictureTally, *, edited: bool) -> None:
        contender, references = self._contenders[c], self._references[c]
        try:
            query = contender.query(asked.pixels)
        except Exception as error:  # noqa: BLE001 - anybody's code
            tally.failed(_told(error))
            return
        scores = references.compare(query)
        measured = int(query.hashes.quality[0]) if len(query.hashes) else -1
        low = (asked.quality if measured < 0 else measured) < contender.min_quality
        tally.add(scores, references.strata(i, low=low), query.names, low=low, edited=edited)

    def _key(self, i: int, contender: Contender) -> str:
        return f"{self._base}-{self._who[contender.name]}-{i}"

    def _digest_of(self, contender: Contender) -> str:
        caps = self._caps[contender.name]
        probe = photo(0, 240, 320)
        query = contender.query(probe)
        return _digest(
            [
                *(contender.name, contender.version, contender.bits, contender.min_quality),
                *(caps.by_edit, caps.by_pair),
                # What it does now, whatever its version says.
                query.hashes.to_hex(),
                query.handicaps.tolist(),
                query.names,
                contender.reference(probe).to_hex(),
            ]
        )

    def _digest_of_settings(self, folders: I64) -> str:
        """Return a digest of all that a picture's results depend on, but the contender."""
        pictures = [(one.original.name, one.digest) for one in self._studied]
        return _digest(
            [
                _RECORD_VERSION,
                __version__,
                pictures,
                folders.tolist(),
                # What edits do now, whatever the package's version says.
                [(str(edit), pixels_digest(edit(_probe(), self._seed))) for edit in self._edits],
                self._seed,
                self._max_side_px,
            ]
        )


def _probe() -> U8:
    return photo(0, 120, 160)


class _Asked:
    """Edited pixels, and PDQ's quality of them for contenders that measure none."""

    def __init__(self, pixels: U8) -> None:
        self.pixels = pixels
        self._quality: int | None = None

    @property
    def quality(self) -> int:
        if self._quality is None:
            self._quality = pdq_quality(self.pixels)
        return self._quality


def _stored(contender: Contender, pixels: U8, name: str) -> HashArray:
    try:
        stored = contender.reference(pixels)
    except Exception as error:  # Anybody's code.
        raise DecodeError(name, f"{contender.name}: {_told(error)}") from error
    if stored.bits != contender.bits:
        raise ValueError(f"{contender.name}: expected {contender.bits} bits, got {stored.bits}")
    return stored


def _told(error: Exception) -> str:
    return redacted(str(error) or type(error).__name__)


def _quality(stored: HashArray, otherwise: int) -> int:
    quality = int(stored.quality[0]) if len(stored) else -1
    return otherwise if quality < 0 else quality


def _numbered(names: Sequence[str]) -> I64:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _digest(what: object) -> str:
    text = json.dumps(what, separators=(",", ":"))
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _teller(progress: Progress | None, what: str, total: int) -> Callable[[int], object] | None:
    if progress is None:
        return None
    progress(what, 0, total)
    return lambda done: progress(what, done, total)
