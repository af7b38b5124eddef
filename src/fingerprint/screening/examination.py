"""One upload on its way: read, hashed and looked up, with everything that went wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from fingerprint.errors import DecodeError, HashFormatError, UnsupportedOperationError
from fingerprint.lists.hash_types import HASH_TYPES, canonical_hash
from fingerprint.screening import pictures, videos
from fingerprint.screening.digests import DIGEST_TYPES
from fingerprint.screening.evidence import Evidence, ScreeningFailure
from fingerprint.screening.judging import judge, suppressions_of
from fingerprint.screening.look_up import EXACT_TYPES, PIXEL_TYPES, Answer, Known, ask
from fingerprint.screening.plans import PERCEPTUAL_TYPES, ListPlan, wanted
from fingerprint.screening.upload import Upload, opened

if TYPE_CHECKING:
    from fingerprint.media import Limits, VideoLimits
    from fingerprint.screening.media_kind import MediaChoice
    from fingerprint.screening.policy import Policy
    from fingerprint.screening.tmk import TmkTables
    from fingerprint.typing import ImageSource

__all__ = ["Examination", "Request", "Tools", "examine"]


ALONGSIDE_NBYTES = 256 * 1024
"""Files from this size on are digested beside their decoding; handing over costs 0.1 ms or more,
since both sides want the interpreter."""


class Request(NamedTuple):
    """What is to be screened."""

    source: ImageSource
    media: MediaChoice
    label: str
    supplied: Mapping[str, str]


class Tools(NamedTuple):
    """What a screener lends to each examination; ``beside`` is None where no processor is idle."""

    policy: Policy
    tables: TmkTables
    limits: Limits
    video_limits: VideoLimits
    beside: Executor | None
    identify: bool
    """Whether the upload's SHA-256 is wanted whatever is found."""


@dataclass(slots=True)
class Examination:
    """What was found out of one upload.

    Attributes
    ----------
    identity : str
        SHA-256 of the file, or of the pixels where there is no file; empty where nobody
        needs it.
    hashes : dict
        Of the upload, by type, whole: for keyed digests alone.
    """

    label: str
    began_at: datetime
    plans: list[ListPlan]
    media: str = ""
    evidence: list[Evidence] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    failures: list[ScreeningFailure] = field(default_factory=list)
    quality: int | None = None
    identity: str = ""
    hashes: dict[str, str] = field(default_factory=dict, repr=False)
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def all_failures(self) -> tuple[ScreeningFailure, ...]:
        """Those of the upload and of the lists."""
        return (*self.failures, *(one for plan in self.plans for one in plan.failures))

    @property
    def low_quality(self) -> bool:
        """Whether some list could not be asked in earnest."""
        return any(answer.low_quality for answer in self.answers.values())

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a step."""
        began = perf_counter()
        try:
            yield
        finally:
            self.timings_ms[name] = self.timings_ms.get(name, 0.0) + _ms_since(began)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note what a step raises, rather than let it pass for nothing found."""
        try:
            yield
        except DecodeError as error:
            self.failures.append(ScreeningFailure.of(name, error, undecodable=True))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was asked
            self.failures.append(ScreeningFailure.of(name, error))


def examine(request: Request, tools: Tools, plans: list[ListPlan], now: datetime) -> Examination:
    """Read, hash and look up one upload; nothing is raised but interrupts."""
    found = Examination(request.label, now, plans)
    digests = list(dict.fromkeys([*wanted(plans, DIGEST_TYPES), "sha256"]))
    began = perf_counter()
    try:
        with opened(
            request.source, request.media, request.label, digests, tools.limits, tools.video_limits
        ) as upload:
            found.media = upload.media
            found.timings_ms["read"] = _ms_since(began)
            _examine(upload, request, tools, found)
    except Exception as error:  # noqa: BLE001 - fails closed
        found.failures.append(ScreeningFailure.of("read", error))
    found.timings_ms["total"] = _ms_since(began)
    return found


def _ms_since(began: float) -> float:
    return round((perf_counter() - began) * 1000, 3)


def _examine(upload: Upload, request: Request, tools: Tools, found: Examination) -> None:
    for plan in found.plans:
        plan.narrow(upload.media, has_bytes=upload.has_bytes, supplied=request.supplied)
        found.answers[plan.name] = Answer()
    known = Known(exact=_supplied(request.supplied, found))
    pending = _begin_exact(upload, known, tools, found)
    if upload.refusal is not None:
        if wanted(found.plans, PERCEPTUAL_TYPES):
            found.failures.append(ScreeningFailure.of("read", upload.refusal, undecodable=True))
    else:
        with found.timed("decode"):
            _hash(upload, tools, found, known)
    with found.timed("digest"):
        exact = pending.result() if pending is not None else _ask_exact(upload, known, found.plans)
    known.exact = exact.hashes
    found.failures += exact.failures
    _note_hashes(known, found)
    with found.timed("look_up"):
        for plan in found.plans:
            found.answers[plan.name].add(exact.answers[plan.name])
            found.answers[plan.name].add(ask(plan, PIXEL_TYPES, known, tools.tables))
        _judge(found)
    with found.timed("digest"), found.step("digest"):
        found.identity = _identity(upload, known, tools, found)


class _Exact(NamedTuple):
    """What needs no decoding: digests, supplied hashes, and what the lists say of them."""

    hashes: dict[str, str]
    answers: dict[str, Answer]
    failures: list[ScreeningFailure]


def _begin_exact(
    upload: Upload, known: Known, tools: Tools, found: Examination
) -> Future[_Exact] | None:
    """Begin with what needs no decoding beside it; not where the decoder is to read the bytes."""
    data = upload.pixels
    large = isinstance(data, bytes | bytearray | memoryview) and len(data) >= ALONGSIDE_NBYTES
    if tools.beside is None or not large or not wanted(found.plans, EXACT_TYPES):
        return None
    return tools.beside.submit(_ask_exact, upload, known, found.plans)


def _ask_exact(upload: Upload, known: Known, plans: list[ListPlan]) -> _Exact:
    """Compute digests and look them up; runs in any thread, and raises nothing."""
    digests = wanted(plans, DIGEST_TYPES)
    hashes = dict(known.exact)
    failures: list[ScreeningFailure] = []
    try:
        sums = upload.digests(digests) if digests else {}
        hashes |= {name: one for name, one in sums.items() if _is_listable(name, one)}
    except DecodeError as error:
        failures.append(ScreeningFailure.of("digest", error, undecodable=True))
    except Exception as error:  # noqa: BLE001 - fails closed
        failures.append(ScreeningFailure.of("digest", error))
    exact = Known(exact=hashes)
    return _Exact(hashes, {plan.name: ask(plan, EXACT_TYPES, exact) for plan in plans}, failures)


def _supplied(supplied: Mapping[str, str], found: Examination) -> dict[str, str]:
    """Return supplied hashes as lists hold them."""
    exact: dict[str, str] = {}
    for name, value in supplied.items():
        with found.step("hash"):
            exact[name] = canonical_hash(HASH_TYPES[name], value)
    return exact


def _hash(upload: Upload, tools: Tools, found: Examination, known: Known) -> None:
    if upload.media == "image":
        _hash_picture(upload, tools, found, known)
    else:
        _hash_video(upload, tools, found, known)


def _hash_picture(upload: Upload, tools: Tools, found: Examination, known: Known) -> None:
    types = wanted(found.plans, PERCEPTUAL_TYPES)
    if not types:
        return
    with found.step("decode"):
        if upload.pixels is None:
            raise DecodeError(upload.label, "is not a picture")
        known.picture = pictures.hash_picture(
            upload.pixels,
            types,
            tools.limits,
            all_frames=tools.policy.video.animations == "all",
            stored=any(plan.policy.orientation != "upright" for plan in found.plans),
        )
        pdq = known.picture.hashes.get("pdq", {}).get(pictures.UPRIGHT)
        found.quality = None if pdq is None else pdq.quality
        if known.picture.damage is not None:
            raise known.picture.damage


def _hash_video(upload: Upload, tools: Tools, found: Examination, known: Known) -> None:
    frames = [plan for plan in found.plans if {"vpdq", "pdq"} & plan.types]
    tmk = bool(wanted(found.plans, ("tmk_pdqf",)))
    if not (frames or tmk):
        if not upload.is_known and any(plan.wants_decoding for plan in found.plans):
            # It may be a picture: nobody can tell.
            error = DecodeError(upload.label, "is no picture or video of a known format")
            found.failures.append(ScreeningFailure.of("decode", error, undecodable=True))
        return
    hashed = known.video = videos.HashedVideo()
    if frames:
        with found.step("decode"):
            videos.hash_frames(
                upload,
                hashed,
                tools.policy.video.sample,
                tools.video_limits,
                stored=any(plan.policy.orientation != "upright" for plan in frames),
                trim=any(plan.policy.views for plan in frames),
            )
    if tmk:
        with found.step("decode"):
            videos.hash_tmk_feature(upload, hashed, tools.video_limits)
    if hashed.damage:
        damage = DecodeError(upload.label, hashed.damage)
        found.failures.append(ScreeningFailure.of("decode", damage, undecodable=True))
    for plan in frames:
        plan.notes += hashed.notes


def _is_listable(name: str, value: str) -> bool:
    """Say whether a list can hold it: the digest of an empty file is refused."""
    try:
        canonical_hash(HASH_TYPES[name], value)
    except HashFormatError:
        return False
    return True


def _note_hashes(known: Known, found: Examination) -> None:
    found.hashes = dict(known.exact)
    if known.picture is not None:
        for name, readings in known.picture.hashes.items():
            found.hashes[name] = next(iter(readings.values())).hex


def _judge(found: Examination) -> None:
    """Say what of the answers counts."""
    negatives = {
        plan.name: suppressions_of(found.answers[plan.name].evidence)
        for plan in found.plans
        if plan.is_negative
    }
    for plan in found.plans:
        answer = found.answers[plan.name]
        plan.failures += answer.failures
        if answer.left_out:
            n = len(answer.left_out)
            what = "1 record was" if n == 1 else f"{n} records were"
            plan.notes.append(f"{what} left out by flag or category")
        if not plan.is_negative:
            found.evidence += judge(plan.policy, answer.evidence, negatives)
        elif answer.evidence:
            plan.notes.append(f"{len(answer.evidence)} of its records are equal or near")
    matching = [plan for plan in found.plans if not plan.is_negative]
    asked = any(found.answers[plan.name].asked for plan in matching)
    # A list whose records were all retracted has been asked; one that never had any was not.
    unfilled = all(plan.version == 0 for plan in matching)
    if not asked and not found.all_failures and (unfilled or any(plan.has for plan in matching)):
        error = UnsupportedOperationError(
            "no list has ever had records"
            if unfilled
            else f"no list has hashes that a {found.media} can be compared by"
        )
        found.failures.append(ScreeningFailure.of("list", error))


def _identity(upload: Upload, known: Known, tools: Tools, found: Examination) -> str:
    perceptual = any(not HASH_TYPES[one.algorithm].is_exact for one in found.evidence)
    if not (tools.identify or perceptual):
        return ""
    if "sha256" in known.exact:
        return known.exact["sha256"]
    if upload.has_bytes:
        return upload.digests(["sha256"])["sha256"]
    if known.picture is not None and known.picture.picture is not None:
        return hashlib.sha256(known.picture.picture.pixels.data).hexdigest()
    return ""
