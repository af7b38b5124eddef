"""``fingerprint index bench``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click
import numpy as np
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import console, errors, progress_bar, shown
from fingerprint.cli.index.options import (
    check_radius,
    index_argument,
    json_option,
    residency_option,
    segments_text,
)
from fingerprint.index.store import EntryGoneError

if TYPE_CHECKING:
    from fingerprint.index.view import Part

__all__ = ["bench"]

_WARM_UP = 20
_EVERY = 64


class _Query(NamedTuple):
    """What is asked; ``member`` is the id of the entry that was changed to make it."""

    hash: fp.Hash
    member: str | None


class _Outcome(NamedTuple):
    member: str | None
    found: bool
    matches: int
    ms: float


@click.command()
@index_argument
@click.option("--queries", "n", type=click.IntRange(2), default=1000, show_default=True)
@click.option("--radius", type=click.IntRange(0), help="Bits; the algorithm's by default.")
@residency_option
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def bench(
    index_path: Path,
    n: int,
    radius: int | None,
    residency: Literal["mmap", "huge"],
    seed: int,
    as_json: bool,
) -> int:
    """Time look-ups in an index, one at a time, on one thread.

    Half of the queries are entries of it with 0 to RADIUS bits flipped, half are random;
    they are asked in random order, after a few that do not count.

    Exit status 2 when an entry was not found again: an approximate backend misses some.
    """
    start = time.perf_counter()
    with fp.Index.open(index_path, read_only=True, residency=residency) as index:
        opened_s = time.perf_counter() - start
        reach = _radius(index, radius)
        _one_thread()
        queries = _queries(index, n, reach, seed)
        outcomes = _time(index, queries, reach)
        missed = [one for one in outcomes if one.member in index and not one.found]
        facts = _facts(index, reach, residency, seed, opened_s)
    groups = {
        f"entries, 0 to {reach} bits flipped": [o for o in outcomes if o.member is not None],
        "random": [o for o in outcomes if o.member is None],
        "both": outcomes,
    }
    rows = {name: _summary(group) for name, group in groups.items()}
    if as_json:
        click.echo(json.dumps({**facts, "queries": rows, "missed": len(missed)}))
    else:
        _print(facts, rows)
    if missed:
        errors.print(f"[red]{len(missed)} of {n - n // 2} entries were not found again[/red]")
        if not facts["exact"]:
            errors.print(f"{facts['backend']} is approximate: that is what it does")
    return 2 if missed else 0


def _radius(index: fp.Index, radius: int | None) -> int:
    if not len(index):
        raise click.ClickException("the index is empty: there is nothing to look up")
    radius = index.default_radius if radius is None else radius
    if radius is None:
        raise click.UsageError(f"{index.algorithm} has no published radius: say --radius")
    check_radius(index, radius)
    return radius


def _one_thread() -> None:
    faiss = sys.modules.get("faiss")  # The other backends use one thread for one query.
    if faiss is not None:
        faiss.omp_set_num_threads(1)


def _queries(index: fp.Index, n: int, radius: int, seed: int) -> list[_Query]:
    generator = np.random.default_rng(seed)
    nbytes = (index.bits + 7) // 8
    spare = np.uint8(0xFF << (-index.bits % 8) & 0xFF)
    queries = []
    for member, packed in _members(index, n - n // 2, generator):
        flipped = generator.choice(index.bits, generator.integers(radius + 1), replace=False)
        for bit in flipped:
            packed[bit >> 3] ^= np.uint8(0x80 >> (bit & 7))
        queries.append(_Query(_hash(index, packed), member))
    for _ in range(n // 2):
        packed = generator.integers(0, 256, nbytes, dtype=np.uint8)
        packed[-1] &= spare
        queries.append(_Query(_hash(index, packed), None))
    return [queries[i] for i in generator.permutation(n)]


def _hash(index: fp.Index, packed: Any) -> fp.Hash:
    # Without a quality: nobody is warned of what matches by chance.
    return fp.Hash(index.algorithm, packed.tobytes(), index.bits, None, index.version)


def _members(index: fp.Index, n: int, generator: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """Yield id and bytes of entries drawn by chance, some perhaps twice."""
    # The API has no way to an entry by its place, and reading all of them takes too long.
    view, records = index._store.latest()
    rows = [_draw(view.parts, generator) for _ in range(n)]
    try:
        found = records(list({seq for seq, _ in rows}))
    except EntryGoneError:
        raise click.ClickException("the index changed just now: try again") from None
    nbytes = (index.bits + 7) // 8
    for seq, words in rows:
        yield found[seq].name, words.copy().view(np.uint8)[:nbytes]


def _draw(parts: tuple[Part, ...], generator: np.random.Generator) -> tuple[int, Any]:
    """Return the sequence number and the words of an entry."""
    ends = np.cumsum([len(part) for part in parts])
    while True:
        row = int(generator.integers(ends[-1]))
        at = int(np.searchsorted(ends, row, side="right"))
        part = parts[at]
        row -= int(ends[at]) - len(part)
        if not np.isin(row, part.removed):
            return int(part.rows.seqs[row]), part.rows.words[row]


def _time(index: fp.Index, queries: list[_Query], radius: int) -> list[_Outcome]:
    for one in queries[:_WARM_UP]:
        index.within(one.hash, radius)
    outcomes = []
    # A thread that draws the bar would be timed with the look-ups.
    with progress_bar(by_itself=False) as bar:
        task = bar.add_task("looking up", total=len(queries))
        for i, (query, member) in enumerate(queries):
            start = time.perf_counter_ns()
            matches = index.within(query, radius)
            ms = (time.perf_counter_ns() - start) / 1e6
            found = any(match.id == member for match in matches)
            outcomes.append(_Outcome(member, found, len(matches), ms))
            if i % _EVERY == 0:
                bar.update(task, completed=i, refresh=True)
    return outcomes


def _summary(outcomes: list[_Outcome]) -> dict[str, Any]:
    p50, p90, p99 = np.percentile([one.ms for one in outcomes], [50, 90, 99]).tolist()
    return {
        "n": len(outcomes),
        "p50_ms": p50,
        "p90_ms": p90,
        "p99_ms": p99,
        "matches": sum(one.matches for one in outcomes),
        "entries": sum(one.member is not None for one in outcomes),
        "entries_found": sum(one.found for one in outcomes),
    }


def _facts(
    index: fp.Index, radius: int, residency: str, seed: int, opened_s: float
) -> dict[str, Any]:
    facts = index.info()
    names = ("algorithm", "bits", "entries", "backend", "exact", "scanned_entries")
    return {
        **{name: facts[name] for name in names},
        "segments": len(facts["segments"]),
        "radius": radius,
        "residency": residency,
        "threads": 1,
        "seed": seed,
        "opened_s": opened_s,
    }


def _print(facts: dict[str, Any], rows: dict[str, dict[str, Any]]) -> None:
    console.print(
        f"{facts['entries']:,} entries, {shown(facts['algorithm'])}, {facts['bits']} bits, "
        f"radius {facts['radius']}; {facts['backend']}, {segments_text(facts['segments'])} and "
        f"{facts['scanned_entries']:,} scanned; residency {facts['residency']}, 1 thread; "
        f"opened in {facts['opened_s']:.2g} s"
    )
    table = Table()
    for heading in ("queries", "number", "p50 ms", "p90 ms", "p99 ms", "matches", "found again"):
        table.add_column(heading, justify="left" if heading == "queries" else "right")
    for name, row in rows.items():
        again = f"{row['entries_found']} of {row['entries']}" if row["entries"] else ""
        times = (f"{row[f'p{share}_ms']:.3f}" for share in (50, 90, 99))
        table.add_row(name, str(row["n"]), *times, f"{row['matches']:,}", again)
    console.print(table)
