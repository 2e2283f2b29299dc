"""Reads the fields of a model's configuration, one check for each kind of value."""

import math
from collections.abc import Mapping
from typing import Any

from geojax._core.checks import described
from geojax.architectures.parts.layers import ACTIVATIONS

_ABSENT = object()


class Fields:
    """A configuration whose readers raise an error that says which field is wrong, and what is expected.

    Attributes:
        where: Name of the configuration, for the messages.
        values: The configuration.
    """

    def __init__(self, where: str, values: Mapping[str, Any]):
        if not isinstance(values, Mapping):
            raise TypeError(
                f"{where} is {described(values)}; expected the fields of a config.json as a dict."
            )
        self.where, self.values = where, values

    def size(self, name: str, default: int | None = None) -> int:
        """A positive integer; required unless there is a default."""
        value = self._get(name, _ABSENT if default is None else default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.error(f"{name} is {value!r}; expected a positive integer")
        return value

    def sizes(self, name: str) -> tuple[int, ...]:
        """A list of positive integers."""
        value = self._get(name, _ABSENT)
        if not isinstance(value, list | tuple) or not value:
            raise self.error(f"{name} is {value!r}; expected a list of positive integers")
        return tuple(
            Fields(self.where, {f"{name}[{i}]": v}).size(f"{name}[{i}]") for i, v in enumerate(value)
        )

    def number(self, name: str, default: float | None = None) -> float:
        """A positive number; required unless there is a default."""
        value = self._get(name, _ABSENT if default is None else default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise self.error(f"{name} is {value!r}; expected a positive number")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self.error(f"{name} is {value!r}; expected true or false")
        return value

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self._get(name, default)
        if value not in options:
            raise self.error(f"{name} is {value!r}; this architecture has {', '.join(map(repr, options))}")
        return value

    def activation(self, name: str, default: str) -> str:
        """The name of an activation function."""
        return self.choice(name, tuple(ACTIVATIONS), default)

    def head(self, headed: str, plain: str) -> bool:
        """Whether the class that ``architectures`` names has a head; true if the field is absent."""
        value = self._get("architectures", [headed])
        if not isinstance(value, list | tuple) or len(value) != 1 or value[0] not in (headed, plain):
            raise self.error(
                f"architectures is {value!r}; there are functions for [{headed!r}] and [{plain!r}]. "
                f"Set it to [{plain!r}] to read the model without its head"
            )
        return value[0] == headed

    def labels(self) -> int:
        """Number of classes: ``num_labels``, or as many as ``id2label`` names, or 2."""
        names = self._get("id2label", {0: "", 1: ""})
        if not isinstance(names, Mapping) or not names:
            raise self.error(f"id2label is {names!r}; expected a mapping from class numbers to names")
        count = self.size("num_labels", len(names))
        if "id2label" in self.values and count != len(names):
            raise self.error(f"num_labels is {count}, but id2label names {len(names)} classes")
        return count

    def divides(self, name: str, parts: int, of: str, whole: int) -> None:
        """Checks that one size is a multiple of another."""
        if whole % parts:
            raise self.error(f"{of} is {whole}, which is not a multiple of {name} = {parts}")

    def error(self, text: str) -> ValueError:
        """The exception for a wrong configuration."""
        return ValueError(f"{self.where}: {text}.")

    def _get(self, name: str, default: Any) -> Any:
        value = self.values.get(name)
        if value is not None:
            return value
        if default is _ABSENT:
            raise self.error(f"{name} is missing; expected a field of that name, as config.json has it")
        return default
