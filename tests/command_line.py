"""Calling the command line from tests, and something to call it with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fingerprint as fp
from fingerprint.cli.common import console
from fingerprint.cli.main import main

Run = Callable[..., tuple[int, str, str]]

GOOD = "0f" * 32
"""A hash."""


def runner(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *command: str
) -> Run:
    """Return a function that calls ``fingerprint``: exit status, output, errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fingerprint", *command, *map(str, arguments)])
        monkeypatch.setattr(console, "_width", 200)  # Whatever the terminal of the tests.
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        code = stopped.value.code
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return call


def photo_like(seed: int, height: int = 180, width: int = 240) -> Image.Image:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def random_hashes(n: int, seed: int = 0) -> fp.HashArray:
    packed = np.random.default_rng(seed).integers(0, 256, (n, 32), dtype=np.uint8)
    return fp.HashArray(packed, "pdq", quality=[i % 101 for i in range(n)])


def make_index(path: Path) -> Path:
    """Make an index of sixty entries in a segment, one of them removed, and two in the tail."""
    with fp.Index.create(path, maintenance="manual") as new:
        new.add([f"id {i}" for i in range(60)], random_hashes(60), [{"n": i} for i in range(60)])
        new.seal()
        new.add(["tail 0", "tail 1"], random_hashes(2, seed=1))
        new.remove("id 7")
    return path


def ids(path: Path) -> list[str]:
    with fp.Index.open(path, read_only=True) as index:
        return list(index)
