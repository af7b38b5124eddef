"""Whose signatures are believed, and about which sources."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from fingerprint.errors import BundleError, BundleSignatureError
from fingerprint.lists.bundles.keys import PublicKey

__all__ = ["TrustedKey", "TrustedKeys", "is_part_of"]

_LONGEST_FILE_NBYTES = 1 << 20


def is_part_of(source: str, whole: str) -> bool:
    """Whether a source is another, or a part of it: ``ncmec/1234`` of ``ncmec``."""
    return source == whole or source.startswith(f"{whole}/")


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key, whose it is, and what it may speak for.

    Parameters
    ----------
    key : PublicKey
        The key.
    name : str
        Its holder, as people here call them. A holder with a new key keeps the name.
    sources : tuple of str
        Sources it may add records to and withdraw them from, with all their parts.
    """

    key: PublicKey
    name: str
    sources: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.key, PublicKey):
            raise BundleError(f"key: expected PublicKey, got {type(self.key).__name__}")
        if not isinstance(self.name, str) or not self.name or not self.name.isprintable():
            raise BundleError("name: expected the holder of the key")
        given: object = self.sources
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise BundleError(f"sources of {self.name!r}: expected a list of sources")
        object.__setattr__(self, "sources", tuple(given))
        if not self.sources:
            raise BundleError(f"sources of {self.name!r}: expected at least one, got none")
        for source in self.sources:
            if not isinstance(source, str) or not source or source.endswith("/"):
                raise BundleError(
                    f"sources of {self.name!r}: expected a source such as 'hotline', got {source!r}"
                )

    def speaks_for(self, source: str) -> bool:
        """Whether this key is believed about a source."""
        return any(is_part_of(source, whole) for whole in self.sources)


class TrustedKeys:
    """The keys that are believed.

    Parameters
    ----------
    keys : iterable of TrustedKey
        Each key once.
    """

    __slots__ = ("_by_raw",)

    def __init__(self, keys: Iterable[TrustedKey]) -> None:
        self._by_raw: dict[bytes, TrustedKey] = {}
        for one in keys:
            if not isinstance(one, TrustedKey):
                raise TypeError(f"keys: expected TrustedKey, got {type(one).__name__}")
            if one.key.raw in self._by_raw:
                raise BundleError(f"keys: {one.key!r} of {one.name!r} is there twice")
            self._by_raw[one.key.raw] = one

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a TOML file with a ``[[key]]`` table for each: ``name``, ``public``, ``sources``.

        Raises
        ------
        BundleError
            It is not such a file, or anybody on this machine can change it.
        """
        name = Path(path).name
        try:
            tables = tomllib.loads(_text_of(Path(path)))
        except (tomllib.TOMLDecodeError, RecursionError):
            raise BundleError(f"{name}: expected TOML") from None
        entries = tables.get("key")
        if tables.keys() != {"key"} or not isinstance(entries, list):
            raise BundleError(f"{name}: expected [[key]] tables and nothing else")
        try:
            return cls(_trusted_key(entry) for entry in entries)
        except BundleError as error:
            raise BundleError(f"{name}: {error}") from None

    def find(self, raw: bytes) -> TrustedKey:
        """Return what is known of a key by its 32 bytes; BundleSignatureError for a stranger's."""
        found = self._by_raw.get(raw)
        if found is None:
            raise BundleSignatureError(
                f"signed with key {PublicKey(raw).id[:8]}, which is not among the "
                f"{len(self)} trusted keys"
            )
        return found

    def __len__(self) -> int:
        return len(self._by_raw)

    def __iter__(self) -> Iterator[TrustedKey]:
        return iter(self._by_raw.values())

    def __repr__(self) -> str:
        return f"TrustedKeys({', '.join(sorted({one.name for one in self}))})"


def _trusted_key(entry: Any) -> TrustedKey:
    if not isinstance(entry, dict) or entry.keys() != {"name", "public", "sources"}:
        raise BundleError("[[key]]: expected name, public, sources")
    if not isinstance(entry["public"], str):
        raise BundleError(f"public: expected text, got {type(entry['public']).__name__}")
    return TrustedKey(PublicKey.parse(entry["public"]), entry["name"], entry["sources"])


def _text_of(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as stream:
            state = os.fstat(handle)
            data = stream.read(_LONGEST_FILE_NBYTES + 1)
    except OSError as error:
        raise BundleError(f"{path.name}: cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(state.st_mode) or len(data) > _LONGEST_FILE_NBYTES:
        raise BundleError(f"{path.name}: is no file of trusted keys")
    if os.name == "posix" and state.st_mode & stat.S_IWOTH:
        raise BundleError(f"{path.name}: anybody can change whom you trust; chmod o-w it")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BundleError(f"{path.name}: expected UTF-8") from None
