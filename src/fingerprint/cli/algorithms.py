"""``fingerprint algorithms``."""

from __future__ import annotations

import click
from rich.table import Table

import fingerprint as fp
from fingerprint.cli.common import console

__all__ = ["command"]


@click.command()
def command() -> None:
    """List the hash algorithms and the index backends."""
    table = Table(title="Hash algorithms", title_justify="left")
    for heading in ("name", "bits", "radius", "from", "what it is"):
        table.add_column(heading, justify="right" if heading in {"bits", "radius"} else "left")
    for name in fp.algorithm_names():
        algorithm = fp.get_algorithm(name)
        table.add_row(
            name,
            str(algorithm.bits),
            str(algorithm.radius.bits),
            algorithm.radius.source,
            algorithm.summary,
        )
    console.print(table)
    console.print(
        "Sizes after a colon: phash:16 has 256 bits. pdq:512 resizes first, as the C++ file tool."
    )
    backends = Table(title="Index backends", title_justify="left")
    for heading in ("name", "misses nothing", "what it is"):
        backends.add_column(heading)
    for name in fp.backend_names():
        backend = fp.get_backend(name)
        exact = "yes" if backend.exact else "no, approximate"
        backends.add_row(name, exact, (backend.__doc__ or "").splitlines()[0])
    console.print(backends)
