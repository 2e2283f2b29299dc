"""Spaces built on others: an operation is there exactly if each of them has it."""

import abc
from typing import Any

from geojax.manifolds.base.geodesics import WithTransport
from geojax.manifolds.base.manifold import OPTIONAL, Manifold


class Composite(WithTransport):
    """A space made of others, with those operations that they all have: `hasattr(space, "log")` tells."""

    @abc.abstractmethod
    def _components(self) -> list[Manifold]:
        """The spaces it is made of."""

    def __getattribute__(self, name: str) -> Any:
        """Look up an attribute; a missing operation of a component is missing here too."""
        if name in OPTIONAL and not all(hasattr(one, name) for one in self._components()):
            raise AttributeError(self._without(name), name=name, obj=self)
        return super().__getattribute__(name)

    def _without(self, name: str) -> str:
        lacking = [one for one in self._components() if not hasattr(one, name)] if name in OPTIONAL else []
        if lacking:
            return f"{self._name} has no {name} here, as it is made of {lacking[0]._name}. {lacking[0]._without(name)}"
        return super()._without(name)
