"""The tensors between the layers of a network on weights: one for each way in which axes move together."""

import dataclasses
import functools

import jax.numpy as jnp
from jaxtyping import Array

from geojax.metanets.maps.products import (
    Groups,
    Product,
    charged,
    matrix_axes,
    numbered,
    permuted,
    place,
    product_of,
)
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.layout import Block, blocks
from geojax.symmetry.action.spec import SymmetrySpec

State = dict[str, Array]
"""The hidden tensors by name, each with a last axis of channels."""

TRIVIAL = SymmetrySpec((), (Leaf("", (), Block(())),))
"""The spec of one number that nothing moves: where constants come from, and where invariants go."""

MOST = 32
"""Most hidden tensors beyond which no more are added for products."""


@dataclasses.dataclass(frozen=True)
class Paired:
    """A product of two hidden tensors by name; ``free`` says whether only permutations move it."""

    name: str
    left: str
    right: str
    product: Product
    free: bool


@dataclasses.dataclass(frozen=True)
class Hidden:
    """What a network holds between its layers.

    Attributes:
        spec: How the groups move the hidden tensors.
        paired: The same, and their products.
        plain: Names of the tensors that only permutations move, on whose entries any function may act.
        gated: For every other tensor, the tensor that its gates are made of, and the axes that it lacks.
        products: The products.
    """

    spec: SymmetrySpec
    paired: SymmetrySpec
    plain: tuple[str, ...]
    gated: tuple[tuple[str, str, tuple[int, ...]], ...]
    products: tuple[Paired, ...]

    @property
    def free(self) -> tuple[Leaf, ...]:
        """The leaves of the tensors that only permutations move."""
        return tuple(leaf for leaf in self.spec.leaves if leaf.path in self.plain)


@functools.lru_cache(maxsize=64)
def hidden(domain: SymmetrySpec, codomain: SymmetrySpec) -> Hidden:
    """The hidden tensors of networks from one spec to another.

    An axis that nothing moves is no axis of a hidden tensor: the first maps read it with a coefficient for each index,
    and channels hold what they find. So leaves that move alike share one tensor, and the size of a network does not
    grow with the lengths of inputs and outputs. Beside each tensor that scales, signs or matrices move stands one that
    permutations alone move, and there is one that nothing moves. Products in which such a group cancels (the weights
    into a unit and out of it) are moved by fewer groups, and what else moves them gets a tensor too.
    """
    groups = {**domain.groups, **codomain.groups}
    found: dict[Block, None] = {}
    for spec in (domain, codomain):
        for leaf in spec.leaves:
            for block in blocks(leaf.layout):
                found |= _with_free(groups, _folded(groups, block))
    found[Block(())] = None
    products = _products(groups, found)
    while len(found) < MOST:
        made = {charged(groups, product.block): None for _, _, product in products}
        fresh = [block for block in made if block not in found]
        if not fresh:
            break
        for block in fresh:
            found |= _with_free(groups, block)
        products = _products(groups, found)
    names = {block: f"hidden{number}" for number, block in enumerate(found)}
    pairs = tuple(
        Paired(
            f"product{i}",
            names[left],
            names[right],
            product,
            permuted(groups, product.block) == product.block,
        )
        for i, (left, right, product) in enumerate(products)
    )
    leaves = tuple(Leaf(name, block.shape, block) for block, name in names.items())
    more = tuple(Leaf(pair.name, pair.product.block.shape, pair.product.block) for pair in pairs)
    members = tuple(groups.items())
    plain = tuple(name for block, name in names.items() if permuted(groups, block) == block)
    gated = tuple(
        (name, names[permuted(groups, block)], matrix_axes(groups, block))
        for block, name in names.items()
        if name not in plain
    )
    return Hidden(SymmetrySpec(members, leaves), SymmetrySpec(members, (*leaves, *more)), plain, gated, pairs)


def with_products(tensors: Hidden, state: State) -> State:
    """The hidden tensors and their products; those that only permutations move grow like a logarithm."""
    made = {}
    for pair in tensors.products:
        left, right = state[pair.left], state[pair.right]
        where, last = pair.product.where, right.ndim - 1
        order = sorted(range(len(where)), key=where.__getitem__)
        left = jnp.transpose(left, (*order, left.ndim - 1))
        left = jnp.expand_dims(left, [axis for axis in range(last) if axis not in where])
        product = jnp.sum(left * right, axis=pair.product.summed)
        made[pair.name] = jnp.arcsinh(product) if pair.free else product
    return {**state, **made}


def _with_free(groups: Groups, block: Block) -> dict[Block, None]:
    return {block: None, permuted(groups, block): None}


def _products(groups: Groups, found: dict[Block, None]) -> list[tuple[Block, Block, Product]]:
    """All products of a tensor with one that has its axes, each once."""
    ordered = list(found)
    made = []
    for i, left in enumerate(ordered):
        for j, right in enumerate(ordered):
            if (len(left.parts), i) <= (len(right.parts), j):
                product = product_of(groups, left, right)
                made += [(left, right, product)] if product is not None else []
    return made


def _folded(groups: Groups, block: Block) -> Block:
    """The block without the axes that nothing moves, but for those on whose index an element depends."""
    parents = {parent for part in block.parts for name, _ in part.moves for parent in groups[name].parents}
    kept = [part for part in block.parts if part.moves or (part.name and part.name in parents)]
    return numbered(sorted(kept, key=place), block.moves)
