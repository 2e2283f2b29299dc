"""Architecture: a published model family at given sizes, as a plain function of its tensors."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from geojax._core import checks, tree
from geojax.typing import Key

Shapes = dict[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class TensorNames:
    """How the names of tensors in a checkpoint correspond to those of an architecture.

    Attributes:
        read: {architecture's name: checkpoint's name} for every tensor that the architecture reads.
        copies: {checkpoint's name: architecture's name} for tensors that repeat one that is read, such as a tied output
            layer. If the tensor is moved, its copy must be written again too.
        unread: Tensors of the checkpoint that the function does not read: poolers, other heads, counters. They are not
            moved with the others, so a function that reads them may change.
    """

    read: Mapping[str, str]
    copies: Mapping[str, str]
    unread: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A model family at given sizes: ``apply(params, *inputs)`` and the tensors that it reads.

    ``params`` is a flat dict {tensor name: array}. Names and layouts are those of checkpoints that Hugging Face's
    transformers library writes, without the prefix of the model's body: ``embeddings.word_embeddings.weight``, not
    ``bert.embeddings.word_embeddings.weight``. `match` finds the tensors in a checkpoint with or without the prefix.
    The functions compute what that library computes at inference, without dropout. They are plain JAX functions, so
    `geojax.symmetry.infer` can read their symmetry.

    Attributes:
        name: The family, ``model_type`` in a config.json.
        config: The family's configuration, a frozen dataclass.
        prefix: The prefix of the names of the model's body in a checkpoint, such as "bert.".
        copies: Pairs (name, name it repeats) of tensors that a checkpoint may hold twice.
        forward: (config, params, *inputs) -> outputs.
        table: config -> {tensor name: shape}.
        example: config -> the shapes of small inputs: ``jax.ShapeDtypeStruct`` of floats, and of integers.

    Example:
        >>> import jax
        >>> import geojax as gj
        >>> arch = gj.architectures.from_config({"model_type": "gpt2", "vocab_size": 7, "n_positions": 8,
        ...                                      "n_embd": 6, "n_layer": 1, "n_head": 2})
        >>> jax.eval_shape(arch.apply, arch.shapes(), *arch.inputs()).shape
        (2, 5, 7)
        >>> spec = gj.symmetry.infer(arch.apply, arch.shapes(), *arch.inputs())
        >>> [group.size for group in spec.groups.values() if group.kind == "permutation"]
        [6, 2, 3, 3, 24]
    """

    name: str
    config: Any
    prefix: str
    copies: tuple[tuple[str, str], ...]
    forward: Callable[..., Array] = dataclasses.field(repr=False)
    table: Callable[[Any], Shapes] = dataclasses.field(repr=False)
    example: Callable[[Any], tuple[jax.ShapeDtypeStruct, ...]] = dataclasses.field(repr=False)

    def apply(self, params: Mapping[str, ArrayLike], *inputs: ArrayLike) -> Array:
        """The model's outputs on a batch of inputs; raises ValueError if a tensor is missing or does not fit."""
        return self.forward(self.config, self._checked(params), *map(jnp.asarray, inputs))

    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shape of every tensor that `apply` reads, in float32."""
        return {
            name: jax.ShapeDtypeStruct(shape, np.dtype(np.float32))
            for name, shape in self.table(self.config).items()
        }

    def init(self, key: Key) -> dict[str, Array]:
        """Random parameters: norms are one, biases are zero, the rest is normal with standard deviation 0.02."""
        checks.typed_key("Architecture.init", key)
        shapes = self.shapes()
        keys = jax.random.split(key, len(shapes))
        return {name: _initial(name, k, shape) for k, (name, shape) in zip(keys, shapes.items(), strict=True)}

    def inputs(self, key: Key | None = None) -> tuple[Array, ...]:
        """A small batch to trace `apply` with: always the same one without a key, a random one with a key."""
        if key is not None:
            checks.typed_key("Architecture.inputs", key)
        entropy = () if key is None else np.asarray(jax.random.key_data(key)).ravel()
        generator = np.random.default_rng([int(number) for number in entropy])
        return tuple(_drawn(generator, shape, self.config) for shape in self.example(self.config))

    def match(self, names: Iterable[str]) -> TensorNames:
        """Finds the architecture's tensors among the names of a checkpoint.

        A checkpoint has the architecture's names, with or without the prefix of the body. In early checkpoints norms
        have ``gamma`` and ``beta`` for ``weight`` and ``bias``.

        Args:
            names: The names in the checkpoint, or the checkpoint itself.

        Returns:
            A `TensorNames`.

        Raises:
            ValueError: If tensors are missing, or there twice under different names; the message names them.
        """
        ours, copies = self.table(self.config), dict(self.copies)
        read: dict[str, str] = {}
        repeated: dict[str, str] = {}
        unread = []
        for name in names:
            plain = strip_prefix(name, self.prefix)
            if plain in copies:
                repeated[name] = copies[plain]
            elif plain not in ours:
                unread.append(name)
            elif plain in read:
                raise ValueError(
                    f"{self.name}: {plain} is in the checkpoint twice, as {read[plain]!r} and {name!r}. Remove one."
                )
            else:
                read[plain] = name
        missing = [name for name in ours if name not in read]
        if missing:
            shown = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
            raise ValueError(
                f"{self.name}: the checkpoint lacks {len(missing)} of {len(ours)} tensors: {shown}. Check that the "
                f"config is this checkpoint's, its field 'architectures' too."
            )
        return TensorNames({name: read[name] for name in ours}, repeated, tuple(unread))

    def select(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters in a checkpoint whose names `match` knows, checked against `shapes`.

        Args:
            tensors: {name: array}; arrays that the architecture does not read are not touched.

        Returns:
            {architecture's name: array}; the arrays are those of the checkpoint.

        Raises:
            ValueError: As `match`, and if tensors have another shape; the message names them.
        """
        params = {name: tensors[own] for name, own in self.match(tensors).read.items()}
        self._compare(params)
        return params

    def _checked(self, params: Mapping[str, Any]) -> dict[str, Array]:
        self._compare(params)
        return {name: jnp.asarray(params[name]) for name in self.table(self.config)}

    def _compare(self, params: Mapping[str, Any]) -> None:
        expected = self.table(self.config)
        wrong = [
            f"  {name} is missing, expected {shape}" for name, shape in expected.items() if name not in params
        ]
        wrong += [
            f"  {name} is {checks.described(params[name])}, expected an array of shape {shape}"
            for name, shape in expected.items()
            if name in params and not _fits(params[name], shape)
        ]
        if wrong:
            more = f"\n  and {len(wrong) - 8} more" if len(wrong) > 8 else ""
            raise ValueError(
                f"{self.name}: {len(wrong)} of {len(expected)} tensors do not fit the config:\n"
                + "\n".join(wrong[:8])
                + f"{more}\nCheck that the config is this checkpoint's; `select` finds tensors under a prefix."
            )


def _fits(leaf: Any, shape: tuple[int, ...]) -> bool:
    return tree.is_array(leaf) and not tree.is_key(leaf) and tuple(leaf.shape) == shape


def strip_prefix(name: str, prefix: str) -> str:
    """A checkpoint's tensor name as the architecture spells it."""
    plain = name.removeprefix(prefix)
    for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
        plain = plain.removesuffix(old) + new if plain.endswith(old) else plain
    return plain


def _initial(name: str, key: Key, shape: jax.ShapeDtypeStruct) -> Array:
    last = name.rsplit(".", 1)[-1]
    if last == "running_var" or (last == "weight" and len(shape.shape) == 1):
        return jnp.ones(shape.shape, shape.dtype)
    if len(shape.shape) == 1:
        return jnp.zeros(shape.shape, shape.dtype)
    fan = math.prod(shape.shape[1:])
    deviation = math.sqrt(2 / fan) if len(shape.shape) == 4 else 0.02
    return deviation * jax.random.normal(key, shape.shape, shape.dtype)


def _drawn(generator: np.random.Generator, shape: jax.ShapeDtypeStruct, config: Any) -> Array:
    if jnp.issubdtype(shape.dtype, jnp.integer):
        return jnp.asarray(generator.integers(config.vocab_size, size=shape.shape), shape.dtype)
    return jnp.asarray(generator.normal(size=shape.shape), shape.dtype)
