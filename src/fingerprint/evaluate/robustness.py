"""How far do hashes survive editing? Measured on pictures, beside peers."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from fingerprint import __version__
from fingerprint.evaluate.contenders import resolve_contenders
from fingerprint.evaluate.figures import EditName, Wanted, contender_result
from fingerprint.evaluate.measuring import Measuring, Studied, left_out, study
from fingerprint.evaluate.originals import HALVES, Original, find_pictures
from fingerprint.evaluate.report import RobustnessReport
from fingerprint.evaluate.resume import finished_in
from fingerprint.evaluate.synthesis import photos
from fingerprint.evaluate.tally import Caps, Totals
from fingerprint.evaluate.transforms import CHAINS, Edit, default_edits
from fingerprint.results import Failure

if TYPE_CHECKING:
    from fingerprint.evaluate.contenders import AnyContender, Contender
    from fingerprint.evaluate.originals import Half, Sources

__all__ = ["MAX_SIDE_PX", "Progress", "evaluate"]

MAX_SIDE_PX = 1024
"""Larger pictures are made this large first."""

_GENERATED = 200
_PACKAGES = ("numpy", "pillow", "opencv-python-headless", "imagehash", "pdqhash", "perception")

Radii: TypeAlias = "Sequence[int] | Mapping[str, Sequence[int]]"


class Progress(Protocol):
    """Is told what is being done, how many of how many are done."""

    def __call__(self, what: str, done: int, total: int, /) -> object:
        """Hear of it, in the thread that evaluates."""


def evaluate(
    sources: Sources | None = None,
    algorithms: Sequence[AnyContender] = ("pdq",),
    *,
    edits: Iterable[Edit | str] | None = None,
    radii: Radii | None = None,
    false_positive_rates: Sequence[float] = (1e-6,),
    distractors: Sources | None = None,
    peers: bool = True,
    half: Half = "all",
    seed: int = 0,
    max_side_px: int | None = MAX_SIDE_PX,
    limit: int | None = None,
    workers: int | None = None,
    state: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> RobustnessReport:
    """Measure how many pictures are found again after editing, and how many others are.

    Every picture is edited in every way, and each copy is hashed by every contender and
    compared with all pictures. Those that show the same (`pairs.group_pictures`) are not
    counted as false.

    Parameters
    ----------
    sources : folder or iterable of sources, optional
        The pictures. Generated photographs by default. Those that cannot be read are
        named in the report.
    algorithms : sequence
        Names of algorithms or peers (``"imagehash.phash:16"``), `Algorithm` objects,
        `Contender` objects, or functions from (h, w, 3) uint8 RGB pixels to a `Hash`.
    edits : iterable of Edit or str, optional
        `default_edits` by default.
    radii : sequence of int, or mapping of contender to such, optional
        Radii to look at, in bits, beside the published one. A contender whose hashes
        have fewer bits is not looked at there.
    false_positive_rates : sequence of float
        For each, the largest radius whose share of false pairs is not above it.
    distractors : folder or iterable of sources, optional
        Further pictures to compare with, unedited.
    peers : bool
        Let the hashes of imagehash, pdqhash and perception take part, if installed.
    half : {"all", "tune", "report"}
        Which pictures of ``sources``: `originals.half_of` their names.
    seed : int
        Decides what chance does in edits, which pictures ``limit`` keeps, and intervals.
    max_side_px : int or None
        Larger pictures are made this large first; None leaves them.
    limit : int, optional
        At most so many pictures.
    workers : int, optional
        Threads; as many as there are processors by default. Does not change the report.
    state : path, optional
        A folder in which finished results are kept; an interrupted evaluation goes on
        there. Scores and counts alone.
    progress : callable, optional
        ``progress(what, done, total)``.

    Returns
    -------
    RobustnessReport

    Raises
    ------
    UnknownAlgorithmError, UnsupportedOperationError
        An algorithm that does not exist, or a named peer that is not installed.
    ValueError, TypeError
        An argument without meaning; fewer than two pictures that could be read.
    IndexLockedError
        Another evaluation writes into ``state``.
    """
    _check(half, limit, workers, max_side_px, false_positive_rates)
    contenders, notes = resolve_contenders(algorithms, peers=peers)
    chosen = _edits(edits)
    radii_of = {one.name: _radii(one, radii) for one in contenders}
    caps = {one.name: Caps.of(one.bits, _all_radii(one, radii_of)) for one in contenders}
    pictures, source = _pictures(sources, half, limit, seed)
    others = [] if distractors is None else find_pictures(distractors, limit=None, seed=seed)
    threads = workers or os.cpu_count() or 1

    studied, n_pictures, failures = _studied(
        pictures, others, contenders, max_side_px, threads, progress
    )
    measuring = Measuring(studied, contenders, chosen, caps, seed=seed, max_side_px=max_side_px)
    totals = {one.name: Totals(caps[one.name], n_pictures, len(chosen)) for one in contenders}
    with finished_in(None if state is None else Path(state)) as finished:
        done = measuring.run(n_pictures, finished, threads, progress)
        for i, result in done:
            if isinstance(result, Failure):
                failures.append(result)
                continue
            for name, record in result.items():
                totals[name].add(i, record)

    n_pairs, n_left_out = left_out(measuring.groups, n_pictures)
    names = [_name(edit) for edit in chosen]
    return RobustnessReport(
        source=source,
        n_pictures=n_pictures,
        n_distractors=len(studied) - n_pictures,
        n_pairs=n_pairs,
        groups=measuring.named_groups(n_pictures),
        n_left_out=n_left_out,
        failures=tuple((one.source, str(one.error)) for one in failures),
        notes=(*notes, *_failed(totals)),
        settings=_settings(half, seed, max_side_px, limit, false_positive_rates, radii_of),
        contenders=tuple(
            contender_result(
                one,
                totals[one.name],
                names,
                Wanted(
                    radii_of[one.name],
                    tuple(false_positive_rates),
                    n_pictures,
                    len(studied),
                    n_pairs,
                    seed,
                ),
            )
            for one in contenders
        ),
        made=_made(),
    )


def _check(
    half: object,
    limit: int | None,
    workers: int | None,
    max_side_px: int | None,
    rates: Sequence[float],
) -> None:
    if half not in HALVES:
        raise ValueError(f"half: expected one of {', '.join(HALVES)}, got {half!r}")
    for name, value, least in (
        ("limit", limit, 2),
        ("workers", workers, 1),
        ("max_side_px", max_side_px, 16),
    ):
        if value is not None and value < least:
            raise ValueError(f"{name}: expected at least {least}, got {value}")
    for rate in rates:
        if not 0 < rate < 1:
            raise ValueError(f"false_positive_rates: expected above 0 and below 1, got {rate}")


def _edits(edits: Iterable[Edit | str] | None) -> tuple[Edit, ...]:
    if isinstance(edits, str | Edit):
        raise TypeError(f"edits: expected an iterable of edits, got one {type(edits).__name__}")
    given = default_edits() if edits is None else edits
    chosen = [Edit.parse(one) if isinstance(one, str) else one for one in given]
    chosen = [one for one in dict.fromkeys(chosen) if one.steps]
    if not chosen:
        raise ValueError("edits: expected at least one")
    return tuple(chosen)


def _name(edit: Edit) -> EditName:
    """Return what an edit is called: a chain by its name, else by its steps."""
    if len(edit.steps) == 1:
        return EditName(str(edit), *edit.steps[0])
    named = next((name for name, chain in CHAINS.items() if chain == edit), str(edit))
    return EditName(str(edit), named, None)


def _radii(contender: Contender, radii: Radii | None) -> tuple[int, ...]:
    if radii is None:
        return ()
    if isinstance(radii, Mapping):
        wanted = radii.get(contender.name, ())
        wrong = [r for r in wanted if not 0 <= r <= contender.bits]
        if wrong:
            raise ValueError(
                f"radii: {contender.name}: expected 0 to {contender.bits} bits, got {wrong[0]}"
            )
        return tuple(dict.fromkeys(wanted))
    if any(r < 0 for r in radii):
        raise ValueError(f"radii: expected at least 0 bits, got {min(radii)}")
    return tuple(r for r in dict.fromkeys(radii) if r <= contender.bits)


def _all_radii(contender: Contender, chosen: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    published = () if contender.radius is None else (contender.radius.bits,)
    return (*published, *chosen[contender.name])


def _pictures(
    sources: Sources | None, half: Half, limit: int | None, seed: int
) -> tuple[list[Original], str]:
    if sources is None:
        made = photos(limit or _GENERATED, seed)
        originals = [Original(f"generated {i:06}", "generated", one) for i, one in enumerate(made)]
        return originals, "generated"
    found = find_pictures(sources, half=half, limit=limit, seed=seed)
    return found, os.fspath(sources) if isinstance(sources, str | os.PathLike) else "pictures"


def _studied(
    pictures: Sequence[Original],
    others: Sequence[Original],
    contenders: Sequence[Contender],
    max_side_px: int | None,
    threads: int,
    progress: Progress | None,
) -> tuple[list[Studied], int, list[Failure]]:
    """Hash all pictures; return those that could be, how many are edited, and failures."""
    apart = [Original(f"distractors/{o.name}", o.folder, o.source) for o in others]
    results = study([*pictures, *apart], contenders, max_side_px, threads, progress)
    failures = [one for one in results if isinstance(one, Failure)]
    studied = [one for one in results if isinstance(one, Studied)]
    n = sum(isinstance(one, Studied) for one in results[: len(pictures)])
    if n < 2:
        why = f": {failures[0].source}: {failures[0].error}" if failures else ""
        raise ValueError(f"sources: expected at least 2 pictures that can be read, got {n}{why}")
    return studied, n, failures


def _failed(totals: Mapping[str, Totals]) -> Iterator[str]:
    for name, counted in totals.items():
        if counted.reasons:
            reason, n = max(counted.reasons.items(), key=lambda one: (one[1], one[0]))
            yield (
                f"{name}: {sum(counted.failed):,} queries could not be hashed and count as not "
                f"found; {n:,} of them: {reason}"
            )


def _settings(
    half: str,
    seed: int,
    max_side_px: int | None,
    limit: int | None,
    rates: Sequence[float],
    radii: Mapping[str, tuple[int, ...]],
) -> dict[str, Any]:
    return {
        "half": half,
        "seed": seed,
        "max_side_px": max_side_px,
        "limit": limit,
        "false_positive_rates": list(rates),
        "radii": {name: list(some) for name, some in radii.items()},
    }


def _made() -> dict[str, str]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    versions = {"fingerprint": __version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"at": now, "python": platform.python_version(), **versions}
