"""Subgraph Permutation Equivariant Networks [Mitton2021].

Claim: layers that commute with the permutations of small subgraphs, one around each node, tell graphs apart that
    message passing, and a global permutation-equivariant layer of the same order, do not; and their memory grows with
    the subgraphs and not with the square of the graph.

Differs: the networks are not trained: random coefficients separate what can be separated. They have one layer and a
    pool, the global one too. The graphs are pairs of regular graphs that the Weisfeiler-Leman test of the first order
    calls equal. All subgraphs are padded to one size and have one group, of all permutations of their nodes, with the
    node in the middle marked; the paper has a group for each size.
"""

import jax
import jax.numpy as jnp
import numpy as np

import geojax as gj
from examples.papers.harness import Claim, Size, above, below, slope

CHANNELS = 6


def ring(*lengths):
    """Disjoint cycles."""
    a = np.zeros((sum(lengths),) * 2)
    start = 0
    for length in lengths:
        for i in range(length):
            j = start + (i + 1) % length
            a[start + i, j] = a[j, start + i] = 1
        start += length
    return a


def prism():
    """Two triangles with a rung at each corner."""
    return ring(3, 3) + np.roll(np.eye(6), 3, axis=1)


def bipartite():
    """Three nodes joined to three others."""
    return np.kron([[0, 1], [1, 0]], np.ones((3, 3)))


# Pairs that the test of the first order does not tell apart, and the radius at which subgraphs do.
PAIRS = {
    "a hexagon and two triangles": (ring(6), ring(3, 3), 1),
    "a prism and K(3, 3)": (prism(), bipartite(), 1),
    "an octagon and two squares": (ring(8), ring(4, 4), 2),
}


SIZE = 6


def ego_subgraphs(a, radius):
    """The nodes within a radius of each node, that node first, padded with -1 to one size: [nodes, SIZE]."""
    near = np.linalg.matrix_power(a + np.eye(len(a)), radius) > 0
    rows = [[i, *(j for j in np.flatnonzero(near[i]) if j != i)] for i in range(len(a))]
    return np.array([row + [-1] * (SIZE - len(row)) for row in rows])


def features(a, nodes, marked=True):
    """Edges of the subgraphs, [subgraphs, SIZE, SIZE, 1], and which entries are nodes, and the one in the middle."""
    there = nodes >= 0
    edges = a[nodes[:, :, None], nodes[:, None, :]] * there[:, :, None] * there[:, None, :]
    centre = np.zeros(nodes.shape)
    centre[:, 0] = marked
    found = {"edges": edges, "nodes": there, "centre": centre}
    return {name: np.asarray(x, np.float32)[..., None] for name, x in found.items()}


def network(key):
    """Features of one subgraph -> channels: an equivariant layer, relu, a pool, relu."""
    shapes = {"edges": (SIZE, SIZE), "nodes": (SIZE,), "centre": (SIZE,)}
    tree = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    spec = gj.symmetry.declare(tree, {"edges": ("v", "v"), "nodes": ("v",), "centre": ("v",)})
    layer = gj.symmetry.linear_maps(spec)
    pool = gj.symmetry.linear_maps(spec, gj.symmetry.declare(jnp.zeros(()), ()))
    first, second = jax.random.split(key)
    theta, beta = layer.init(first, 1, CHANNELS), pool.init(second, CHANNELS, CHANNELS)
    return lambda x: jax.nn.relu(pool.apply(beta, jax.tree.map(jax.nn.relu, layer.apply(theta, x))))


def told_apart_by_colours(one, other):
    """Whether the test of the first order tells two graphs apart: colours refined in both at once."""
    a = np.block([[one, np.zeros((len(one), len(other)))], [np.zeros((len(other), len(one))), other]])
    colour = np.zeros(len(a), int)
    for _ in range(len(a)):
        seen = [(colour[i], *sorted(colour[np.flatnonzero(a[i])])) for i in range(len(a))]
        names = {row: k for k, row in enumerate(sorted(set(seen)))}
        colour = np.array([names[row] for row in seen])
    return sorted(colour[: len(one)]) != sorted(colour[len(one) :])


def run(size: Size) -> list[Claim]:
    """Pairs of graphs, a permuted graph, a radius that covers the graph, and the numbers in memory."""
    equal = sum(not told_apart_by_colours(one, other) for one, other, _ in PAIRS.values())
    graph, order = prism(), np.array([3, 0, 5, 1, 4, 2])
    moved = graph[order][:, order]
    everything = np.arange(6)[None]
    sets = [
        features(g, ego_subgraphs(g, radius)) for one, other, radius in PAIRS.values() for g in (one, other)
    ]
    sets += [features(g, ego_subgraphs(g, 1)) for g in (graph, moved)]
    # At radius 2 every subgraph is the prism itself, seen from one of its nodes, all of which are alike.
    sets += [features(graph, everything), features(graph, ego_subgraphs(graph, 2))]
    # The global layer marks no node.
    sets += [
        features(g, everything, marked=False)
        for one, other, _ in PAIRS.values()
        for g in (one, other)
        if len(g) == 6
    ]
    stops = np.cumsum([len(x["nodes"]) for x in sets])
    together = jax.tree.map(lambda *x: np.concatenate(x), *sets)

    def differences(key):
        """Between the graphs of each pair of sets, relative to their outputs."""
        rows = jnp.split(jax.vmap(network(key))(together), stops[:-1])
        means = jnp.stack([row.mean(0) for row in rows]).reshape(len(sets) // 2, 2, CHANNELS)
        return jnp.max(jnp.abs(means[:, 0] - means[:, 1]), axis=1) / jnp.max(jnp.abs(means[:, 0]), axis=1)

    found = size.seeds(differences)
    lengths = (16, 32, 64)
    local = [int(((ego_subgraphs(ring(n), 1) >= 0).sum(1) ** 2).sum()) for n in lengths]
    return [
        Claim("pairs of graphs that the first-order test calls equal, of three", "3", equal, above(2.5)),
        *(
            Claim(f"relative difference of the outputs: {name}", "above 0", found[:, k], above(1e-3))
            for k, name in enumerate(PAIRS)
        ),
        Claim("change of the output when the nodes are permuted", "0", found[:, 3], below(1e-5)),
        Claim("difference from the global layer when subgraphs are the graph", "0", found[:, 4], below(1e-5)),
        Claim("difference of a global layer on the first two pairs", "0", found[:, 5:], below(1e-5)),
        Claim(
            "exponent of the edges' entries against the nodes, of a ring",
            "1",
            slope(lengths, local),
            below(1.1),
        ),
        Claim("the same of the global layer", "2", slope(lengths, [n * n for n in lengths]), above(1.9)),
    ]
