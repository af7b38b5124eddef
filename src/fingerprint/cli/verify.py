"""``fingerprint verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from fingerprint.cli.common import console, shown
from fingerprint.features import Verification, draw_verification, verify

__all__ = ["command"]

_picture = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("query", type=_picture)
@click.argument("reference", type=_picture)
@click.option(
    "--mirrored/--no-mirrored", default=True, show_default=True, help="Try mirrored, too."
)
@click.option(
    "--max-features",
    type=click.IntRange(16, 10_000),
    help="Most keypoints of a picture. [default: 3000 of QUERY, 2000 of REFERENCE]",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.png",
    help="Draw both side by side with what matches; the file shows both pictures.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    query: Path,
    reference: Path,
    mirrored: bool,
    max_features: int | None,
    picture: Path | None,
    as_json: bool,
) -> int:
    """Look for QUERY in REFERENCE by local features.

    Finds screenshots, collages, strong crops, large stickers and pictures in pictures.
    Exit status 0 when the evidence is convincing, 1 when it is not, 2 on an error.
    """
    found = verify(query, reference, mirrored=mirrored, max_features=max_features)
    if picture is not None:
        draw_verification(query, reference, found, picture)
    if as_json:
        click.echo(json.dumps({"query": str(query), "reference": str(reference), **_facts(found)}))
    else:
        _show(query, reference, found)
        if picture is not None:
            console.print(f"drawn in {shown(str(picture))}")
    return 0 if found.convincing else 1


def _facts(found: Verification) -> dict[str, Any]:
    there = found.matrix is not None
    return {
        "convincing": found.convincing,
        "evidence": round(found.evidence, 1),
        "agreement": round(found.agreement, 3),
        "inliers": found.inliers,
        "matches": found.matches,
        "mirrored": found.mirrored,
        "scale": found.scale if there else None,
        "rotation_deg": found.rotation_deg if there else None,
        "query_coverage": round(found.query_coverage, 3),
        "reference_coverage": round(found.reference_coverage, 3),
        "matrix": None if found.matrix is None else found.matrix.tolist(),
    }


def _show(query: Path, reference: Path, found: Verification) -> None:
    table = Table(title=shown(f"{query}  in  {reference}"), title_justify="left", show_header=False)
    rows = [
        ("evidence", f"{found.evidence:.0f} bits against chance"),
        ("inliers", f"{found.inliers} of {found.matches} matches"),
    ]
    if found.matrix is not None:
        rows += [
            ("borne out", f"{found.agreement:.0%} of what both show"),
            ("of the query", f"{found.query_coverage:.0%}"),
            ("of the reference", f"{found.reference_coverage:.0%}"),
            ("scale", f"{found.scale:.3g}"),
            ("turned by", f"{found.rotation_deg:.1f}°"),
            ("mirrored", "yes" if found.mirrored else "no"),
        ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
    console.print(_meaning(found))


def _meaning(found: Verification) -> str:
    if found.convincing:
        return (
            "Convincing: one shows what the other shows. Two photographs of one scene can, too; "
            "look at them."
        )
    if found.matrix is None or not found.evidence:
        return "No sign that one is in the other."
    return "Not convincing: something agrees, but too little, or only a frame, caption or logo."
