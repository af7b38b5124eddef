"""How many edited copies local features find again, and how many different pictures they confuse.

``python -m benchmarks.features`` measures the report half of the photographs below
``$FINGERPRINT_MEDIA/photos`` (the settings were chosen on the other half, ``--half tune``) and
writes ``results/features.{md,json}``. Pairs whose PDQ hashes are within 64 bits in any position
are the same picture and left out. Photographs of one object or scene, told by their names, are
counted by themselves.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from multiprocessing import Pool
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import cv2
import numpy as np

import fingerprint as fp
from benchmarks.features_edits import EDITS, TEMPLATES
from fingerprint.features import LocalFeatures, Verification, local_features, verify

if TYPE_CHECKING:
    from fingerprint.typing import U8

RESULTS = Path(__file__).parent / "results"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LARGEST_PX = 1600
SAME_PICTURE_BITS = 64
TEMPLATE_SHARE = 25
OTHERS = 14


class Budget(NamedTuple):
    """Most keypoints of a query and of a reference."""

    query: int
    reference: int

    def __str__(self) -> str:
        return f"{self.query:,} in {self.reference:,}"


class Photo(NamedTuple):
    """A photograph, its hashes, its features and those of its edited copies."""

    name: str
    hashes: dict[str, fp.Hash]
    query: LocalFeatures
    reference: LocalFeatures
    edited: dict[str, LocalFeatures]
    framed: dict[str, tuple[LocalFeatures, ...]]


def in_half(name: str, half: str) -> bool:
    """Whether the first bit of the digest of its name puts a photograph in this half."""
    first = hashlib.blake2b(name.encode(), digest_size=8).digest()[0] >> 7
    return half == "all" or first == (half == "report")


def photographs(half: str, limit: int) -> tuple[Path, list[str]]:
    """Return the folder and names; with a limit as many clothes as others."""
    root = Path(os.environ["FINGERPRINT_MEDIA"]) / "photos"
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
    names = [name for p in paths if in_half(name := p.relative_to(root).as_posix(), half)]
    rng = np.random.default_rng(1)
    rng.shuffle(names)
    clothes = [name for name in names if name.startswith("objects")]
    others = [name for name in names if not name.startswith("objects")]
    n_others = min(len(others), limit // 2)
    return root, [*others[:n_others], *clothes[: limit - n_others]]


@lru_cache(maxsize=OTHERS)
def pixels_of(path: Path) -> U8:
    """Return RGB pixels; of very large pictures smaller ones, to save time."""
    array = fp.decode(path).array
    array = np.repeat(array[..., None], 3, 2) if array.ndim == 2 else array
    factor = LARGEST_PX / max(array.shape)
    if factor >= 1:
        return array
    size = round(array.shape[1] * factor), round(array.shape[0] * factor)
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA), np.uint8)


def prepare(job: tuple[Path, str, tuple[str, ...], Budget, bool]) -> Photo:
    """Edit one photograph in every way and take the features."""
    root, name, other_names, budget, with_edits = job
    many = budget.query
    cv2.setNumThreads(1)
    seed = zlib.crc32(name.encode())
    pixels = pixels_of(root / name)
    query = local_features(pixels, max_features=many)
    reference = local_features(pixels, max_features=budget.reference, mirrored=False)
    edited, framed = {}, {}
    if with_edits:
        others = [pixels_of(root / other) for other in other_names if other != name]
        for title, edit in EDITS.items():
            picture = edit(pixels, np.random.default_rng([seed, 7]), others)
            edited[title] = local_features(picture, max_features=many)
        for title, template in TEMPLATES.items():
            framed[title] = tuple(
                local_features(template(pixels, np.random.default_rng(s)), max_features=many)
                for s in (0, 1)
            )
    return Photo(name, fp.hash_dihedral(pixels), query, reference, edited, framed)


PHOTOS: list[Photo] = []
Job = tuple[str, str, int, int, int]


def same_picture(a: Photo, b: Photo) -> bool:
    """Whether PDQ takes them for one picture, in any position."""
    plain = b.hashes["identity"]
    return min(turned - plain for turned in a.hashes.values()) <= SAME_PICTURE_BITS


def kinship(a: str, b: str) -> str:
    """Return how much alike two different photographs are by where they come from."""
    first, second = a.split("/")[0], b.split("/")[0]
    if first != second:
        return "different folders"
    stems = [re.sub(r"\d+", "", Path(name).stem) for name in (a, b)]
    if first in {"places", "large"} and stems[0] == stems[1]:
        return "one object or scene by name"
    return f"same folder: {first}"


def pair_jobs(pairs: int) -> Iterator[Job]:
    """Yield what is to be compared: kind, edit, query, reference, seed of the template."""
    n = len(PHOTOS)
    whole = [i for i in range(n) if PHOTOS[i].edited]
    yield from (("copy", edit, i, i, 0) for i in whole for edit in EDITS)
    yield from (("plain", "", i, j, 0) for i, j in itertools.combinations(range(n), 2))
    rng = np.random.default_rng(5)
    names = list(EDITS)
    for _ in range(pairs):
        i, j = int(rng.choice(whole)), int(rng.integers(n))
        if i != j:
            yield "edited", names[int(rng.integers(len(names)))], i, j, 0
    for template in TEMPLATES:
        for _ in range(pairs // TEMPLATE_SHARE):
            i, j = (int(k) for k in rng.choice(whole, 2, replace=False))
            yield "template", template, i, j, int(rng.integers(2))


def compare(job: Job) -> tuple[str, str, int, int, float, float, int, bool] | None:
    """Compare one pair; None when it is one picture twice."""
    kind, title, i, j, seed = job
    a, b = PHOTOS[i], PHOTOS[j]
    if kind != "copy" and same_picture(a, b):
        return None
    query, reference = a.query, b.reference
    if kind in {"copy", "edited"}:
        query = a.edited[title]
    elif kind == "template":
        query, reference = a.framed[title][seed], b.framed[title][seed]
    found = verify(query, reference)
    return (kind, title, i, j, *_figures(found))


def _figures(found: Verification) -> tuple[float, float, int, bool]:
    return found.evidence, found.agreement, found.inliers, found.convincing


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    z = 1.96
    middle = (k + z * z / 2) / (n + z * z)
    half = z * np.sqrt(k * (n - k) / n + z * z / 4) / (n + z * z)
    return float(middle - half), float(middle + half)


def measure(half: str, limit: int, edited: int, pairs: int, budget: Budget) -> dict[str, Any]:
    """Measure one setting."""
    root, names = photographs(half, limit)
    # What else is in a collage must not be among the references.
    others = tuple(photographs("tune" if half == "report" else "report", OTHERS)[1])
    wanted = set(np.linspace(0, len(names) - 1, edited).round().astype(int).tolist())
    jobs = [(root, name, others, budget, k in wanted) for k, name in enumerate(names)]
    with Pool() as pool:
        PHOTOS[:] = pool.map(prepare, jobs, chunksize=2)
    with Pool() as pool:
        rows = [row for row in pool.map(compare, list(pair_jobs(pairs)), chunksize=50) if row]
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        kind, title, i, j = row[:4]
        if kind != "copy":
            kin = kinship(PHOTOS[i].name, PHOTOS[j].name)
            title = title if kind == "template" and not kin.startswith("one") else kin
            kind = "template" if title in TEMPLATES else kind
        groups[kind, title].append(row)
    return {
        "setting": str(budget),
        "photographs": len(names),
        "edited": len([p for p in PHOTOS if p.edited]),
        "recall": {t: _share(v) for (k, t), v in groups.items() if k == "copy"},
        "false": {f"{k}, {t}": _share(v) for (k, t), v in sorted(groups.items()) if k != "copy"},
        "highest": _highest(rows),
        **_cost(root, names[:: max(1, len(names) // 40)], budget),
    }


def _share(rows: list[Any]) -> dict[str, Any]:
    k, n = sum(row[7] for row in rows), len(rows)
    bits = sorted(row[4] for row in rows)
    low, high = wilson(k, n)
    return {
        **{"n": n, "convincing": k, "share": k / n, "low": low, "high": high},
        **{"evidence_5": bits[len(bits) // 20], "evidence_50": median(bits)},
        "evidence_max": bits[-1],
    }


def _highest(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the pairs of different pictures that come nearest to convincing, or do."""
    apart = [
        {"query": PHOTOS[i].name, "reference": PHOTOS[j].name, "kind": kind, "edit": title}
        | {"evidence": round(evidence, 1), "agreement": round(agreement, 2), "convincing": done}
        for kind, title, i, j, evidence, agreement, _, done in rows
        if kind in {"plain", "edited"} and kinship(PHOTOS[i].name, PHOTOS[j].name)[:3] != "one"
    ]
    return sorted(apart, key=lambda row: -row["evidence"])[:12]


def _cost(root: Path, names: list[str], budget: Budget) -> dict[str, Any]:
    cv2.setNumThreads(1)
    pictures = [pixels_of(root / name) for name in names]
    made = [local_features(p, max_features=budget.query) for p in pictures]
    plain = [local_features(p, max_features=budget.reference, mirrored=False) for p in pictures]
    return {
        "query_ms": _ms(lambda p: local_features(p, max_features=budget.query), pictures),
        "reference_ms": _ms(
            lambda p: local_features(p, max_features=budget.reference, mirrored=False), pictures
        ),
        "pair_ms": _ms(lambda k: verify(made[k], plain[k - 1]), range(len(made))),
        "pair_without_mirrored_ms": _ms(
            lambda k: verify(made[k], plain[k - 1], mirrored=False), range(len(made))
        ),
        "nbytes": median(len(f.to_bytes()) for f in plain),
    }


def _ms(call: Any, values: Iterable[Any]) -> float:
    times = []
    for value in values:
        start = perf_counter()
        call(value)
        times.append(1000 * (perf_counter() - start))
    return median(times)


def to_markdown(half: str, results: list[dict[str, Any]]) -> str:
    """Return the tables."""
    heads = [r["setting"] for r in results]
    lines = [
        f"# Local features, {half} half of the photographs",
        "",
        "Made by `python -m benchmarks.features`; settings were chosen on the other half. "
        "Settings are the most keypoints of a query and of a reference. "
        + "; ".join(
            f"{h}: {r['photographs']} photographs, {r['edited']} of them edited"
            for h, r in zip(heads, results, strict=True)
        )
        + ".",
        "",
        "## Copies that convince",
        "",
        *_table("edit", heads, [r["recall"] for r in results], list(EDITS)),
        "",
        "## Different pictures that convince",
        "",
        "plain: as they are; edited: the query edited by one of the edits above; template: both "
        "in the same screen, post, caption, lettering, watermark or with the same logo. "
        "Zero of n says: at most 3/n.",
        "",
        *_table("pairs", heads, [r["false"] for r in results], list(results[0]["false"])),
        "",
        "Nearest to convincing, but for one object or scene:",
        "",
        *(
            f"* {row['evidence']:.0f} bits, {row['agreement']:.0%} borne out"
            f"{', **convincing**' if row['convincing'] else ''}: {row['query']} "
            f"({row['edit'] or row['kind']}) and {row['reference']}"
            for row in results[0]["highest"][:8]
        ),
        "",
        "## Cost",
        "",
        "Medians, one thread, decoded pictures, pairs of different ones. A query has its mirror "
        "image described, a reference has not.",
        "",
        "| | query | reference | pair, not mirrored | pair, mirrored too | reference stored |",
        "|---|---|---|---|---|---|",
    ]
    for head, r in zip(heads, results, strict=True):
        lines.append(
            f"| {head} | {r['query_ms']:.0f} ms | {r['reference_ms']:.0f} ms "
            f"| {r['pair_without_mirrored_ms']:.1f} ms | {r['pair_ms']:.1f} ms "
            f"| {r['nbytes'] / 1000:.0f} kB |"
        )
    return "\n".join(lines) + "\n"


def _table(
    what: str, heads: list[str], columns: list[dict[str, Any]], names: list[str]
) -> list[str]:
    lines = [f"| {what} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in names:
        cells = []
        for column in columns:
            row = column.get(name)
            cells.append(
                f"{row['share']:.3f} ({row['convincing']:,}/{row['n']:,}; "
                f"{row['low']:.3f}–{row['high']:.3f})"
                if row
                else "–"
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


@click.command()
@click.option("--half", type=click.Choice(["tune", "report", "all"]), default="report")
@click.option("--limit", default=200, help="Photographs; a quarter for all settings but the first.")
@click.option("--edited", default=80, help="Photographs that are edited, too; then a half.")
@click.option("--pairs", default=5000, help="Edited queries and other pictures; then a quarter.")
@click.option(
    "--features",
    default="3000/1000,500/500,1000/1000,2000/2000,3000/2000",
    help="Settings: keypoints of query / reference.",
)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS)
def main(half: str, limit: int, edited: int, pairs: int, features: str, out: Path) -> None:
    """Measure and write the tables."""
    results = []
    for number, text in enumerate(features.split(",")):
        query, reference = map(int, text.split("/"))
        small = 1 if number == 0 else 4  # The first setting is measured on more.
        many = limit // small, min(edited // min(2, small), limit // small), pairs // small
        results.append(measure(half, *many, Budget(query, reference)))
        record = {"half": half, "opencv": cv2.__version__, "results": results}
        (out / "features.json").write_text(json.dumps(record, indent=1) + "\n")
        (out / "features.md").write_text(to_markdown(half, results))
        click.echo(f"{text} keypoints done")


if __name__ == "__main__":
    main()
