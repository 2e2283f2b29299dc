"""message_passing: one network for the parameter graphs of many architectures."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax.metanets.graphs.features import BLOCK_FACTS, NODE_FACTS, SLOT_FACTS
from geojax.metanets.graphs.incidence import ParameterGraph
from geojax.typing import Key, Params

Theta = dict[str, Any]


def message_passing(
    *,
    width: int,
    depth: int,
    size: int = 1,
    channels: int = 1,
    probes: int = 0,
    nonlinearity: Callable[[Array], Array] = jax.nn.gelu,
) -> tuple[Callable[[Key], Theta], Callable[..., tuple[Array, Array, Array]]]:
    """A network on parameter graphs, whose weights do not depend on the architecture that the graph was read from.

    message of e to its node i:  m[e, i] = (A h[e] + a) * (b + sum over its other nodes j of B v[j]) * (C s + c)
    v[i] <- S v[i] + U f(V [v[i], sum and mean of m[e, i] over e, facts]),   h[e] likewise from its nodes

    v and h are the states of nodes and numbers, f is the nonlinearity, s the facts about a place (`ParameterGraph`).
    The products let a few hand-set weights run the network whose parameters they read. Permutations in the symmetry
    permute the outputs of nodes and numbers, and leave the pooled output.

    Args:
        width: Channels of the states.
        depth: Number of rounds of messages.
        size: Channels of the outputs.
        channels: Values that each number comes with: 1 for weights; more for their gradients, moments and so on.
        probes: Values that each node comes with, such as activations on probe inputs.
        nonlinearity: Elementwise.

    Returns:
        (init, apply). ``init(key)`` is a dict of weights, float. ``apply(theta, graph, values, probes=None)`` takes a
        `ParameterGraph`, values [numbers] or [numbers, channels] (`ParameterGraph.flatten`) and probes
        [nodes, probes] (`ParameterGraph.place`), and returns outputs of nodes [nodes, size], of numbers
        [numbers, size] and a pooled vector [size]. Rows of padding are zero.

    Raises:
        ValueError: If a size is not positive, or values or probes do not fit the graph.

    Differentiation: exact in theta, values and probes.
    Complexity: O(depth x numbers x slots x width^2).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> init, apply = gj.metanets.message_passing(width=8, depth=2, size=3)
        >>> theta = init(jax.random.key(0))
        >>> for hidden in (4, 6):
        ...     params = [jnp.ones((3, hidden)), jnp.ones((hidden, 2))]
        ...     graph = gj.metanets.parameter_graph(gj.symmetry.infer(mlp, params, jnp.ones((5, 3)), verify=False))
        ...     print([out.shape for out in apply(theta, graph, graph.flatten(params))])
        [(9, 3), (20, 3), (3,)]
        [(11, 3), (30, 3), (3,)]

    References: [LimMaron2024], [Kofinas2024]
    """
    where = "message_passing"
    for name, value in {"width": width, "depth": depth, "size": size, "channels": channels}.items():
        checks.count(where, name, value, minimum=1)
    checks.count(where, "probes", probes, minimum=0)
    checks.function(where, "nonlinearity", nonlinearity, "Pass a function such as jax.nn.gelu.")
    facts = NODE_FACTS + probes + 1
    read = 2 * channels + BLOCK_FACTS
    shapes = {
        "number": (width, width),
        "others": (width, width),
        "place": (SLOT_FACTS, width),
        "node in": (3 * width + facts, 2 * width),
        "node out": (2 * width, width),
        "seen": (width, width),
        "seen place": (SLOT_FACTS, width),
        "number in": (2 * width + read, 2 * width),
        "number out": (2 * width, width),
    }

    def init(key: Key) -> Theta:
        checks.typed_key(f"{where}: init(key)", key)
        first, *rest = jax.random.split(key, depth + 1)
        ends = {
            "nodes": (facts, width),
            "numbers": (read, width),
            "node result": (width, size),
            "number result": (width, size),
            "pool in": (5 * width, 2 * width),
            "pool out": (2 * width, size),
        }
        skips = {"node skip": jnp.eye(width), "number skip": jnp.eye(width)}
        return {**_dense(first, ends), "rounds": [{**_dense(one, shapes), **skips} for one in rest]}

    @rounded_once
    def apply(
        theta: Theta,
        graph: ParameterGraph,
        values: Float[Array, "numbers *channels"],
        probes_of_nodes: Float[Array, "nodes probes"] | None = None,
    ) -> tuple[Array, Array, Array]:
        values = jnp.reshape(values, (values.shape[0], -1))
        states = States(theta, graph, values, probes_of_nodes, channels, probes, nonlinearity)
        for weights in theta["rounds"]:
            states.round(weights)
        return states.results()

    return init, apply


def _dense(key: Key, shapes: dict[str, tuple[int, int]]) -> Params:
    """A matrix and an offset for each shape; matrices keep the variance."""
    return {
        name: (jax.random.normal(one, shape) / shape[0] ** 0.5, jnp.zeros(shape[1]))
        for one, (name, shape) in zip(jax.random.split(key, len(shapes)), shapes.items(), strict=True)
    }


def _affine(weights: tuple[Array, Array], x: Array) -> Array:
    return x @ weights[0] + weights[1]


class States:
    """The states of nodes and numbers between two rounds of messages."""

    def __init__(
        self,
        theta: Theta,
        graph: ParameterGraph,
        values: Array,
        probes: Array | None,
        channels: int,
        num_probes: int,
        nonlinearity: Callable[[Array], Array],
    ) -> None:
        num_nodes, num = graph.axis.shape[0], graph.leaf.shape[0]
        if values.shape != (num, channels):
            raise ValueError(
                f"message_passing: values has shape {list(values.shape)}; expected [{num}, {channels}], a row for "
                "each number of the graph. Make them with graph.flatten(params)."
            )
        found = (num_nodes, 0) if probes is None else probes.shape
        if found != (num_nodes, num_probes):
            raise ValueError(
                f"message_passing: probes has shape {list(found)}; expected [{num_nodes}, {num_probes}], a row for "
                "each node of the graph. Make them with graph.place(activations), and pass their number as probes=."
            )
        dtype = values.dtype
        self.theta, self.nonlinearity = theta, nonlinearity
        self.real_nodes = jnp.asarray(graph.axis >= 0, dtype)[:, None]
        self.real_numbers = jnp.asarray(graph.leaf >= 0, dtype)[:, None]
        self.joined = jnp.asarray(graph.edges >= 0, dtype)[..., None]
        self.places = jnp.asarray(graph.slots, dtype)[jnp.asarray(graph.block)]
        # Absent nodes are counted as one more node, whose messages nobody reads.
        self.edges = jnp.where(jnp.asarray(graph.edges) >= 0, jnp.asarray(graph.edges), num_nodes)
        self.degree = self.total(self.joined)
        seen = [jnp.asarray(graph.nodes, dtype), jnp.log1p(self.degree)]
        self.facts = jnp.concatenate(
            [*seen, *([] if probes is None else [jnp.asarray(probes, dtype)])], axis=1
        )
        logs = values * safe.log1pc(jnp.abs(values))  # sign(x) log(1 + |x|)
        self.read = jnp.concatenate(
            [values, logs, jnp.asarray(graph.blocks, dtype)[jnp.asarray(graph.block)]], axis=1
        )
        self.nodes = _affine(theta["nodes"], self.facts) * self.real_nodes
        self.numbers = _affine(theta["numbers"], self.read) * self.real_numbers

    def total(self, messages: Array) -> Array:
        """The sum of the messages at each node."""
        num = self.real_nodes.shape[0]
        flat = jnp.reshape(messages, (-1, messages.shape[-1]))
        return jax.ops.segment_sum(flat, jnp.ravel(self.edges), num + 1)[:num]

    def at_places(self, x: Array) -> Array:
        """What the nodes of each number have, [numbers, slots, channels]."""
        return jnp.concatenate([x, jnp.zeros((1, x.shape[1]), x.dtype)])[self.edges]

    def round(self, weights: Params) -> None:
        """One round of messages."""
        mine = self.at_places(self.nodes @ weights["others"][0])
        others = jnp.sum(mine, 1, keepdims=True) - mine + weights["others"][1]
        messages = (
            _affine(weights["number"], self.numbers)[:, None]
            * others
            * _affine(weights["place"], self.places)
        )
        total = self.total(messages * self.joined)
        mean = total / jnp.maximum(self.degree, 1)
        seen = self.at_places(_affine(weights["seen"], self.nodes)) * _affine(
            weights["seen place"], self.places
        )
        around = jnp.sum(seen * self.joined, 1)
        self.nodes = self.real_nodes * self.step(
            weights, "node", self.nodes, jnp.concatenate([self.nodes, total, mean, self.facts], 1)
        )
        self.numbers = self.real_numbers * self.step(
            weights, "number", self.numbers, jnp.concatenate([self.numbers, around, self.read], 1)
        )

    def step(self, weights: Params, kind: str, old: Array, seen: Array) -> Array:
        """The next state of nodes or of numbers."""
        hidden = self.nonlinearity(_affine(weights[f"{kind} in"], seen))
        return old @ weights[f"{kind} skip"] + _affine(weights[f"{kind} out"], hidden)

    def results(self) -> tuple[Array, Array, Array]:
        """Outputs of nodes and numbers, and the pooled vector."""
        roles = self.facts[:, :4] * self.real_nodes
        means = (roles.T @ self.nodes) / jnp.maximum(jnp.sum(roles, 0), 1)[:, None]
        whole = jnp.sum(self.numbers, 0) / jnp.maximum(jnp.sum(self.real_numbers), 1)
        pooled = jnp.concatenate([jnp.ravel(means), whole])
        pooled = _affine(self.theta["pool out"], self.nonlinearity(_affine(self.theta["pool in"], pooled)))
        nodes = _affine(self.theta["node result"], self.nodes) * self.real_nodes
        return nodes, _affine(self.theta["number result"], self.numbers) * self.real_numbers, pooled
