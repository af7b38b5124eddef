"""An ImageIndex on disk through every kind of change, beside a dict that does the same slowly."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import fingerprint as fp
from tests.test_image_index import PICTURES, entries, stored

FAMILIES: tuple[tuple[str, ...], ...] = ((), ("corners",))
HASHES = {(i, f): stored(p, list(f)) for i, p in enumerate(PICTURES) for f in FAMILIES}
names = st.sampled_from(["a", "a|", "b", "b|c", ""])
numbers = st.integers(0, len(PICTURES) - 1)
chosen = st.sampled_from([(), ("corners",)])
metadata_of = st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2)


class Pictures(RuleBasedStateMachine):
    """An ImageIndex on disk beside a dict."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pictures-"))
        self.pictures = fp.ImageIndex.create(self.folder / "x", maintenance="manual")
        self.model: dict[str, tuple[int, tuple[str, ...], dict[str, int]]] = {}

    def teardown(self) -> None:
        if hasattr(self, "pictures"):
            self.pictures.close()
            shutil.rmtree(self.folder)

    @rule(name=names, i=numbers, families=chosen, metadata=metadata_of, overwrite=st.booleans())
    def add(
        self, name: str, i: int, families: tuple[str, ...], metadata: Any, overwrite: bool
    ) -> None:
        if name in self.model and not overwrite:
            with pytest.raises(fp.DuplicateIdError):
                self.pictures.add(name, PICTURES[i], metadata, families=families)
            return
        self.pictures.add(name, PICTURES[i], metadata, families=families, overwrite=overwrite)
        self.model.pop(name, None)
        self.model[name] = (i, families, metadata)

    @rule(name=names)
    def remove(self, name: str) -> None:
        if name in self.model:
            self.pictures.remove(name)
            del self.model[name]
        else:
            with pytest.raises(fp.UnknownIdError):
                self.pictures.remove(name)

    @rule()
    def compact(self) -> None:
        self.pictures.index.compact()
        content = b"".join(p.read_bytes() for p in self.folder.rglob("*") if p.is_file())
        kept = {h.packed for i, f, _ in self.model.values() for h in HASHES[i, f].values()}
        for hashes in HASHES.values():
            for one in hashes.values():
                assert (one.packed in content) == (one.packed in kept)

    @rule()
    def reopen(self) -> None:
        self.pictures.close()
        self.pictures = fp.ImageIndex.open(self.folder / "x")

    @rule(i=numbers, where=st.none() | st.builds(dict, x=st.integers(0, 2)))
    def search(self, i: int, where: dict[str, int] | None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fp.LowQualityWarning)
            found = self.pictures.search(PICTURES[i], families=["positions"], where=where)
        wanted = {
            name: metadata
            for name, (number, _, metadata) in self.model.items()
            if number == i and (where is None or metadata.get("x") == where["x"])
        }
        assert {m.id: m.metadata for m in found if m.transform == "identity"} == wanted

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "pictures"):
            return
        known = {
            name if view == "identity" else f"{name}||{view}": one
            for name, (i, families, _) in self.model.items()
            for view, one in HASHES[i, families].items()
        }
        assert entries(self.pictures) == known
        assert list(self.pictures) == list(self.model)
        assert len(self.pictures) == len(self.model)
        for name, (_, _, metadata) in self.model.items():
            assert self.pictures.get(name).metadata == metadata


TestPictures = Pictures.TestCase
TestPictures.settings = settings(stateful_step_count=15)
