"""What a hash list costs: taking millions of records in, asking them, screening beside them.

``python -m benchmarks.lists --records 10000000`` makes a CSV file of random records with
a PDQ hash and an MD5 digest each, imports it as one snapshot, and writes
``results/lists.md`` and ``.json``. Screening is measured in turns with decoding and hashing
the same files, the photographs below ``$FINGERPRINT_MEDIA/photos`` or else generated ones.
"""

from __future__ import annotations

import csv
import json
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from rich.console import Console

import fingerprint as fp
from benchmarks.environment import describe_machine, use_one_thread
from benchmarks.measurement import NotRunError
from benchmarks.paired import Paired, Plan, Spread, compare, figures
from benchmarks.pictures import photo_paths
from fingerprint.errors import LowQualityWarning
from fingerprint.evaluate.synthesis import photos
from fingerprint.lists import Change, HashList, Record, Retraction
from fingerprint.lists.reading import read_list
from fingerprint.screening import ListPolicy, Policy, Screener

RESULTS = Path(__file__).parent / "results"
CHUNK = 100_000
QUERIES = 2000
N_PICTURES = 120
SIZES = (("below 0.5 MP", 0.0, 0.5), ("0.5 to 2 MP", 0.5, 2.0), ("2 MP and more", 2.0, 1e9))
CHANGED = 10_000

console = Console(stderr=True)


@click.command()
@click.option("--records", "n", default=10_000_000, show_default=True, help="Records of the list.")
@click.option("--pictures", default=N_PICTURES, show_default=True, help="Pictures to screen.")
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--again/--no-again", default=True, help="Import the same file twice.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the list here, or use it.")
def main(n: int, pictures: int, out: Path, again: bool, keep: Path | None) -> None:
    """Measure ingestion, look-ups and screening of a list of many records."""
    use_one_thread()
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch) / "list"
        found: dict[str, Any] = {"records": n, "machine": machine}
        if not folder.exists():
            found |= _ingested(folder, Path(scratch) / "list.csv", n, again)
        with HashList.open(folder) as hash_list:
            found["nbytes_on_disk"] = hash_list.info()["nbytes_on_disk"]
            found |= _asked(hash_list)
            found["screening"] = _screened(hash_list, pictures, Path(scratch))
            found |= _changed(hash_list)
    out.mkdir(parents=True, exist_ok=True)
    (out / "lists.json").write_text(json.dumps(found, indent=1) + "\n")
    (out / "lists.md").write_text(_report(found))
    console.print(_report(found))


def _ingested(folder: Path, path: Path, n: int, again: bool) -> dict[str, float]:
    """Import a snapshot of n records; the file is written before."""
    console.print(f"writing {n:,} rows")
    _write_csv(path, n)
    parse_s, _ = _timed(lambda: sum(1 for _ in read_list(path, list_source="s")))
    console.print(f"parsed in {parse_s:.0f} s; importing")
    before = _peak_nbytes()
    with HashList.create(folder, "benchmark") as hash_list:
        apply_s, report = _timed(
            lambda: hash_list.apply(
                read_list(path, list_source="s"), by="benchmark", feed="f", snapshot_of="s"
            )
        )
        if report.added != n:
            raise click.ClickException(f"{report.added:,} of {n:,} records were added")
        peak = _peak_nbytes()
        console.print(f"imported in {apply_s:.0f} s")
        found = {
            "parse_s": parse_s,
            "import_s": apply_s,
            "peak_before_nbytes": before,
            "peak_nbytes": peak,
        }
        if again:
            found["again_s"], report = _timed(
                lambda: hash_list.apply(
                    read_list(path, list_source="s"), by="benchmark", feed="f", snapshot_of="s"
                )
            )
            if report.unchanged != n:
                raise click.ClickException(f"{report.unchanged:,} of {n:,} records were unchanged")
    path.unlink()
    return found


def _chunks(n: int) -> Iterator[list[str]]:
    """Yield the same random rows whenever they are asked for, in hex."""
    generator = np.random.default_rng(1)
    for first in range(0, n, CHUNK):
        packed = generator.integers(0, 256, (min(CHUNK, n - first), 56), np.uint8).tobytes()
        yield [packed[i : i + 56].hex() for i in range(0, len(packed), 56)]


def _write_csv(path: Path, n: int) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("record_id", "pdq", "md5", "category"))
        for hexes in _chunks(n):
            rows.writerows((one[:16], one[16:80], one[80:], "A1") for one in hexes)


def _asked(hash_list: HashList) -> dict[str, dict[str, float]]:
    """Time single look-ups: digests and PDQ, of strangers and of what is listed."""
    console.print("look-ups")
    generator = np.random.default_rng(2)
    strangers = [generator.bytes(32) for _ in range(QUERIES)]
    known = list(_some(hash_list, QUERIES, 3))
    hashes = [fp.Hash("pdq", packed, 256, 100) for packed in strangers]
    listed = [fp.Hash.parse(one.hashes["pdq"], "pdq", quality=100) for one in known]
    return {
        "md5 of a stranger": _latency([(hash_list.find, "md5", p.hex()[:32]) for p in strangers]),
        "md5 that is listed": _latency([(hash_list.find, "md5", r.hashes["md5"]) for r in known]),
        "pdq within 31 of a stranger": _latency([(hash_list.within, h, 31) for h in hashes]),
        "pdq within 31 of a listed one": _latency([(hash_list.within, h, 31) for h in listed]),
    }


def _some(hash_list: HashList, n: int, seed: int) -> Iterator[Record]:
    """Yield records from here and there, in an order that no cache knows."""
    every = len(hash_list)
    order = np.random.default_rng(seed)
    picked = [
        hexes[place][:16]
        for hexes in _chunks(every)
        for place in order.integers(0, len(hexes), 1 + n * len(hexes) // every).tolist()
    ]
    for name in dict.fromkeys(picked[i] for i in order.permutation(len(picked))[:n].tolist()):
        yield hash_list.get("s", name)


def _latency(calls: list[tuple[Any, ...]]) -> dict[str, float]:
    times = []
    for ask, *arguments in [*calls[:50], *calls]:
        before = time.perf_counter()
        ask(*arguments)
        times.append(time.perf_counter() - before)
    p50, p99 = np.percentile(times[50:], (50, 99)) * 1e3
    return {"p50_ms": float(p50), "p99_ms": float(p99), "n": len(times) - 50}


def _screened(hash_list: HashList, pictures: int, scratch: Path) -> list[dict[str, Any]]:
    """Compare screening of files with decoding and hashing them, in turns."""
    paths = _files(pictures, scratch)
    rows = []
    for name, policy in (
        ("pdq", ListPolicy(algorithms=("pdq",))),
        ("pdq and md5", ListPolicy(algorithms=("pdq", "md5"))),
    ):
        console.print(f"screening {len(paths)} files: {name}")
        screener = Screener([hash_list], Policy(lists={hash_list.name: policy}))
        every = [(_megapixels(path), _pair(screener, path)) for path in paths]
        for what, least, most in SIZES:
            some = [one for size, one in every if least <= size < most]
            if some:
                rows.append({"asked": name, "pictures": what, **_ratio(some)})
        rows.append({"asked": name, "pictures": "all", **_ratio([one for _, one in every])})
    return rows


def _ratio(every: list[Paired]) -> dict[str, float]:
    hash_s, screen_s = ([s.median for s in side] for side in _sides(every))
    return {
        "files": len(every),
        "hash_ms": float(np.median(hash_s) * 1e3),
        "screen_ms": float(np.median(screen_s) * 1e3),
        "speed": float(np.median([one.speedup for one in every])),
        "total_speed": sum(hash_s) / sum(screen_s),
    }


def _sides(every: list[Paired]) -> tuple[list[Spread], list[Spread]]:
    return [one.peer_s for one in every], [one.ours_s for one in every]


def _megapixels(path: Path) -> float:
    with Image.open(path) as picture:
        return picture.width * picture.height / 1e6


def _pair(screener: Screener, path: Path) -> Paired:
    def screen() -> str:
        return screener.screen(path).outcome.value

    def plain() -> str:
        return str(fp.hash_image(path))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LowQualityWarning)
        # Strangers match nothing, and are either told apart or too poor to be.
        return compare(screen, plain, lambda a, b: a != "error" and bool(b), Plan(0.5, 5, 15))


def _files(n: int, scratch: Path) -> list[Path]:
    try:
        return photo_paths(jpeg_only=True, at_most=n)
    except NotRunError as error:
        console.print(f"{error}: generated pictures")
    made = []
    for i, picture in enumerate(photos(n, seed=4)):
        made.append(scratch / f"{i}.jpg")
        Image.fromarray(picture).save(made[-1], quality=90)
    return made


def _changed(hash_list: HashList) -> dict[str, float]:
    """Time a delta of updates and retractions, and the purge behind it."""
    console.print("a delta")
    some = list(_some(hash_list, CHANGED, 4))
    half = len(some) // 2
    changes: list[Change] = [
        *(Record(*one.key, one.hashes, category="B1") for one in some[:half]),
        *(Retraction(*one.key) for one in some[half:]),
    ]
    delta_s, report = _timed(lambda: hash_list.apply(changes, by="benchmark", purge=False))
    if (report.updated, report.retracted) != (half, len(some) - half):
        raise click.ClickException(f"the delta was applied wrongly: {report}")
    console.print("purging")
    purge_s, _ = _timed(hash_list.purge)
    return {"delta": len(some), "delta_s": delta_s, "purge_s": purge_s}


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    before = time.perf_counter()
    answer = call()
    return time.perf_counter() - before, answer


def _peak_nbytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _report(found: dict[str, Any]) -> str:
    n = found["records"]
    lines = [
        f"# Hash lists: {n:,} records",
        "",
        f"Written by `python -m benchmarks.lists --records {n}`. Each record is random: a PDQ "
        "hash, an MD5 digest, a category. One thread but for what builds and merges search "
        "structures; caches as the benchmark leaves them.",
        "",
        *(f"- {name}: {value}" for name, value in found["machine"].items()),
        "",
    ]
    if "import_s" in found:
        lines += [
            "| | seconds | records/s |",
            "|---|---|---|",
            *(
                f"| {what} | {found[key]:.1f} | {n / found[key]:,.0f} |"
                for what, key in (
                    ("reading the CSV file alone", "parse_s"),
                    ("importing it, one commit, durable", "import_s"),
                    ("importing it again: nothing changes", "again_s"),
                )
                if key in found
            ),
            "",
            f"Peak memory {found['peak_before_nbytes'] / 2**20:,.0f} MiB before importing and "
            f"{found['peak_nbytes'] / 2**20:,.0f} MiB after it, mapped files included.",
        ]
    lines += [
        f"On disk {found['nbytes_on_disk'] / n:,.0f} bytes a record. A delta of "
        f"{found['delta']:,} (half updates, half retractions) took {found['delta_s']:.2f} s, "
        f"overwriting what it retracted {found['purge_s']:.1f} s.",
        "",
        "| look-up | p50 ms | p99 ms | queries |",
        "|---|---|---|---|",
        *(
            f"| {name} | {one['p50_ms']:.3f} | {one['p99_ms']:.3f} | {one['n']:,} |"
            for name, one in found.items()
            if isinstance(one, dict) and "p50_ms" in one
        ),
        "",
        "Screening a file, in turns with `hash_image` of it (speed: the time of the latter "
        "as a share of the former; medians of 5 to 15 pairs a file):",
        "",
        "| asked | pictures | files | decode + hash ms | screen ms | speed | all together |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {one['asked']} | {one['pictures']} | {one['files']} | {figures(one['hash_ms'])} "
            f"| {figures(one['screen_ms'])} | {one['speed']:.2f}× | {one['total_speed']:.2f}× |"
            for one in found["screening"]
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
