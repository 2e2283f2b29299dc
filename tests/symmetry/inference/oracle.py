"""The action of a symmetry spec in plain numpy, written from the definition alone.

Everything is indexed by the new position: new[h, d] = s[h, d] * old[pH[h], pD[h, d]]. Slow loops over indices
where that is clearer; `geojax.symmetry.act` is compared with it, and no verdict of the fuzzer rests on it.
"""

import itertools
from typing import Any

import numpy as np
from scipy.stats import ortho_group

from geojax.symmetry.action.groups import Group, topological
from geojax.symmetry.action.layout import Block, Layout
from geojax.symmetry.action.spec import SymmetrySpec

Element = dict[str, np.ndarray]


class Malformed(ValueError):
    """A spec that does not say how its groups act: a parent is missing where the child occurs, or is there twice."""


def random_element(spec: SymmetrySpec, random: np.random.Generator, kinds: tuple[str, ...] = ()) -> Element:
    """A random element; of the given kinds only, where any are given."""
    return {
        name: _draw(group, random) for name, group in spec.groups.items() if not kinds or group.kind in kinds
    }


def _draw(group: Group, random: np.random.Generator) -> np.ndarray:
    n = group.size
    copies = range(group.copies)
    if group.kind == "permutation":
        values = [_moving_permutation(n, random) for _ in copies]
    elif group.kind == "scaling":
        values = [np.exp(0.5 * random.normal(size=n)) for _ in copies]
    elif group.kind == "sign":
        values = [random.choice([-1.0, 1.0], size=n) for _ in copies]
    else:
        values = [_orthogonal(n, random) for _ in copies]
        if group.connected:
            values = [q * np.where(np.arange(n) == 0, np.linalg.det(q), 1.0) for q in values]
        if group.kind == "general_linear":
            values = [q * np.exp(0.3 * random.normal(size=n)) @ _orthogonal(n, random) for q in values]
    return np.stack(values).reshape(group.shape) if values else np.zeros(group.shape)


def _moving_permutation(n: int, random: np.random.Generator) -> np.ndarray:
    """A random permutation, not the identity unless nothing else exists."""
    while True:
        permutation = random.permutation(n)
        if n < 2 or np.any(permutation != np.arange(n)):
            return permutation


def _orthogonal(n: int, random: np.random.Generator) -> np.ndarray:
    return np.array([[random.choice([-1.0, 1.0])]]) if n == 1 else ortho_group.rvs(n, random_state=random)


def act(spec: SymmetrySpec, element: Element, leaves: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Moves leaves, given and returned as {path: array}."""
    order = sorted(
        (name for name in topological(spec.groups) if name in element),
        key=lambda name: spec.groups[name].kind != "permutation",
    )
    moved = dict(leaves)
    for leaf in spec.leaves:
        moved[leaf.path] = _move(spec, order, element, leaf.layout, leaves[leaf.path]).reshape(leaf.shape)
    return moved


def _move(
    spec: SymmetrySpec, order: list[str], element: Element, layout: Layout, x: np.ndarray
) -> np.ndarray:
    x = x.reshape(layout.shape)
    if isinstance(layout, Block):
        for name in order:
            x = _move_block(spec.groups[name], name, element[name], layout, x)
        return x
    pieces = np.split(x, np.cumsum(layout.sizes)[:-1], axis=layout.dim)
    done = []
    for piece, part in zip(layout.pieces, pieces, strict=True):
        done.append(_move(spec, order, element, piece, part).reshape(part.shape))
    return np.concatenate(done, axis=layout.dim)


def _move_block(group: Group, name: str, value: np.ndarray, block: Block, x: np.ndarray) -> np.ndarray:
    for moved, exponent in block.moves:
        if moved == name:
            x = x * value.reshape(-1)[0] ** exponent
    names = [part.name for part in block.parts]
    for axis, part in enumerate(block.parts):
        exponent = dict(part.moves).get(name)
        if exponent is None:
            continue
        if any(names.count(parent) != 1 or parent == part.name for parent in group.parents):
            raise Malformed(f"{name!r} depends on {group.parents}, but moves a block of axes {names}")
        where = [names.index(parent) for parent in group.parents]
        new = np.empty_like(x)
        for index in itertools.product(*(range(n) for n in group.parent_sizes)):
            select: list[Any] = [slice(None)] * x.ndim
            for parent, i in zip(where, index, strict=True):
                select[parent] = slice(i, i + 1)
            here = tuple(select)
            copy = _apply(group, value[index], exponent, np.moveaxis(x[here], axis, 0))
            new[here] = np.moveaxis(copy, 0, axis)
        x = new
    return x


def _apply(group: Group, value: np.ndarray, exponent: int, x: np.ndarray) -> np.ndarray:
    """One copy of the group on the first axis of x."""
    if group.kind == "permutation":
        return x[value]
    if group.kind in ("scaling", "sign"):
        return x * (value**exponent).reshape(-1, *(1,) * (x.ndim - 1))
    matrix = value if exponent > 0 else np.linalg.inv(value).T
    return np.tensordot(matrix, x, axes=1)
