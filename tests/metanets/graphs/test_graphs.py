"""Parameter graphs and message passing: the symmetry of the program is that of the graph, and one network reads all."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.metanets import message_passing, parameter_graph
from geojax.symmetry import act, collect, infer, random_element
from geojax.symmetry.action.acting import move_block
from geojax.symmetry.action.elements import acting_order
from geojax.symmetry.action.layout import Block, Part

rng = np.random.default_rng(0)


def draw(*shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


def mlp(p, x, act=jax.nn.relu):
    for w, b in p[:-1]:
        x = act(x @ w + b)
    return x @ p[-1][0] + p[-1][1]


def layers(*sizes):
    return [(draw(n, m), draw(m)) for n, m in itertools.pairwise(sizes)]


def cnn(p, x):
    h = jax.nn.relu(jax.lax.conv_general_dilated(x, p["k"], (1, 1), "SAME") + p["b"][:, None, None])
    return h.mean((2, 3)) @ p["w"]


def transformer(p, x):
    q, k, v = (jnp.einsum("td,dhk->htk", x, p[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("htk,hsk->hts", q, k), -1)
    h = x + jnp.einsum("hts,hsk,hkd->td", weights, v, p["o"])
    h = (h - h.mean(-1, keepdims=True)) * jax.lax.rsqrt(h.var(-1, keepdims=True) + 1e-5) * p["g"]
    return h + jax.nn.gelu(h @ p["w1"] + p["b1"]) @ p["w2"]


def residual(p, x):
    h = x @ p["i"]
    for w, v in p["w"]:
        h = h + jax.nn.gelu(h @ w) @ v
    return jnp.tanh(h) @ p["o"]


def recurrent(p, x):
    step = lambda h, row: (jax.nn.gelu(p["u"] @ h + p["w"] @ row), None)
    return jax.lax.scan(step, jnp.zeros(4, x.dtype), x)[0] @ p["o"]


HEADS = {**{name: draw(4, 2, 3) for name in "qkv"}, "o": draw(2, 3, 4), "g": draw(4)}
PROGRAMS = {
    "mlp": (mlp, layers(3, 5, 4, 2), draw(6, 3)),
    "cnn": (cnn, {"k": draw(4, 2, 3, 3), "b": draw(4), "w": draw(4, 3)}, draw(1, 2, 5, 5)),
    "transformer": (transformer, {**HEADS, "w1": draw(4, 5), "b1": draw(5), "w2": draw(5, 4)}, draw(6, 4)),
    "residual": (
        residual,
        {"i": draw(3, 4), "w": [(draw(4, 5), draw(5, 4))] * 2, "o": draw(4, 2)},
        draw(6, 3),
    ),
    "recurrent": (recurrent, {"u": draw(4, 4), "w": draw(4, 2), "o": draw(4, 3)}, draw(5, 2)),
}
SPECS = {}


def spec_of(name):
    """The permutations in the symmetry of a program."""
    if name not in SPECS:
        spec = infer(*PROGRAMS[name], verify=False)
        SPECS[name] = spec.without(
            *(key for key, group in spec.groups.items() if group.kind != "permutation")
        )
    return SPECS[name]


def moved_nodes(spec, graph, element):
    """perm with new node i = old node perm[i], from what the element does to an array of node numbers."""
    moved, start = [], 0
    for name, shape in graph.axes:
        parents = spec.groups[name].parents if name in spec.groups else ()
        names = [*parents, name]
        parts = [
            Part(n, k, one, ((one, 1),) * (one in spec.groups))
            for k, (n, one) in enumerate(zip(shape, names))
        ]
        ids = np.arange(start, start + int(np.prod(shape))).reshape(shape)
        order = acting_order(spec, element)
        moved.append(np.ravel(move_block(spec.groups, order, Block(tuple(parts)), jnp.asarray(ids), element)))
        start += ids.size
    return np.concatenate(moved)


def numbers(graph, params):
    """{(leaf, nodes): value} of every edge."""
    keys = zip(graph.leaf.tolist(), map(tuple, graph.edges.tolist()), strict=True)
    return dict(zip(keys, np.asarray(graph.flatten(params)).tolist(), strict=True))


@pytest.mark.full
@pytest.mark.parametrize("name", PROGRAMS)
def test_law_a_permuted_network_has_an_isomorphic_graph_and_equal_outputs(name):
    _, params, _ = PROGRAMS[name]
    spec = spec_of(name)
    graph = parameter_graph(spec)
    element = random_element(spec, key=jax.random.key(1))
    other = act(spec, element, params)
    perm = moved_nodes(spec, graph, element)
    old, new = numbers(graph, params), numbers(graph, other)
    assert len(old) == len(graph.leaf) == sum(leaf.size for leaf in jax.tree.leaves(params))
    renamed = lambda nodes: tuple(perm[node].item() if node >= 0 else -1 for node in nodes)
    assert all(value == old[leaf, renamed(nodes)] for (leaf, nodes), value in new.items())
    assert any(value != old[key] for key, value in new.items())
    np.testing.assert_array_equal(graph.nodes[perm], graph.nodes)

    init, apply = message_passing(width=5, depth=2, size=3)
    theta = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), init(jax.random.key(2)))
    run = jax.jit(lambda params: apply(theta, graph, graph.flatten(params)))
    (nodes, edges, pooled), (nodes2, edges2, pooled2) = run(params), run(other)
    np.testing.assert_allclose(pooled2, pooled, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(nodes2, nodes[perm], rtol=1e-4, atol=1e-5)
    move = jax.vmap(lambda tree: act(spec, element, tree), -1, -1)
    expected = move(graph.unflatten(edges, params))
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    jax.tree.map(same, graph.unflatten(edges2, params), expected)
    assert np.std(edges) > 1e-3 and np.std(pooled) > 1e-3


@pytest.mark.full
def test_law_automorphisms_of_the_graph_are_the_symmetry_of_the_function():
    params, x = layers(2, 3, 2, 1), draw(6, 2)
    graph = parameter_graph(infer(mlp, params, x, verify=False))
    flat = graph.flatten(params)
    at = {
        (leaf, tuple(nodes)): e
        for e, (leaf, nodes) in enumerate(zip(graph.leaf.tolist(), graph.edges.tolist()))
    }
    free = np.flatnonzero(graph.nodes[:, 2])  # all hidden units, of both layers, in every order
    found = 0
    for order in itertools.permutations(free):
        perm = np.append(np.arange(len(graph.nodes)), -1)
        perm[free] = order
        edges = [at.get((leaf, tuple(perm[list(nodes)].tolist()))) for leaf, nodes in at]
        if None not in edges:
            found += 1
            moved = graph.unflatten(flat[np.array(edges)], params)
            np.testing.assert_allclose(mlp(moved, x), mlp(params, x), rtol=1e-4, atol=1e-5)
    assert found == 12  # 3! 2! of the 5! orders


def hand_set(init, rounds):
    """Weights with which relu message passing computes the outputs of a relu perceptron at its output nodes."""
    theta = jax.tree.map(lambda leaf: np.zeros(leaf.shape), init(jax.random.key(0)))
    width, facts = theta["node out"].shape[1] if "node out" in theta else theta["nodes"][0].shape[1], 17
    theta["nodes"][0][facts - 1, 0] = 1  # channel 0 of a node: its value; at the start what the probe says
    theta["numbers"][0][0, 0] = theta["numbers"][0][0, 1] = 1
    far = 1e4
    for one in theta["rounds"]:
        one["number"][0][0, 0] = one["number"][0][0, 1] = 1  # the weight, in two channels of messages
        one["others"][0][0, 0] = 1  # channel 0: weight times the value of the other node
        one["others"][1][1] = 1  # channel 1: a bias as it is
        one["place"][0][[5, 10], 0] = 1  # of matrices (rank 2), to the node that lies deeper (both count 1)
        one["place"][1][0] = -1
        one["place"][0][4, 1] = 1  # of biases (rank 1)
        into, out = one["node in"], one["node out"]
        for unit, sign in ((0, 1), (1, -1)):
            into[0][[width, width + 1], unit] = sign  # the sums of messages
            into[0][3 * width + facts - 1, unit] = sign  # inputs keep what the probe says
            out[0][unit, 0] = sign
        into[0][3 * width + 2, 1] = -far  # no negative part at hidden units: a relu
        one["node skip"][:] = one["number skip"][:] = 0
        one["number skip"][[0, 1], [0, 1]] = 1
    theta["node result"][0][0, 0] = 1
    return theta


@pytest.mark.full
def test_hand_set_weights_run_the_network_that_they_read():
    params = jax.tree.map(lambda leaf: leaf.astype(float), layers(3, 5, 4, 2))
    x = rng.normal(size=3)
    graph = parameter_graph(infer(mlp, params, x, verify=False))
    init, apply = message_passing(width=4, depth=3, probes=1, nonlinearity=jax.nn.relu)
    names = [name for name, _ in graph.axes]
    inputs = graph.place(
        {names[next(i for i in range(len(names)) if graph.nodes[graph.axis == i][0, 0])]: x[None]}
    )
    nodes, _, _ = apply(hand_set(init, 3), graph, graph.flatten(params), inputs)
    np.testing.assert_allclose(nodes[graph.nodes[:, 1] == 1, 0], mlp(params, x), rtol=1e-10)


@pytest.mark.full
def test_one_network_reads_other_widths_depths_and_activations_and_padding_changes_nothing():
    init, apply = message_passing(width=4, depth=2, size=2, probes=6)
    apply = jax.jit(apply)
    theta = init(jax.random.key(3))
    found = []
    for sizes, activation in (((3, 5, 2), jax.nn.relu), ((3, 4, 6, 2), jnp.tanh), ((3, 7, 2), jax.nn.gelu)):
        params, x = layers(*sizes), draw(6, 3)
        net = lambda p, x, activation=activation: mlp(p, x, activation)
        spec = infer(net, params, x, verify=False)
        graph = parameter_graph(spec)
        probes = graph.place(collect(spec, net, params, x))
        values = graph.flatten(params)
        plain = apply(theta, graph, values, probes)
        large = graph.padded(num_nodes=20, num_edges=70, num_slots=3, num_blocks=8)
        wide = apply(theta, large, large.flatten(params), jnp.pad(probes, ((0, 20 - len(probes)), (0, 0))))
        for short, long in zip(plain[:2], wide[:2]):
            np.testing.assert_allclose(long[: len(short)], short, rtol=1e-5, atol=1e-6)
            assert np.all(long[len(short) :] == 0)
        np.testing.assert_allclose(wide[2], plain[2], rtol=1e-5, atol=1e-6)
        found.append(large)
    assert jax.tree.map(jnp.shape, found[0]).edges == jax.tree.map(jnp.shape, found[1]).edges


@pytest.mark.full
def test_probe_features_are_the_activations_of_a_direct_forward_pass():
    params, x = layers(3, 5, 4, 2), draw(6, 3)
    spec = infer(mlp, params, x, verify=False)
    graph = parameter_graph(spec)
    placed = graph.place({**collect(spec, mlp, params, x), "0/0[0]": x})
    first = jax.nn.relu(x @ params[0][0] + params[0][1])
    second = jax.nn.relu(first @ params[1][0] + params[1][1])
    by_size = {5: first, 4: second, 3: x, 2: jnp.zeros((6, 2))}
    for number, (_, shape) in enumerate(graph.axes):
        np.testing.assert_allclose(placed[graph.axis == number].T, by_size[shape[0]], rtol=1e-5)


def test_wrong_calls_of_graphs_are_answered():
    params, x = layers(3, 5, 2), draw(6, 3)
    graph = parameter_graph(infer(mlp, params, x, verify=False))
    with pytest.raises(TypeError, match="SymmetrySpec"):
        parameter_graph(params)
    with pytest.raises(ValueError, match="Pass parameters of the function"):
        graph.flatten(layers(3, 4, 2))
    with pytest.raises(ValueError, match="expected one of the axes"):
        graph.place({"nowhere": x})
    with pytest.raises(ValueError, match="one number of samples"):
        graph.place({"a": x, "b": x[:2]})
    with pytest.raises(ValueError, match="at least"):
        graph.padded(num_nodes=1, num_edges=70, num_slots=3, num_blocks=8)
    init, apply = message_passing(width=2, depth=1)
    with pytest.raises(ValueError, match="Make them with graph"):
        apply(init(jax.random.key(0)), graph, jnp.ones(3))
    with pytest.raises(ValueError, match="probes has shape"):
        apply(init(jax.random.key(0)), graph, graph.flatten(params), jnp.ones((10, 1)))
    with pytest.raises(ValueError, match="width"):
        message_passing(width=0, depth=1)
