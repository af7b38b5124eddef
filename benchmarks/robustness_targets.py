"""The targets of robustness: which edits, by which way of storing, how many must be found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fingerprint.evaluate import RobustnessReport
    from fingerprint.evaluate.report import ContenderResult

__all__ = ["EDITS", "TARGETS", "table_of_families", "table_of_targets"]

QUERY = "pdq+views"
REFERENCE = "pdq+reference-views"
POINT = "published"


class Target(NamedTuple):
    """Share of the copies that must be found, of each edit for itself."""

    what: str
    contender: str
    recall: float | None
    edits: tuple[str, ...]


TARGETS = (
    Target("mirror, right angles", QUERY, 0.99, ("mirror", "turn:90", "turn:270")),
    Target(
        "border",
        QUERY,
        0.95,
        (
            "border:0.05",
            "border:0.137",
            "border:0.2",
            "border_white:0.2",
            "border_coloured:0.1",
        ),
    ),
    Target(
        "letterbox",
        QUERY,
        0.95,
        (
            "letterbox:0.05",
            "letterbox:0.2",
            "letterbox_white:0.137",
            "pillarbox:0.2",
        ),
    ),
    Target("crop 2 % a side", QUERY, 1.0, ("crop:0.02",)),
    Target(
        "crop up to 5 % a side",
        QUERY,
        0.95,
        ("crop:0.037", "crop:0.044", "crop:0.05"),
    ),
    Target("crop 10 % a side", REFERENCE, 0.95, ("crop:0.1", "crop:0.117")),
    Target("crop 15 % a side", REFERENCE, 0.9, ("crop:0.143", "crop:0.15")),
    Target(
        "crop 30 % on one side",
        REFERENCE,
        0.9,
        ("crop_left:0.27", "crop_right:0.3", "crop_top:0.33", "crop_bottom:0.3"),
    ),
    Target(
        "rotate 1 to 10 degrees",
        QUERY,
        0.97,
        ("rotate:2.9", "rotate:-5", "rotate:7.1", "rotate_white:-9.2", "rotate:10"),
    ),
    Target(
        "rotate, larger canvas",
        QUERY,
        0.97,
        ("rotate_expand:-5", "rotate_expand:9.1"),
    ),
    Target("vignette, watermark", QUERY, 0.995, ("vignette:0.6", "watermark:0.2")),
    Target("resize", QUERY, 0.995, ("scale:0.5", "scale:0.37", "scale:0.25", "scale_lanczos:0.5")),
    Target(
        "JPEG, noise, brightness",
        QUERY,
        0.995,
        (
            "jpeg:30",
            "webp:50",
            "noise:25",
            "brightness:0.8",
        ),
    ),
    Target(
        "meme caption bar",
        QUERY,
        0.9,
        (
            "meme_caption:0.12",
            "meme_caption:0.25",
            "meme_caption_below:0.17",
        ),
    ),
    Target("phone screenshot", QUERY, 0.9, ("screenshot", "screenshot_viewer", "post_card")),
    Target(
        "collage cell",
        QUERY,
        0.85,
        (
            "collage_1x2:0.013",
            "collage_2x2:0",
            "collage_2x2:0.02",
            "collage_3x3:0.013",
            "collage_uneven:0.58",
        ),
    ),
    Target(
        "no target: measured",
        QUERY,
        None,
        (
            "crop_top:0.12",
            "rotate_crop:4",
            "letterbox_blurred:0.137",
            "picture_in_picture:0.6",
            "picture_in_picture:0.4",
            "recapture:0.3",
            "recapture:0.6",
            "perspective:0.05",
            "emoji:0.1",
            "text_lines:3",
            "scale:0.1",
            "invert",
            "mirror+crop:0.02+jpeg:60",
            "meme_caption:0.17+scale:0.5+jpeg:50",
        ),
    ),
    Target(
        "no target: measured",
        REFERENCE,
        None,
        ("crop:0.2", "crop:0.25", "crop_left:0.4", "crop_random:0.7", "crop_centre_square"),
    ),
)
EDITS = tuple(dict.fromkeys(edit for target in TARGETS for edit in target.edits))


def table_of_targets(report: RobustnessReport) -> Iterator[str]:
    """Yield the lines of a table: each edit of each target beside plain PDQ."""
    yield "## Targets"
    yield ""
    yield from _precision(report)
    yield ""
    yield "| what | how | edit | plain PDQ | boxdct | found | target | |"
    yield "|---|---|---|---|---|---|---|---|"
    plain, box = report.contender("pdq"), report.contender("boxdct")
    for target in TARGETS:
        found = report.contender(target.contender)
        for edit in target.edits:
            one = found.edit(edit).recall(POINT)
            wanted = "" if target.recall is None else f"{100 * target.recall:g} %"
            met = "" if target.recall is None else _met(one.recall, one.high, target.recall)
            yield (
                f"| {target.what} | {_how(target.contender)} | {edit} "
                f"| {_percent(plain.edit(edit).recall(POINT).recall)} "
                f"| {_percent(box.edit(edit).recall(POINT).recall)} "
                f"| **{_percent(one.recall)}** ({_percent(one.low)}–{_percent(one.high)}) "
                f"| {wanted} | {met} |"
            )


def _met(recall: float, high: float, wanted: float) -> str:
    if recall >= wanted:
        return "met"
    return "within its interval" if high >= wanted else "not met"


def _how(contender: str) -> str:
    return "query" if contender == QUERY else "reference"


def _precision(report: RobustnessReport) -> Iterator[str]:
    for name in ("pdq", "boxdct", QUERY, REFERENCE):
        point = report.contender(name).point(POINT)
        precision = "–" if point.precision is None else f"{100 * point.precision:.4f} %"
        yield (
            f"- {name}, radius {point.radius}: precision {precision} "
            f"({point.true_finds:,} true finds, {point.false_finds:,} false); "
            f"{point.false:,} false of {point.pairs:,} pairs of pictures, edited ones included"
        )


def table_of_families(report: RobustnessReport) -> Iterator[str]:
    """Yield the lines of a table: what each family of views found, and at what price."""
    yield "## What each family finds, and what it costs"
    yield ""
    yield (
        "Copies that the family comes nearest to, and pairs of different pictures that it brings "
        "within its radius: of all queries, by the view that came nearest."
    )
    yield ""
    yield f"| family | {QUERY}: found | false pairs | {REFERENCE}: found | false pairs |"
    yield "|---|---|---|---|---|"
    counted = [_by_family(report.contender(name)) for name in (QUERY, REFERENCE)]
    names = dict.fromkeys(name for found, _ in counted for name in found)
    for name in names:
        cells = " | ".join(f"{found[name]:,} | {false[name]:,}" for found, false in counted)
        yield f"| {name} | {cells} |"


def _by_family(result: ContenderResult) -> tuple[Counter[str], Counter[str]]:
    radius = result.point(POINT).radius
    found: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for edit in result.edits:
        for counts, histogram in ((found, edit.scores), (false, edit.false)):
            for view, score, n in histogram:
                if score <= radius:
                    counts[view] += n
    return found, false


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
