"""Views of one picture for several lists: each hashed once, and counted by list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fingerprint.views.families import ViewFamily

if TYPE_CHECKING:
    from fingerprint.hashes import Hash
    from fingerprint.screening.policy import ListPolicy
    from fingerprint.views.picture import Picture

__all__ = ["AskedViews", "ViewMemory"]


class ViewMemory:
    """Hashes of views of one picture, so far."""

    def __init__(self) -> None:
        self._views: dict[str, list[tuple[str, Hash]]] = {}

    def views(self, family: ViewFamily, picture: Picture) -> list[tuple[str, Hash]]:
        """Return the views of a family, computed when they are first asked."""
        if family.name not in self._views:
            self._views[family.name] = list(family.hash(picture))
        return self._views[family.name]


class AskedViews:
    """What one list is asked: families that remember their views, and note who asked.

    Parameters
    ----------
    memory : ViewMemory
        Of the picture.
    policy : ListPolicy
        Which families, and how far each is looked up.
    """

    def __init__(self, memory: ViewMemory, policy: ListPolicy) -> None:
        from fingerprint.views.hashing import families_of

        names = None if isinstance(policy.views, bool) else policy.views
        chosen = families_of(names, "query")
        self._memory = memory
        self._asked: dict[str, dict[str, Hash]] = {}
        self.families: Sequence[ViewFamily] = [self._noting(one) for one in chosen]
        self.radii = {one.name: _radius(one, policy) for one in chosen}

    def _noting(self, family: ViewFamily) -> ViewFamily:
        def views(picture: Picture) -> Iterator[tuple[str, Hash]]:
            found = self._memory.views(family, picture)
            self._asked[family.name] = dict(found)
            for name, view in found:
                # It is asked whatever its quality, of which an index would warn.
                yield name, replace(view, quality=None) if name == "identity" else view

        return replace(family, hash=views)

    @property
    def names(self) -> set[str]:
        """Which views were asked; one that several families have is one chance to match."""
        return {name for views in self._asked.values() for name in views}

    def found_by(self, transform: str, distance: int) -> tuple[int, Hash | None]:
        """Return how far the view was looked up that found something, and its hash."""
        name = transform.partition(" of ")[0]  # The rest is the view of the reference.
        families = [f for f, views in self._asked.items() if name in views]
        reached = sorted((self.radii[f], f) for f in families if distance <= self.radii[f])
        if not reached:
            return max(self.radii.values()), None
        radius, family = reached[0]
        return radius, self._asked[family][name]


def _radius(family: ViewFamily, policy: ListPolicy) -> int:
    own = policy.radius_of("pdq") if family.name == "positions" else family.radius
    return int(policy.view_radius.get(family.name, own))
