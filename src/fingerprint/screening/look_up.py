"""One list asked about one upload."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.screening.digests import DIGEST_TYPES
from fingerprint.screening.evidence import Evidence, ScreeningFailure
from fingerprint.screening.judging import frame_of, nearest
from fingerprint.screening.pictures import AS_STORED, UPRIGHT, unjudged
from fingerprint.screening.plans import PERCEPTUAL_TYPES, SUPPLIED_TYPES, ListPlan
from fingerprint.screening.probabilities import with_probability
from fingerprint.screening.views_asked import AskedViews, ViewMemory

if TYPE_CHECKING:
    from fingerprint.hashes import Hash
    from fingerprint.lists import Record
    from fingerprint.screening.asked import FoundRecord
    from fingerprint.screening.pictures import HashedPicture
    from fingerprint.screening.policy import ListPolicy
    from fingerprint.screening.tmk import TmkTables
    from fingerprint.screening.videos import HashedVideo

__all__ = ["EXACT_TYPES", "PIXEL_TYPES", "Answer", "Exclusions", "Known", "ask"]

EXACT_TYPES = (*DIGEST_TYPES, *SUPPLIED_TYPES)
PIXEL_TYPES = tuple(name for name in HASH_TYPES if name not in EXACT_TYPES)


@dataclass(slots=True)
class Known:
    """What is known of an upload.

    Attributes
    ----------
    exact : dict
        Digests and supplied hashes by type, as lists hold them.
    picture, video
        Perceptual hashes; None where there are none.
    """

    exact: dict[str, str] = field(default_factory=dict)
    picture: HashedPicture | None = None
    video: HashedVideo | None = None
    views: ViewMemory = field(default_factory=ViewMemory)


@dataclass(slots=True)
class Answer:
    """What one list answered."""

    evidence: list[Evidence] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    low_quality: bool = False
    failures: list[ScreeningFailure] = field(default_factory=list)
    left_out: set[tuple[str, str]] = field(default_factory=set)

    def add(self, other: Answer) -> None:
        """Add what the same list answered to further questions."""
        self.evidence += other.evidence
        self.asked += other.asked
        self.low_quality |= other.low_quality
        self.failures += other.failures
        self.left_out |= other.left_out


class Exclusions:
    """Which records a policy leaves out, and how many were."""

    def __init__(self, policy: ListPolicy) -> None:
        self._flags = policy.exclude_flags
        self._categories = policy.exclude_categories
        self.keys: set[tuple[str, str]] = set()

    def perceptual(self, record: Record) -> bool:
        """Say whether its perceptual matches are left out."""
        return self._leaves_out(record, ("perceptual", "all"))

    def exact(self, record: Record) -> bool:
        """Say whether even equal digests are left out."""
        return self._leaves_out(record, ("all",))

    def _leaves_out(self, record: Record, kinds: tuple[str, ...]) -> bool:
        out = self._categories.get(record.category) in kinds or any(
            self._flags.get(flag) in kinds for flag in record.flags
        )
        if out:
            self.keys.add(record.key)
        return out


def ask(
    plan: ListPlan, types: Collection[str], known: Known, tables: TmkTables | None = None
) -> Answer:
    """Ask a list for those of some types that are in its plan, and known.

    Each type is asked by itself, so that what fails for one keeps no match of another.
    """
    answer = Answer()
    exclusions = Exclusions(plan.policy)
    for name in types:
        if name not in plan.types:
            continue
        try:
            _ask(plan, name, known, tables, answer, exclusions)
        except Exception as error:  # noqa: BLE001 - whatever it is, the list was not asked
            answer.failures.append(ScreeningFailure.of("list", error, plan.name))
    answer.left_out = exclusions.keys
    answer.evidence = nearest(answer.evidence, by_frame=True)
    return answer


def _ask(
    plan: ListPlan,
    name: str,
    known: Known,
    tables: TmkTables | None,
    answer: Answer,
    exclusions: Exclusions,
) -> None:
    from fingerprint.screening import video_look_up

    if name in EXACT_TYPES:
        if name in known.exact:  # Else its failure is noted where it was to be computed.
            _ask_exact(plan, name, known.exact[name], answer, exclusions)
    elif known.picture is not None and name in PERCEPTUAL_TYPES:
        if name in known.picture.hashes:
            _ask_picture(plan, name, known, answer, exclusions)
    elif known.video is not None and tables is not None:
        video_look_up.ask_video(plan, name, known.video, tables, answer, exclusions)


def _ask_exact(
    plan: ListPlan, name: str, value: str, answer: Answer, exclusions: Exclusions
) -> None:
    answer.asked.append(name)
    for hit in plan.hash_list.find(name, value):
        if not exclusions.exact(hit.record):
            answer.evidence.append(
                Evidence.of(plan.name, hit.list_version, hit.record, algorithm=name)
            )


def _ask_picture(
    plan: ListPlan, name: str, known: Known, answer: Answer, exclusions: Exclusions
) -> None:
    picture, policy = known.picture, plan.policy
    if picture is None:
        return
    readings = _readings(picture.hashes[name], policy)
    least = policy.min_quality
    good = {one: view for one, view in readings.items() if is_good(view, least)}
    asked = good or dict([next(iter(readings.items()))])
    answer.asked.append(name)
    answer.low_quality |= not good
    radius = policy.radius_of(name)
    found = [
        _evidence(plan, name, hit, radius, asked.get(hit.transform.partition(" of ")[0]))
        for views in _apart(asked, policy)
        for hit in plan.hash_list.within(unjudged(views), radius, exclude=exclusions.perceptual)
    ]
    looks = set(asked)
    if name == "pdq" and policy.views and picture.picture is not None:
        views = AskedViews(known.views, policy)
        for hit in plan.hash_list.match_picture(
            picture.picture,
            views.families,
            views.radii,
            thorough=plan.thorough,
            exclude=exclusions.perceptual,
        ):
            reach, view = views.found_by(hit.transform, hit.distance)
            found.append(_evidence(plan, name, hit, reach, view))
        looks |= views.names
    judged_ones = (judged(replace(one, views_asked=len(looks)), least) for one in found)
    answer.evidence += [with_probability(one, plan.hash_list) for one in judged_ones]


def _apart(asked: Mapping[str, Hash], policy: ListPolicy) -> list[dict[str, Hash]]:
    """Return what is asked together: frames apart where an innocent may be one of them alone."""
    if policy.role != "negative" and not policy.negative:
        return [dict(asked)]
    frames: dict[str, dict[str, Hash]] = defaultdict(dict)
    for name, view in asked.items():
        frames[frame_of(name)][name] = view
    return list(frames.values())


def is_good(view: Hash, least: int) -> bool:
    """Say whether a hash has enough behind it; those without a quality have."""
    return view.quality is None or view.quality >= least


def judged(one: Evidence, least: int) -> Evidence:
    """Return evidence that does not count if the upload's hash has too little behind it."""
    if one.quality is None or one.quality >= least:
        return one
    return replace(one, counts=False, why_not=("low_quality",))


def _readings(hashes: Mapping[str, Hash], policy: ListPolicy) -> dict[str, Hash]:
    if policy.orientation == "upright":
        return {name: one for name, one in hashes.items() if name != AS_STORED}
    if policy.orientation == "stored" and AS_STORED in hashes:
        return {name: one for name, one in hashes.items() if name != UPRIGHT}
    return dict(hashes)


def _evidence(
    plan: ListPlan, name: str, hit: FoundRecord, radius: int, view: Hash | None
) -> Evidence:
    stored = hit.transform.partition(" of ")[0] == AS_STORED
    return Evidence.of(
        plan.name,
        hit.list_version,
        hit.record,
        algorithm=name,
        distance=hit.distance,
        radius=radius,
        transform=hit.transform.replace(AS_STORED, UPRIGHT, 1) if stored else hit.transform,
        orientation="stored" if stored else "upright",
        quality=None if view is None else view.quality,
    )
