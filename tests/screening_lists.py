"""Lists for tests of screening: real ones on disk and the slow one, with the same records."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fingerprint as fp
from fingerprint.lists import HashList, Record
from fingerprint.screening import ListPolicy, Policy, Screener, ScreeningResult
from fingerprint.screening.digests import digests_of
from tests.command_line import photo_like
from tests.fake_list import FakeList

KINDS = ("slow", "real")


def list_of(kind: str, folder: Path, name: str, records: Iterable[Record] = ()) -> Any:
    """A list of records; a real one is to be closed."""
    if kind == "slow":
        return FakeList(name, records)
    made = HashList.create(folder / name, name)
    made.add(records, by="test")
    return made


@contextmanager
def list_maker(kind: str, folder: Path) -> Iterator[Callable[..., Any]]:
    """Yield what makes lists of one kind of a name and records, and close them in the end."""
    with ExitStack() as opened:

        def made(name: str, *records: Record) -> Any:
            found = list_of(kind, folder, name, records)
            if isinstance(found, HashList):
                opened.enter_context(found)
            return found

        yield made


def screened(
    lists: Any, source: Any, policy: ListPolicy | None = None, **options: Any
) -> ScreeningResult:
    """Screen one upload by one policy for all lists; ``options`` are of either call."""
    asked = {name: options.pop(name) for name in ("media", "supplied") if name in options}
    whole = None if policy is None else Policy(default=policy)
    with Screener(lists, whole, **options) as screener:
        return screener.screen(source, **asked)


def picture(seed: int, **options: Any) -> bytes:
    """A picture in a file."""
    out = io.BytesIO()
    photo_like(seed).save(out, options.pop("format", "PNG"), **options)
    return out.getvalue()


def record_of(data: bytes, name: str, *types: str, source: str = "us", **fields: Any) -> Record:
    """A record of a picture, with hashes of these types."""
    digests = [one for one in types if one in ("md5", "sha1", "sha256", "sha512")]
    hashes = digests_of(data, digests)
    hashes |= {one: fp.hash_image(data, one).hex for one in types if one not in digests}
    return Record(source, name, hashes, **fields)


def turned_bits(value: str, n: int, seed: int = 0) -> str:
    """A hash that is so many bits away."""
    size = 4 * len(value)
    places = np.random.default_rng(seed).choice(size, n, replace=False).tolist()
    changed = int(value, 16)
    for place in places:
        changed ^= 1 << place
    return f"{changed:0{len(value)}x}"


def flat_picture() -> bytes:
    """A picture with hardly anything in it."""
    pixels = np.full((120, 160, 3), 128, np.uint8)
    pixels += (np.asarray(photo_like(7).resize((160, 120)))[..., :3] // 40).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
