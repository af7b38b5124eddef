"""``fingerprint warmup``."""

from __future__ import annotations

import time

import click

import fingerprint as fp
from fingerprint.cli.common import console, errors

__all__ = ["command"]


@click.command()
def command() -> None:
    """Compile the kernels, so that nobody waits for it later."""
    start = time.perf_counter()
    with errors.status("compiling") as status:
        fp.warmup(lambda name: status.update(f"compiling {name}"))
    console.print(f"kernels compiled and cached in {time.perf_counter() - start:.1f} s")
