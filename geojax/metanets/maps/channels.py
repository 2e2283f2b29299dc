"""What a network reads of parameters: channels of one scale, whatever the weights' own scales are."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.symmetry.action.groups import PERMUTATION
from geojax.symmetry.action.layout import Block, blocks, join, split
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.leaves import with_leaves
from geojax.symmetry.orbits.reading import read_params
from geojax.typing import Params, PyTree

__all__ = ["features"]

LARGEST = 8
"""The channel of sizes lies between minus this and this; near size 1 it is the logarithm."""


@rounded_once
def features(spec: SymmetrySpec, *trees: Params) -> PyTree:
    """Channels for a network on weights: sizes apart from directions, logarithmic, with the place along held axes.

    For each block x of a leaf, with root mean square r, each tree gives two channels

    asinh(x / r)   and   8 tanh(log(r) / 8),

    and each of the block's axes that no group moves gives its index, from -1 to 1. Blocks with fewer held axes than
    others have zeros there, so that all leaves have the same channels: two for each tree, then one for each held axis.

    Weights are heavy-tailed: a few diverged networks or large layers spoil what is trained on raw weights. The first
    channel does not depend on the block's scale and grows like a logarithm; the second is the logarithm of that scale,
    kept finite at 0.

    Args:
        spec: The symmetry, from `infer`, with permutations alone: the channels commute with nothing else. Drop other
            groups, ``spec.without(...)``, after `fix_gauge` has fixed them.
        *trees: Trees that fit the spec: parameters, gradients, momenta.

    Returns:
        A tree like the first one, each leaf with a last axis of channels.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, a tree no tree of parameters, a leaf complex, or there is no tree.
        ValueError: If a tree does not fit the spec, or the spec has groups that are not permutations.

    Differentiation: exact; the derivative of the size of a block of zeros is 0.
    Complexity: one pass over the trees.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.gelu(x @ p["in"]) @ p["out"]
        >>> params = {"in": jnp.ones((3, 4)), "out": jnp.zeros((4, 2))}
        >>> spec = gj.symmetry.infer(mlp, params, jnp.ones((5, 3)))
        >>> {name: leaf.shape for name, leaf in gj.metanets.features(spec, params, params).items()}
        {'in': (3, 4, 5), 'out': (4, 2, 5)}

    References: [Zhou2024], [Unterthiner2020]
    """
    call = "features(spec, *trees)"
    read = read_params(call, spec, **{f"trees[{i}]": tree for i, tree in enumerate(trees)})
    if not trees:
        raise TypeError("features: there is no tree; expected parameters. Write features(spec, params).")
    others = [f"{name!r} ({group.kind})" for name, group in spec.members if group.kind != PERMUTATION]
    if others:
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        raise ValueError(
            f"features: the spec has groups that are not permutations: {', '.join(others[:4])}{more}; expected "
            "permutations, as these channels commute with nothing else. Fix scales and signs with fix_gauge, then "
            "drop the groups: features(spec.without(...), params)."
        )
    places = max((len(_held(block)) for leaf in spec.leaves for block in blocks(leaf.layout)), default=0)
    made = {}
    for leaf in spec.leaves:
        names = {f"leaf {leaf.path!r} of trees[{i}]": leaves[leaf.path] for i, leaves in enumerate(read)}
        arrays = checks.floats("features", **names)
        channels: list[list[Array]] = []
        for block, *pieces in zip(
            blocks(leaf.layout), *(split(leaf.layout, array) for array in arrays), strict=True
        ):
            channels.append(
                [c for piece in pieces for c in _channels(piece)] + _places(block, places, pieces[0])
            )
        whole = [join(leaf.layout, list(parts), leaf.shape) for parts in zip(*channels, strict=True)]
        made[leaf.path] = jnp.stack(whole, axis=-1)
    return with_leaves(trees[0], made)


def _channels(x: Array) -> list[Array]:
    """The direction of a block and its size, as bounded or slowly growing numbers.

    The block is divided by its largest entry first, in two steps: the reciprocal of a very large number is not normal,
    and the square of a small one, which derivatives divide by, is 0.
    """
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), initial=0))
    unit = jnp.where(largest > 0, largest, 1)
    step = jax.lax.rsqrt(unit)
    scaled = x * step * step
    size = safe.norm(jnp.ravel(scaled) / max(x.size, 1) ** 0.5)
    direction = jnp.arcsinh(scaled / jnp.where(size > 0, size, 1))
    root = safe.sqrt(safe.sqrt(size)) * unit**0.25
    return [direction, jnp.broadcast_to(LARGEST * (root - 1) / (root + 1), x.shape)]


def _held(block: Block) -> list[int]:
    """The axes of a block that no group moves, but for those of length one."""
    return [axis for axis, part in enumerate(block.parts) if not part.moves and part.size > 1]


def _places(block: Block, num: int, like: Array) -> list[Array]:
    """The index along each held axis, from -1 to 1, and zeros until there are ``num``."""
    found = []
    for axis in _held(block):
        index = jnp.linspace(-1, 1, block.parts[axis].size, dtype=like.dtype)
        shape = [-1 if k == axis else 1 for k in range(like.ndim)]
        found.append(jnp.broadcast_to(jnp.reshape(index, shape), like.shape))
    return found + [jnp.zeros_like(like)] * (num - len(found))
