"""How many edited copies segments find again, beside imagehash's rule and beside views.

``python -m benchmarks.segments`` looks up edited copies of the report half of the photographs
below ``$FINGERPRINT_MEDIA/photos`` among all of them and writes ``results/segments.md``;
``--tune`` looks up copies of the tune half among themselves at many settings: the default of
`SegmentIndex` was chosen there. Pairs whose PDQ hashes are within 64 bits in any position are
the same picture and left out, as are the other pictures of a collage.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click
import numpy as np

import fingerprint as fp
from fingerprint.errors import LowQualityWarning
from fingerprint.evaluate.originals import Original, find_pictures, half_of, seed_of
from fingerprint.evaluate.statistics import wilson
from fingerprint.evaluate.transforms import Edit
from fingerprint.views.segment_index import RADIUS, SegmentIndex

if TYPE_CHECKING:
    from fingerprint.typing import U8

T = TypeVar("T")

RESULTS = Path(__file__).parent / "results"
EDITS = (
    "unedited",
    "crop:0.05",
    "crop:0.15",
    "crop:0.25",
    "crop_left:0.3",
    "crop_left:0.5",
    "crop_random:0.5",
    "rotate:4",
    "screenshot",
    "collage_2x2:0.02",
)
MAX_SIDE_PX = 768
SAME_PICTURE_BITS = 64
COMPANIONS = (7, 11, 13)
IMAGEHASH_SHARE = 0.25
PLAIN, PHASH, PDQ = "crop_resistant", "crop_resistant:phash", "crop_resistant:pdq"
VIEWS = "`ImageIndex` (pdq views)"
RULE = "imagehash's rule: 1 segment within 25 %, anywhere"


class Setting(NamedTuple):
    """How segments are looked up."""

    algorithm: str
    share: float
    min_segments: int

    def __str__(self) -> str:
        return f"`{self.algorithm}`, {self.min_segments} within {100 * self.share:.1f} %"


REPORTED = (
    Setting(PHASH, RADIUS, 2),
    Setting(PLAIN, RADIUS, 2),
    Setting(PDQ, RADIUS, 2),
    Setting(PLAIN, RADIUS, 1),
    Setting(PHASH, RADIUS, 1),
    Setting(PDQ, RADIUS, 1),
)
TUNED = tuple(
    Setting(algorithm, share, n)
    for algorithm, n in ((PLAIN, 2), (PHASH, 2), (PDQ, 2), (PDQ, 1))
    for share in (0.1, 0.14, RADIUS, 0.2, 0.22, 0.25)
)


class Library:
    """All that is asked, over the same pictures."""

    def __init__(self, settings: Sequence[Setting], *, peers: bool) -> None:
        self.settings = settings
        self.by_algorithm = {
            name: SegmentIndex(name) for name in dict.fromkeys(one.algorithm for one in settings)
        }
        self.rule = fp.Index("dhash")
        self.views = fp.ImageIndex()
        self.peers = peers
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.hashes = fp.Index("pdq")

    @property
    def names(self) -> list[str]:
        """What is compared."""
        return [*map(str, self.settings), *((RULE, VIEWS) if self.peers else ())]

    def add(self, name: str, pixels: U8) -> None:
        """Add a picture to each index."""
        size_px = (pixels.shape[1], pixels.shape[0])
        for algorithm, index in self.by_algorithm.items():
            segments = fp.hash_segments(pixels, algorithm)
            index.add(name, segments, size_px=size_px)
            if self.peers and algorithm == PLAIN:
                n = len(segments.segments)
                self.rule.add([f"{name}||{i}" for i in range(n)], segments.segments)
        self.hashes.add(name, fp.hash_image(pixels))
        if self.peers:
            self.views.add(name, pixels)

    def twins(self, pixels: U8) -> set[str]:
        """Return the pictures that are the same in some position."""
        return {m.id for m in self.hashes.within(fp.hash_dihedral(pixels), SAME_PICTURE_BITS)}

    def find(self, pixels: U8) -> Iterator[tuple[str, set[str]]]:
        """Yield what each of `names` finds."""
        size_px = (pixels.shape[1], pixels.shape[0])
        segments = {
            name: self._timed(f"hash {name}", partial(fp.hash_segments, pixels, name))
            for name in self.by_algorithm
        }
        for one in self.settings:
            index = self.by_algorithm[one.algorithm]
            found = self._timed(
                str(one),
                partial(
                    index.search,
                    segments[one.algorithm],
                    radius=int(one.share * index.index.bits),
                    min_segments=one.min_segments,
                    size_px=size_px,
                ),
            )
            yield str(one), {match.id for match in found}
        if self.peers:
            radius = int(IMAGEHASH_SHARE * self.rule.bits)
            hashes = segments[PLAIN].segments
            near = self._timed(RULE, lambda: self.rule.within_many(hashes, radius))
            yield RULE, {m.id.rpartition("||")[0] for each in near for m in each}
            found = self._timed(VIEWS, lambda: self.views.search(pixels))
            yield VIEWS, {match.id for match in found}

    def _timed(self, what: str, call: Callable[[], T]) -> T:
        before = perf_counter()
        found = call()
        self.seconds[what].append(perf_counter() - before)
        return found


class Tally:
    """What was found, by what, of which edit."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.hits: Counter[tuple[str, str]] = Counter()
        self.false: Counter[str] = Counter()
        self.elsewhere: Counter[str] = Counter()
        self.queries_with_false: Counter[str] = Counter()
        self.pairs = 0

    def count(self, library: Library, name: str, edit: str, pixels: U8, other: set[str]) -> None:
        """Look one copy up; ``other`` are no false matches."""
        self.asked[edit] += 1
        self.pairs += len(library.hashes) - len(other | {name})
        for what, found in library.find(pixels):
            self.hits[what, edit] += name in found
            false = found - other - {name}
            elsewhere = {one for one in false if series_of(one) != series_of(name)}
            self.false[what] += len(false)
            self.elsewhere[what] += len(elsewhere)
            self.queries_with_false[what] += bool(elsewhere)


def measure(
    folder: Path, settings: Sequence[Setting], half: str, n: int, *, peers: bool
) -> tuple[Library, Tally]:
    """Look up edited copies of n pictures of a half; the tune half stays by itself."""
    originals = find_pictures(folder)
    if half == "tune":
        originals = [one for one in originals if half_of(one.name) == half]
    library, tally = Library(settings, peers=peers), Tally()
    with click.progressbar(originals, label="adding") as shown:
        for one in shown:
            library.add(one.name, one.pixels(MAX_SIDE_PX))
    asked = [one for one in originals if half_of(one.name) == half]
    asked = sorted(asked, key=lambda one: seed_of(1, one.name))[:n]
    with click.progressbar(range(len(asked)), label="looking up") as steps:
        for i in steps:
            _ask(library, tally, asked, i)
    return library, tally


def _ask(library: Library, tally: Tally, asked: Sequence[Original], i: int) -> None:
    one = asked[i]
    beside = [asked[(i + k) % len(asked)] for k in COMPANIONS]
    pixels = one.pixels(MAX_SIDE_PX)
    companions = [each.pixels(MAX_SIDE_PX) for each in beside]
    twins = library.twins(pixels)
    for edit in EDITS:
        edited = Edit.parse(edit)(pixels, seed_of(0, one.name), companions=companions)
        shown = {each.name for each in beside} if edit.startswith("collage") else set()
        tally.count(library, one.name, edit, edited, twins | shown)


def table(library: Library, tally: Tally) -> Iterator[str]:
    """Yield the lines of a table: a row for each thing that was asked."""
    n = sum(tally.asked.values())
    false = ("false per query: all", "another scene", "queries with one of another scene")
    yield f"| recall % | {' | '.join((*EDITS, *false))} |"
    yield f"|---|{'---|' * len(EDITS)}---|---|---|"
    for what in library.names:
        cells = " | ".join(f"{100 * tally.hits[what, e] / tally.asked[e]:.0f}" for e in EDITS)
        with_false = tally.queries_with_false[what]
        high = wilson(with_false, n)[1]
        counts = f"{_each(tally.false[what], n)} | {_each(tally.elsewhere[what], n)}"
        yield (
            f"| {what} | {cells} | {counts} | {100 * with_false / n:.2f} % (≤ {100 * high:.2f}) |"
        )


def series_of(name: str) -> str:
    """Return what shots of one scene have in common: the name without its last number."""
    return re.sub(r"_?\d+\.\w+$", "", name)


def _each(count: int, n: int) -> str:
    return f"{count / n:.4f} ({count:,})"


def times(library: Library) -> Iterator[str]:
    """Yield lines on how long things took."""
    for what, seconds in library.seconds.items():
        yield f"- {what}: {1e3 * median(seconds):.1f} ms"


@click.command()
@click.option("--tune", is_flag=True, help="Many settings, on the tune half; writes nothing.")
@click.option("--pictures", default=160, show_default=True, help="Pictures to make copies of.")
def main(tune: bool, pictures: int) -> None:
    """Measure, and write the report."""
    folder = Path(os.environ["FINGERPRINT_MEDIA"], "photos")
    warnings.simplefilter("ignore", LowQualityWarning)
    settings, half = (TUNED, "tune") if tune else (REPORTED, "report")
    library, tally = measure(folder, settings, half, pictures, peers=not tune)
    text = "\n".join([*table(library, tally), "", *times(library)])
    click.echo(text)
    if not tune:
        (RESULTS / "segments.md").write_text(_report(library, tally, pictures))


def _report(library: Library, tally: Tally, pictures: int) -> str:
    index = library.by_algorithm[PLAIN]
    few = np.mean([len(index.entry_ids(name)) < 2 for name in index])
    return "\n".join(
        [
            "# Segments with indexed look-up",
            "",
            f"`python -m benchmarks.segments`: {pictures} photographs of the report half, each "
            f"unedited and edited, looked up among {len(library.hashes):,} photographs, the longer "
            f"side {MAX_SIDE_PX} px at most; "
            f"{tally.pairs:,} pairs of different pictures. Settings were chosen on the tune half. "
            "The first row is the default. Each row says how many segments of what, "
            "and within what share of their bits; recall of 160 copies is known to within 8 "
            "points; in brackets numbers of false matches, and the upper end of the 95 % interval "
            "by Wilson. Another scene: names that differ in more than their last number.",
            "",
            *table(library, tally),
            "",
            f"{100 * few:.1f} % of the pictures have but one usable segment.",
            "",
            "## Time",
            "",
            "Median on one thread of a machine that was busy otherwise: look-up alone for "
            "segments and imagehash's rule, hashing of all views and look-up for views.",
            "",
            *times(library),
            "",
            *NOTES,
            "",
        ]
    )


NOTES = (
    "## What this means",
    "",
    "- **Views are better at nearly everything**: use `ImageIndex`. Segments find more of one edit "
    "alone, a rectangle of half the area anywhere, and little of that too. (Views were being "
    "changed meanwhile: in a run some minutes earlier they found 84 % of crop:0.15, 92 % of "
    "crop:0.25 and 95 % of crop_left:0.5. Segments came out the same.)",
    "- Segments break where the edit moves the threshold's regions: a crop cuts boxes at its "
    "edges, and a box that is cut has another hash. From 15 % a side on few are left whole.",
    "- 21 % of the pictures (tune: 28) are not even found unedited by two segments: mostly their "
    "bright and dark boxes are both nearly the whole picture, which is one piece of evidence.",
    "- imagehash's rule finds most copies, and 28 other pictures with each.",
    "- Asking for two segments that agree removes those. What is left are shots of one scene; "
    "those that were looked at are a row of scissors (`scissors_17`, `_18`, `_19`).",
    "- One segment of pdq is a fair second choice where views cannot be stored, but for turned "
    'copies: `SegmentIndex("crop_resistant:pdq").search(picture, min_segments=1)`.',
    "",
    "## How the settings were chosen",
    "",
    "On the tune half alone: 456 photographs, 1,760 copies of 160 of them. These figures are of a "
    "script that was not kept; it took up to 32 segments a picture, not 16. `--tune` repeats "
    "the sweep of radii.",
    "",
    "- Two segments of phash had no false match at any radius up to 22 %, of dhash one from "
    "19 % on; a single segment within 18 % had 0.67 false matches per query by dhash, 0.024 by "
    "phash, none by pdq. So phash is the default, and 17.5 % the radius of all.",
    "- What did not help (dhash, 18 %): a tolerance of 8 % (2 points of recall at most); 3 % or "
    "2 % (crop:0.05 from 41 % to 32 and 29); bounds on stretching (nothing changed); three "
    "segments (half of the recall).",
    "- Counting boxes that share up to 85 % of their union as two places finds 96 % of the "
    "unedited instead of 72, at 0.023 false matches per query by dhash, 0.0006 (one) by phash. "
    "It stays at one half: it is the same evidence twice.",
)


if __name__ == "__main__":
    main()
