"""What survives editing: PDQ alone, by views, and by views of pictures one owns.

``python -m benchmarks.robustness`` measures the report half of the photographs of
``$FINGERPRINT_MEDIA/photos`` (generated ones without it) among more than 10,000 stored
hashes, and writes benchmarks/results/robustness.{md,json} with the targets of the issue,
and the pictures of the report beside it. It can be interrupted and goes on from --state.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import Progress

from benchmarks.robustness_targets import EDITS, table_of_families, table_of_targets
from fingerprint.algorithms import HashAlgorithm, get_algorithm
from fingerprint.evaluate import RobustnessReport, evaluate
from fingerprint.evaluate.originals import Half, Original, find_pictures, pixels_digest
from fingerprint.evaluate.viewed import ViewContender
from fingerprint.views.families import REFERENCE_FAMILIES
from fingerprint.views.picture import Picture

if TYPE_CHECKING:
    from fingerprint.hash_arrays import HashArray
    from fingerprint.typing import U8

MAX_SIDE_PX = 1024
SEED = 5
SERIES = re.compile(r"/(?:\w*__)?(fork|scissors)_\d+\.")
"""Separate shots of one object on one table (media/README.md): not different pictures."""


class ListOfOthers(ViewContender):
    """A list with one PDQ hash a picture: those asked for, and photographs and their views.

    The others stand in it with their views, so that there are more than 10,000 of them.
    """

    def __init__(self, algorithm: HashAlgorithm, asked_for: frozenset[str]) -> None:
        super().__init__(algorithm)
        self.version = f"{self.version} {len(asked_for)}"
        self._asked_for = asked_for
        self._with_views = ViewContender(algorithm, reference_views=True)

    def reference(self, pixels: U8) -> HashArray:
        """Return one hash for what is asked for, and those of its views for a distractor."""
        if pixels_digest(pixels) in self._asked_for:
            return super().reference(pixels)
        return self._with_views.reference(pixels)


def main() -> None:
    options = _options()
    media = os.environ.get("FINGERPRINT_MEDIA")
    photos = Path(media) / "photos" if media else None
    report_half = _half(photos, "report")[: options.limit] if photos else None
    asked = frozenset(pixels_digest(one.pixels(MAX_SIDE_PX)) for one in report_half or ())
    pdq = get_algorithm("pdq")
    if not isinstance(pdq, HashAlgorithm):
        raise TypeError("pdq: expected an algorithm that makes one hash of a picture")
    with Progress() as bar:
        tasks = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        report = evaluate(
            None if report_half is None else [one.source for one in report_half],
            ["pdq", "boxdct", ListOfOthers(pdq, asked), "pdq+reference-views"],
            edits=EDITS,
            distractors=[one.source for one in _half(photos, "tune")] if photos else None,
            peers=False,
            limit=None if photos else options.limit,
            seed=SEED,
            max_side_px=MAX_SIDE_PX,
            workers=options.workers,
            state=options.state,
            progress=tell,
        )
    _write(report, options.out, _stored(photos))


def _half(photos: Path, half: Half) -> list[Original]:
    """Return pictures of a half in an order by chance: one shot of each object, of both halves."""
    seen = {"fork", "scissors"} if half == "tune" else set[str]()
    kept = []
    for one in find_pictures(photos, half=half, seed=SEED):
        series = SERIES.search(one.name)
        if series is None or series[1] not in seen:
            kept.append(one)
        if series is not None:
            seen.add(series[1])
    order = np.random.default_rng(SEED).permutation(len(kept))
    return [kept[i] for i in order]


def _stored(photos: Path | None) -> int:
    """Return how many views a picture is stored with, for the note on how many hashes there are."""
    pdq = get_algorithm("pdq")
    if photos is None or not isinstance(pdq, HashAlgorithm):
        return 0
    total = 0
    for one in _half(photos, "tune"):
        picture = Picture(one.pixels(MAX_SIDE_PX), pdq)
        families = REFERENCE_FAMILIES.values()
        views = (view for family in families for _, view in family.hash(picture))
        total += 1 + sum((view.quality or 0) >= pdq.min_quality for view in views)
    return total


def _write(report: RobustnessReport, out: Path, n_stored: int) -> None:
    report.write(out / "robustness")
    source = "generated pictures" if report.source == "generated" else "photographs"
    words = [
        "# Robustness",
        "",
        f"{report.n_pictures} {source} (the report half; one shot of "
        f"each series of one object), {len(EDITS)} edits of each, one setting for all. Beside them "
        f"{report.n_distractors} pictures of the tune half, stored with their views: {n_stored:,} "
        "hashes. Brackets are 95 % Wilson intervals. Views were tuned on the tune half; after "
        "a look at this half the grid of stored crops was made denser and two radii smaller (the "
        "sides', and all of them among stored views), again on the tune half. The whole report: "
        "[robustness/report.md](robustness/report.md).",
        "",
        *table_of_targets(report),
        "",
        *table_of_families(report),
        "",
    ]
    (out / "robustness.md").write_text("\n".join(words), encoding="utf-8")
    (out / "robustness.json").write_text(
        json.dumps(json.loads(report.to_json()), indent=None), encoding="utf-8"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=int, default=310)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--state", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
