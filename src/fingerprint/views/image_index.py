"""Pictures under ids, each with views of its own: for those who have the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fingerprint import media
from fingerprint.algorithms import Algorithm
from fingerprint.errors import UnknownIdError
from fingerprint.hashes import Hash
from fingerprint.index import Entry, Index
from fingerprint.index.queries import filter_of
from fingerprint.media import DEFAULT_LIMITS, Limits
from fingerprint.results import Match
from fingerprint.views.families import AMONG_VIEWS, reference_view_names
from fingerprint.views.hashing import hash_views, picture_of
from fingerprint.views.search import asked_families, match_picture, radii_of

if TYPE_CHECKING:
    from fingerprint.index.queries import Where
    from fingerprint.typing import ImageSource, Metadata, Orientation, Residency

__all__ = ["ImageIndex"]

BETWEEN = "||"
"""Stands between a picture's id and the name of a view in the ids of entries."""

VIEWS = "fingerprint.views"
"""Metadata of a picture's own entry: the names of its views."""

VIEW_OF = "fingerprint.view_of"
"""Metadata of a view's entry: the picture's id. Without it an entry is no view, whatever its id."""


class ImageIndex:
    """Pictures under ids, with views: found also when a large part was cut off.

    A thin layer over an `Index`: a picture's own hash is the entry with its id, its views
    are entries ``id||view`` added and removed in the same commit. `index` is that Index, which
    any other tool may read.

    Parameters
    ----------
    algorithm : str or Algorithm
        The hash; views are fast with PDQ.
    backend, backend_options
        As for `fingerprint.Index`.

    Examples
    --------
    >>> import numpy as np, fingerprint as fp
    >>> picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    >>> picture = picture.repeat(60, axis=0).repeat(60, axis=1)
    >>> pictures = fp.ImageIndex()
    >>> pictures.add("case-1", picture)
    >>> [(m.id, m.transform) for m in pictures.search(picture[:, 144:])]
    [('case-1', 'identity of crop_left_30')]
    """

    def __init__(
        self,
        algorithm: str | Algorithm = "pdq",
        *,
        backend: str = "auto",
        backend_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.index = Index(algorithm, backend=backend, backend_options=backend_options)

    @classmethod
    def over(cls, index: Index) -> Self:
        """Return an ImageIndex over an index that is open already."""
        pictures = cls.__new__(cls)
        pictures.index = index
        return pictures

    @classmethod
    def create(cls, path: str | Path, algorithm: str | Algorithm = "pdq", **options: Any) -> Self:
        """Make an empty one in a directory; parameters and errors are those of `Index.create`."""
        return cls.over(Index.create(path, algorithm, **options))

    @classmethod
    def open(
        cls, path: str | Path, *, read_only: bool = False, residency: Residency = "mmap"
    ) -> Self:
        """Open a directory; parameters and errors are those of `Index.open`."""
        return cls.over(Index.open(path, read_only=read_only, residency=residency))

    def add(
        self,
        id: str,  # noqa: A002 - the field's own name
        source: ImageSource,
        metadata: Metadata | None = None,
        *,
        families: Iterable[str] | None = None,
        overwrite: bool = False,
        orientation: Orientation = "upright",
        alpha: media.Alpha = "composite",
        background: tuple[int, int, int] = media.WHITE,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Add a picture and its views in one commit; not within `Index.transaction`.

        Parameters
        ----------
        id : str
            A new id, without ``||``.
        source, orientation, alpha, background, limits
            As for `fingerprint.hash_image`.
        metadata : mapping, optional
            Anything that JSON can say.
        families : iterable of str, optional
            Families of reference views; all by default, some 45 hashes a picture. An
            empty list stores the picture's own hash alone.
        overwrite : bool
            Take the place of a picture with this id, if there is one.

        Raises
        ------
        DuplicateIdError
            The id is there already.
        DecodeError, ValueError
            The source cannot be read; the id or a family's name will not do.
        """
        if not isinstance(id, str):
            raise TypeError(f"id: expected str, got {type(id).__name__}")
        if BETWEEN in id:
            raise ValueError(f"id: expected one without {BETWEEN!r}, got {id!r}")
        for key in (VIEWS, VIEW_OF):
            if metadata is not None and key in metadata:
                raise ValueError(f"metadata: {key!r} is where the names of views are kept")
        hashes = self._hash(
            source,
            families,
            orientation=orientation,
            alpha=alpha,
            background=background,
            limits=limits,
        )
        names = [name for name in hashes if name != "identity"]
        ids = [id, *(f"{id}{BETWEEN}{name}" for name in names)]
        own: dict[str, Any] = {**(metadata or {}), VIEWS: names}
        extras: list[Metadata] = [own, *({VIEW_OF: id} for _ in names)]
        with self.index.transaction():
            if overwrite:
                self.index.remove(self._entries_of(id))
            self.index.add(ids, [hashes["identity"], *(hashes[n] for n in names)], extras)

    def _hash(
        self, source: ImageSource, families: Iterable[str] | None, **options: Any
    ) -> dict[str, Hash]:
        found = hash_views(source, families, self.index.algorithm, side="reference", **options)
        least = self.index.min_quality
        return {
            name: view
            for name, view in found.items()
            if name == "identity" or view.quality is None or view.quality >= least
        }

    def remove(self, id: str) -> None:  # noqa: A002
        """Remove a picture and all of its views in one commit; UnknownIdError if it is not there.

        `Index.compact` then takes them off the disk. Within `Index.transaction` remove
        `entry_ids` from the index instead.
        """
        with self.index.transaction():  # Nobody may add views between looking and removing.
            self.index.remove(self.entry_ids(id))

    def entry_ids(self, id: str) -> list[str]:  # noqa: A002
        """Return the ids of a picture's entries in the index: its own, then its views'.

        Also what is left of a picture whose own entry another tool removed or replaced;
        UnknownIdError if there is nothing.
        """
        found = self._entries_of(id)
        if not found:
            self._entry(id)
        return found

    def _entries_of(self, id: str) -> list[str]:  # noqa: A002
        if not isinstance(id, str) or BETWEEN in id:
            return []
        own = self._metadata(id)
        names = dict.fromkeys([*_views_of(own), *sorted(reference_view_names())])
        views = (f"{id}{BETWEEN}{name}" for name in names)
        mine = [one for one in views if self._metadata(one).get(VIEW_OF) == id]
        return [id, *mine] if id in self.index else mine

    def get(self, id: str) -> Entry:  # noqa: A002
        """Return a picture's own entry, or raise UnknownIdError."""
        entry = self._entry(id)
        return Entry(entry.id, entry.hash, _without_views(entry.metadata))

    def _entry(self, id: str) -> Entry:  # noqa: A002
        if isinstance(id, str) and BETWEEN in id:
            raise UnknownIdError(f"id {id!r} is a view's; pictures have ids without {BETWEEN!r}")
        return self.index.get(id)

    def search(
        self,
        source: ImageSource,
        *,
        families: Iterable[str] | None = None,
        radius: int | None = None,
        radii: Mapping[str, int] | None = None,
        thorough: bool = False,
        where: Where | None = None,
        orientation: Orientation = "upright",
        alpha: media.Alpha = "composite",
        background: tuple[int, int, int] = media.WHITE,
        limits: Limits = DEFAULT_LIMITS,
    ) -> list[Match]:
        """Find a picture by views of it and of those that were added.

        Parameters and errors are those of `fingerprint.match_image`; ``where`` sees the
        metadata of a picture. No family's radius is beyond 39 bits unless you give it: so many
        hashes a picture are so many chances for others to come near.

        Returns
        -------
        list of Match
            Each picture once; ``transform`` names the view of the query and, after
            ``of``, that of the picture: ``"uncrop_5 of crop_left_30"``.
        """
        chosen = asked_families(families)
        reach = radii_of(chosen, self.index, radius, radii, AMONG_VIEWS)
        picture = picture_of(source, self.index.algorithm, orientation, alpha, background, limits)
        accepts = filter_of(where)
        return match_picture(
            self.index,
            picture,
            chosen,
            reach,
            thorough=thorough,
            resolve=lambda found: self._pictures(found, accepts),
        )

    def _pictures(
        self, found: Iterable[Match], accepts: Callable[[Metadata], object] | None
    ) -> Iterator[Match]:
        """Yield the pictures that entries stand for; entries that are no views, as they are."""
        known: dict[str, Metadata] = {}
        for match in found:
            name, how, metadata = match.id, match.transform, match.metadata
            if VIEW_OF in metadata:
                name, view = str(metadata[VIEW_OF]), match.id.rpartition(BETWEEN)[2]
                if name not in known:
                    known[name] = self._metadata(name)
                if view not in _views_of(known[name]):
                    continue  # Its picture was removed or replaced.
                how, metadata = f"{how} of {view}", known[name]
            metadata = _without_views(metadata)
            if accepts is None or accepts(metadata):
                yield replace(match, id=name, transform=how, metadata=metadata)

    def _metadata(self, id: str) -> Metadata:  # noqa: A002
        try:
            return self.index.get(id).metadata
        except UnknownIdError:
            return {}

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __contains__(self, id: object) -> bool:  # noqa: A002
        return isinstance(id, str) and BETWEEN not in id and id in self.index

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.index if BETWEEN not in name)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<ImageIndex over {self.index!r}>"


def _views_of(metadata: Metadata) -> list[str]:
    """Return the names of a picture's views; others may have written metadata as well."""
    views = metadata.get(VIEWS)
    return [one for one in views if isinstance(one, str)] if isinstance(views, list) else []


def _without_views(metadata: Metadata) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in (VIEWS, VIEW_OF)}
