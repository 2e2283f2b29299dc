"""The layers that all networks on weights share: equivariant maps between hidden tensors, and functions of entries."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.tree import leaf_pairs
from geojax.metanets.maps.hidden import TRIVIAL, Hidden, State, with_products
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.intertwiners.plans.maps import LinearMaps, linear_maps
from geojax.symmetry.intertwiners.plans.pointwise import check_pointwise
from geojax.typing import Key, PyTree

Theta = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Affine:
    """Equivariant linear maps, and the constants that the groups leave where they are: maps from one number."""

    maps: LinearMaps
    constants: LinearMaps

    @classmethod
    def between(cls, domain: SymmetrySpec, codomain: SymmetrySpec) -> "Affine":
        """All affine maps from one spec to another."""
        return cls(linear_maps(domain, codomain), linear_maps(TRIVIAL, codomain))

    def init(self, key: Key, c_in: int, c_out: int) -> Theta:
        """Coefficients that keep the variance, and no constants."""
        zeros = jax.tree.map(jnp.zeros_like, self.constants.init(key, 1, c_out))
        return {"maps": self.maps.init(key, c_in, c_out), "constants": zeros}

    def __call__(self, theta: Theta, tree: PyTree) -> State:
        """The image of a tree, a dict by path."""
        image = dict(leaf_pairs(self.maps.apply(theta["maps"], tree)))
        one = jnp.ones(1, next(iter(image.values())).dtype)
        constant = dict(leaf_pairs(self.constants.apply(theta["constants"], one)))
        return {path: array + constant[path] for path, array in image.items()}


@dataclasses.dataclass(frozen=True)
class Trunk:
    """From a tree to hidden tensors and from these to others, in residual layers.

    x_0 = first(tree),   x_{k+1} = x_k + layer_k(phi(x_k)),   the result is phi(x_depth),

    where phi applies the nonlinearity to tensors that only permutations move, multiplies others by gates made of them,
    and adds the products that permutations alone move.
    """

    tensors: Hidden
    first: Affine
    layer: Affine
    nonlinearity: Callable[[Array], Array]
    width: int
    depth: int

    @classmethod
    def of(
        cls,
        call: str,
        domain: SymmetrySpec,
        tensors: Hidden,
        nonlinearity: Callable[[Array], Array],
        width: int,
        depth: int,
    ) -> "Trunk":
        """The trunk for a domain, with its options checked."""
        width = checks.count(call, "width", width, minimum=1)
        depth = checks.count(call, "depth", depth)
        check_pointwise(dataclasses.replace(tensors.spec, leaves=tensors.free), nonlinearity)
        first = Affine.between(domain, tensors.spec)
        layer = Affine.between(tensors.paired, tensors.spec)
        return cls(tensors, first, layer, nonlinearity, width, depth)

    def init(self, key: Key, channels_in: int) -> Theta:
        """The coefficients of all layers; those of the residual layers have a leading axis."""
        first, gates, *layers = jax.random.split(key, 2 + self.depth)
        theta = {
            "first": self.first.init(first, channels_in, self.width),
            "gates": self._gates(gates),
        }
        if layers:
            draw = functools.partial(self.layer.init, c_in=self.width, c_out=self.width)
            theta["layers"] = jax.vmap(draw)(jnp.stack(layers))
        return theta

    def _gates(self, key: Key) -> Theta:
        keys = jax.random.split(key, max(1, len(self.tensors.gated)))
        shape = (self.width, self.width)
        return {
            name: jax.random.normal(keys[i], shape) / self.width**0.5
            for i, (name, _, _) in enumerate(self.tensors.gated)
        }

    def __call__(self, theta: Theta, tree: PyTree) -> State:
        """The hidden tensors at the end, with their products."""
        state = self.first(theta["first"], tree)
        gates = theta["gates"]
        if self.depth:

            def step(state: State, layer: Theta) -> tuple[State, None]:
                added = self.layer(layer, self._active(gates, state))
                return {name: array + added[name] for name, array in state.items()}, None

            state, _ = jax.lax.scan(step, state, theta["layers"])
        return self._active(gates, state)

    def _active(self, gates: Theta, state: State) -> State:
        active = {name: self.nonlinearity(state[name]) for name in self.tensors.plain}
        for name, source, lacking in self.tensors.gated:
            gate = jax.nn.sigmoid(jnp.dot(state[source], gates[name], precision="highest"))
            active[name] = state[name] * jnp.expand_dims(gate, lacking)
        return with_products(self.tensors, active)
