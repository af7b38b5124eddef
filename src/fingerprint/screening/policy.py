"""What is asked of each list, and what counts as a match of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self, get_args

from fingerprint.errors import PolicyError
from fingerprint.lists.hash_types import HASH_TYPES
from fingerprint.screening import policy_checks as checks
from fingerprint.screening.outcomes import Outcome

__all__ = [
    "DEFAULT_POLICY",
    "FloodPolicy",
    "ListPolicy",
    "Policy",
    "TmkPolicy",
    "UploaderPolicy",
    "VideoPolicy",
    "VpdqPolicy",
]

Exclusion = Literal["perceptual", "all"]
Orientations = Literal["both", "upright", "stored"]

RADII = MappingProxyType({"pdq": 31, "phash": 10, "dhash": 10})
"""Published starting radii, as the algorithms declare them (a test compares)."""


@dataclass(frozen=True, slots=True)
class VpdqPolicy:
    """When a video matches a record's vPDQ frames; see `fingerprint.video.vpdq_match`.

    Parameters
    ----------
    rule : {"python", "readme", "cpp"}
        Which of Meta's rules counts frames.
    max_distance : int
        Bits between frames.
    min_quality : int
        Frames below it are left out on both sides.
    query_percent, reference_percent : float or None
        Other thresholds than the rule's, 0 to 100.
    """

    rule: str = "python"
    max_distance: int = 31
    min_quality: int = 50
    query_percent: float | None = None
    reference_percent: float | None = None

    def __post_init__(self) -> None:
        checks.one_of("rule", self.rule, ("python", "readme", "cpp"))
        checks.whole("max_distance", self.max_distance, 0, 256)
        checks.whole("min_quality", self.min_quality, 0, 100)
        for name in ("query_percent", "reference_percent"):
            if getattr(self, name) is not None:
                checks.number(name, getattr(self, name), 0, 100)


@dataclass(frozen=True, slots=True)
class TmkPolicy:
    """Scores from which TMK+PDQF features match, -1 to 1; the reference's by default."""

    level1: float = 0.7
    level2: float = 0.7

    def __post_init__(self) -> None:
        for name in ("level1", "level2"):
            checks.number(name, getattr(self, name), -1, 1)


@dataclass(frozen=True, slots=True)
class ListPolicy:
    """What is asked of one list.

    Parameters
    ----------
    role : {"match", "negative"}
        Records of a ``"negative"`` list match nothing: they are known innocents, and suppress
        matches of the lists whose ``negative`` names it.
    algorithms : tuple of str or None
        Hash types to look up; None: all that the list has. A type that is named and cannot
        be had of an upload makes an ERROR; one that merely happens to be on the list, a note.
    radius : mapping of str to int
        Bits, for ``pdq``, ``phash`` and ``dhash``; the published ones where nothing is said.
    min_quality : int
        Perceptual hashes of lower quality are looked up, but what they find does not count.
    views : bool or tuple of str
        Look PDQ up by views of the picture too: all families, or those named.
    view_radius : mapping of str to int
        Bits, by family; the families' own where nothing is said, but for ``"positions"``,
        which has PDQ's of ``radius``.
    thorough : bool
        Ask all stages of views, also after something was found.
    max_age_s : float or None
        Seconds after which a feed that was not refreshed makes the list stale.
    exclude_flags, exclude_categories : mapping of str to {"perceptual", "all"}
        Records with the flag or category do not match: by perceptual hashes alone (grids of
        thumbnails are near other grids), or by any.
    min_independent_hashes : int
        How many independent hashes of a record must agree for it to count. Digests are one
        together, since all are of the same bytes; so are PDQ, vPDQ and TMK+PDQF.
    orientation : {"both", "upright", "stored"}
        How a picture with an EXIF orientation is laid: lists of others hold either.
    vpdq : VpdqPolicy
        When videos match.
    tmk : TmkPolicy
        When videos match by TMK+PDQF.
    video_frames : bool
        Look frames of videos up among the list's pictures.
    negative : tuple of str
        Negative lists that hold for this list, and no other.

    Raises
    ------
    PolicyError
        A value is of the wrong type or out of range.
    """

    role: Literal["match", "negative"] = "match"
    algorithms: tuple[str, ...] | None = None
    radius: Mapping[str, int] = field(default_factory=dict)
    min_quality: int = 50
    views: bool | tuple[str, ...] = False
    view_radius: Mapping[str, int] = field(default_factory=dict)
    thorough: bool = False
    max_age_s: float | None = None
    exclude_flags: Mapping[str, Exclusion] = field(default_factory=dict)
    exclude_categories: Mapping[str, Exclusion] = field(default_factory=dict)
    min_independent_hashes: int = 1
    orientation: Orientations = "both"
    vpdq: VpdqPolicy = VpdqPolicy()
    tmk: TmkPolicy = TmkPolicy()
    video_frames: bool = False
    negative: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checks.one_of("role", self.role, ("match", "negative"))
        if self.algorithms is not None:
            checks.names("algorithms", self.algorithms, known=HASH_TYPES)
            if not self.algorithms:
                raise PolicyError("algorithms: expected at least one, got none")
        checks.table("radius", self.radius, known=RADII)
        for name, bits in self.radius.items():
            checks.whole(f"radius.{name}", bits, 0, HASH_TYPES[name].bits)
        checks.whole("min_quality", self.min_quality, 0, 100)
        checks.views(self.views, self.view_radius)
        for name in ("thorough", "video_frames"):
            checks.truth(name, getattr(self, name))
        if self.max_age_s is not None:
            checks.number("max_age_s", self.max_age_s, 1, 10**9)
        for name in ("exclude_flags", "exclude_categories"):
            checks.table(name, getattr(self, name))
            for key, value in getattr(self, name).items():
                checks.one_of(f"{name}.{key}", value, get_args(Exclusion))
        checks.whole("min_independent_hashes", self.min_independent_hashes, 1, 5)
        checks.one_of("orientation", self.orientation, get_args(Orientations))
        checks.instance("vpdq", self.vpdq, VpdqPolicy)
        checks.instance("tmk", self.tmk, TmkPolicy)
        checks.names("negative", self.negative)
        for name in ("radius", "view_radius", "exclude_flags", "exclude_categories"):
            object.__setattr__(self, name, dict(getattr(self, name)))
        if self.role == "negative" and self.negative:
            raise PolicyError("negative: expected none for a list that is negative itself")
        if self.role == "negative" and (self.views or self.video_frames):
            # Far views would let an innocent suppress what merely looks a little like it.
            raise PolicyError("views, video_frames: expected false for a negative list")

    def radius_of(self, algorithm: str) -> int:
        """Return the radius of a perceptual hash, in bits."""
        return int(self.radius.get(algorithm, RADII[algorithm]))

    def asks(self, algorithm: str) -> bool:
        """Say whether hashes of this type are looked up, should the list have any."""
        return self.algorithms is None or algorithm in self.algorithms


@dataclass(frozen=True, slots=True)
class VideoPolicy:
    """How videos, and pictures that move, are sampled: once for all lists.

    Parameters
    ----------
    sample : str
        As for `fingerprint.hash_video`; ``"vpdq:1"`` is what vPDQ lists are made with.
    animations : {"all", "first"}
        Frames of GIFs, APNGs and pages of TIFFs: all are looked up, or the first.
    """

    sample: str = "vpdq:1"
    animations: Literal["all", "first"] = "all"

    def __post_init__(self) -> None:
        checks.one_of("animations", self.animations, ("all", "first"))
        checks.sampling("sample", self.sample)


@dataclass(frozen=True, slots=True)
class FloodPolicy:
    """When a record matches so much that the record is the likelier fault.

    Parameters
    ----------
    max_matches : int
        Different uploads, of the last ``window``, that a record may match by
        perceptual hashes.
    window : int
        Different uploads that are looked back on.
    suspend : bool
        Whether the record is quarantined in this screener: its perceptual matches stop
        counting, and an upload that matches nothing else is an ERROR, never NO_MATCH, until
        somebody resumes or retracts it. False reports alone.
    """

    max_matches: int = 50
    window: int = 1000
    suspend: bool = True

    def __post_init__(self) -> None:
        checks.whole("window", self.window, 1, 10**7)
        checks.whole("max_matches", self.max_matches, 1, self.window)
        checks.truth("suspend", self.suspend)


_TOLD = {
    Outcome.MATCH: "held for review",
    Outcome.NO_MATCH: "accepted",
    Outcome.LOW_QUALITY: "not screened",
    Outcome.UNDECODABLE: "not screened",
    Outcome.LIST_STALE: "not screened",
    Outcome.ERROR: "not screened",
}


@dataclass(frozen=True, slots=True)
class UploaderPolicy:
    """What the uploader's side is told for each outcome; names are those of `Outcome`.

    Telling matches apart from the rest lets an uploader probe a list: give all the same text
    where that matters.
    """

    told: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.table("told", self.told, known=Outcome.__members__)
        for name, text in self.told.items():
            checks.text(f"told.{name}", text, 100)
        object.__setattr__(self, "told", dict(self.told))

    def text_of(self, outcome: Outcome) -> str:
        """Return what is said of an outcome."""
        return self.told.get(outcome.value, _TOLD[outcome])


@dataclass(frozen=True, slots=True)
class Policy:
    """What screening does with each list.

    Parameters
    ----------
    lists : mapping of str to ListPolicy
        By the name that a list has in the screener.
    default : ListPolicy or None
        For lists that are not named; None: a list must be named.
    video, flood, uploader
        For the upload as a whole.

    Raises
    ------
    PolicyError
        A value is wrong, or ``negative`` names a list that is not negative.
    """

    lists: Mapping[str, ListPolicy] = field(default_factory=dict)
    default: ListPolicy | None = ListPolicy()
    video: VideoPolicy = VideoPolicy()
    flood: FloodPolicy = FloodPolicy()
    uploader: UploaderPolicy = field(default_factory=UploaderPolicy)

    def __post_init__(self) -> None:
        checks.table("lists", self.lists)
        for name, one in self.lists.items():
            checks.instance(f"lists.{name}", one, ListPolicy)
        if self.default is not None:
            checks.instance("default", self.default, ListPolicy)
            if self.default.role == "negative":
                raise PolicyError("default.role: expected 'match'; negative lists are named")
        for field_name, kind in (
            ("video", VideoPolicy),
            ("flood", FloodPolicy),
            ("uploader", UploaderPolicy),
        ):
            checks.instance(field_name, getattr(self, field_name), kind)
        object.__setattr__(self, "lists", dict(self.lists))
        self._check_negative()

    def _check_negative(self) -> None:
        unused = {name for name, one in self.lists.items() if one.role == "negative"}
        named = [(f"lists.{name}", one) for name, one in self.lists.items()]
        if self.default is not None:
            named.append(("default", self.default))
        for where, one in named:
            for negative in one.negative:
                known = self.lists.get(negative)
                if known is None or known.role != "negative":
                    raise PolicyError(
                        f"{where}.negative: expected lists of role 'negative', got {negative!r}"
                    )
                unused.discard(negative)
        if unused:
            raise PolicyError(
                f"lists.{min(unused)}: is negative, and no list names it in its 'negative'"
            )

    def of(self, name: str) -> ListPolicy:
        """Return what holds for a list; PolicyError when nothing does."""
        found = self.lists.get(name, self.default)
        if found is None:
            raise PolicyError(f"lists.{name}: expected a policy for this list: there is no default")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @property
    def version(self) -> str:
        """First 16 hex digits of the SHA-256 of its canonical form."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a TOML file (``docs/screening.md``).

        Raises
        ------
        PolicyError
            It cannot be read, or says something that is not known.
        """
        from fingerprint.screening import policy_file

        return policy_file.load(path, cls)

    @classmethod
    def from_toml(cls, text: str, name: str = "<policy>") -> Self:
        """Read the text of such a file; ``name`` is what errors call it."""
        from fingerprint.screening import policy_file

        return policy_file.parse(text, name, cls)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


DEFAULT_POLICY = Policy()
"""Everything that a list has, at published radii and quality; no views; both orientations."""
