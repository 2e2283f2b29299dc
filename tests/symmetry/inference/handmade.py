"""Specs written by hand, for the matchers: one for each way in which groups can sit on leaves."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import random_element
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import Group
from geojax.symmetry.action.layout import Block, Cut, Part
from geojax.symmetry.action.spec import SymmetrySpec

PERM = "permutation"


def part(size, axis, name="", moved=True):
    return Part(size, axis, name, ((name, 1),) if name and moved else ())


def leaf(path, *parts, shape=None):
    return Leaf(path, shape or tuple(p.size for p in parts), Block(tuple(parts)))


def group(name, size, parents=(), parent_sizes=()):
    return name, Group(PERM, size, parents, parent_sizes, name)


def mlp(sizes):
    """[{"w": (i, o), "b": (o,)}, ...]: one group for every hidden layer."""
    names = ["", *(f"h{i}" for i in range(len(sizes) - 2)), ""]
    leaves = []
    for i, (n, m) in enumerate(itertools.pairwise(sizes)):
        leaves += [
            leaf(f"{i}/b", part(m, 0, names[i + 1])),
            leaf(f"{i}/w", part(n, 0, names[i]), part(m, 1, names[i + 1])),
        ]
    return SymmetrySpec(tuple(group(n, m) for n, m in zip(names[1:-1], sizes[1:-1])), tuple(leaves))


def flattened_cnn(channels=5, pixels=4, out=3, size=2):
    """A convolution whose feature map is flattened into a dense layer: the dense rows are (pixel,
    channel)."""
    dense = Cut(
        (pixels, channels, out),
        0,
        (pixels,),
        (Block((part(pixels, 0), part(channels, 0, "c"), part(out, 1))),),
    )
    return SymmetrySpec(
        (group("c", channels),),
        (
            leaf("conv", part(size, 0), part(size, 1), part(1, 2), part(channels, 3, "c")),
            leaf("scale", part(channels, 0, "c")),
            Leaf("dense", (pixels * channels, out), dense),
        ),
    )


def attention(heads=3, width=4, model=5, tokens=6):
    """Q, K, V and output kernels, [model, heads x width]: units inside heads, QK and VO apart, and the
    residual axis."""

    def packed(path, inner):
        parts = (part(model, 0, "r"), part(heads, 1, "h"), part(width, 1, inner))
        return Leaf(path, (model, heads * width), Block(parts))

    out = Leaf(
        "o", (heads * width, model), Block((part(heads, 0, "h"), part(width, 0, "vo"), part(model, 1, "r")))
    )
    members = (
        group("r", model),
        group("h", heads),
        group("qk", width, ("h",), (heads,)),
        group("vo", width, ("h",), (heads,)),
    )
    leaves = (
        leaf("e", part(tokens, 0), part(model, 1, "r")),
        packed("k", "qk"),
        out,
        packed("q", "qk"),
        packed("v", "vo"),
    )
    return SymmetrySpec(members, leaves)


def scanned(layers=3, width=4, model=3, tokens=4):
    """A scan over layers with a hidden axis of its own in each: a fixed parent."""
    layer = lambda: part(layers, 0, "l", moved=False)
    return SymmetrySpec(
        (group("d", width, ("l",), (layers,)), group("r", model)),
        (
            leaf("down", layer(), part(width, 1, "d"), part(model, 2, "r")),
            leaf("e", part(tokens, 0), part(model, 1, "r")),
            leaf("up", layer(), part(model, 1, "r"), part(width, 2, "d")),
        ),
    )


def scanned_attention(layers=2, heads=3, width=3, model=4):
    """Layers (fixed) of heads of units: three levels, in a leaf whose axes are in no convenient order."""
    layer = lambda axis: part(layers, axis, "l", moved=False)
    members = (
        group("h", heads, ("l",), (layers,)),
        group("d", width, ("h", "l"), (heads, layers)),
    )  # fmt: skip
    leaves = (
        leaf("o", part(heads, 0, "h"), layer(1), part(width, 2, "d"), part(model, 3)),
        leaf("v", part(width, 0, "d"), part(model, 1), layer(2), part(heads, 3, "h")),
    )
    return SymmetrySpec(members, leaves)


def recurrent(width=6, inputs=4):
    """A recurrent kernel [width, width] carries its group twice."""
    return SymmetrySpec(
        (group("h", width),),
        (
            leaf("in", part(inputs, 0), part(width, 1, "h")),
            leaf("out", part(width, 0, "h"), part(2, 1)),
            leaf("rec", part(width, 0, "h"), part(width, 1, "h")),
        ),
    )


def grouped(groups=3, inner=3, inputs=4):
    """A grouped kernel [group, in, out]: two families inside one parent that share an array."""
    members = (
        group("g", groups), group("i", inner, ("g",), (groups,)), group("o", inner, ("g",), (groups,)),
    )  # fmt: skip
    leaves = (
        leaf("after", part(groups, 0, "g"), part(inner, 1, "o"), part(4, 2)),
        leaf("before", part(inputs, 0), part(groups, 1, "g"), part(inner, 2, "i")),
        leaf("kernel", part(groups, 0, "g"), part(inner, 1, "i"), part(inner, 2, "o")),
    )
    return SymmetrySpec(members, leaves)


# Enough held entries (inputs, tokens) that a planted optimum draws every start: coordinate ascent is a local
# search.
SPECS = {
    "mlp": mlp([200, 6, 5, 3]),
    "cnn": flattened_cnn(size=8),
    "attention": attention(tokens=200),
    "scan": scanned(tokens=200, model=12),
    "scanned attention": scanned_attention(model=60),
    "recurrent": recurrent(inputs=200),
    "grouped": grouped(inputs=200),
    "one unit": mlp([3, 1, 1, 2]),
    "no group": SymmetrySpec((), (leaf("w", part(3, 0)),)),
}


@functools.partial(jax.jit, static_argnums=(0, 2))
def draw(spec, key, dtype=jnp.float64):
    """Random parameters that fit a spec, as a flat dict or a list of dicts, whichever its paths say."""
    keys = jax.random.split(key, len(spec.leaves))
    return nested(spec, [jax.random.normal(k, each.shape, dtype) for each, k in zip(spec.leaves, keys)])


def nested(spec, arrays):
    """The arrays of the leaves of a spec, in the dicts that their paths say."""
    params = {}
    for each, array in zip(spec.leaves, arrays, strict=True):
        at = params
        *outer, last = each.path.split("/")
        for name in outer:
            at = at.setdefault(name, {})
        at[last] = array
    return params


def numpy_draw(spec, seed, dtype=np.float64):
    """Random parameters that fit a spec, from numpy, which compiles nothing."""
    random = np.random.default_rng(seed)
    return nested(spec, [random.normal(size=each.shape).astype(dtype) for each in spec.leaves])


def dot(x, y):
    return sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)))


def numpy_dot(x, y):
    return sum(np.vdot(a, b) for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True))


@functools.partial(jax.jit, static_argnums=0)
def score(spec, element, a, b):
    return dot(a, act(spec, element, b))


@functools.partial(jax.jit, static_argnums=0)
def plant(spec, key):
    """A model, and a random element."""
    k1, k2 = jax.random.split(key)
    b, planted = draw(spec, k1), random_element(spec, k2)
    return act(spec, planted, b), b, planted
