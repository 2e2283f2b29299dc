"""Federated aggregation with learnt weights: how much each client counts, and how much the whole shrinks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, tree
from geojax._core.loops import iterate, vary_with
from geojax._core.struct import struct
from geojax.merging.aligned import aligned
from geojax.merging.averages.stock import pairwise_cosine
from geojax.merging.leaves import map_stack, merged_only, stack_size
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params, Scalar

__all__ = ["AggregationResult", "aggregate", "client_coherence", "learn_aggregation"]


@struct
class AggregationResult:
    """Learnt weights of an aggregation.

    Attributes:
        params: The aggregated model.
        weights: What each client counts, [k], on the simplex.
        shrinkage: The factor gamma of the whole.
        loss: The loss there.
        error: Norm of the gradient by the logarithms of weights and shrinkage.
        num_steps: Steps taken.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    params: Any
    weights: Float[Array, " k"]
    shrinkage: Float[Array, ""]
    loss: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def aggregate(
    stack: Params,
    weights: Float[Array, " k"],
    shrinkage: Scalar = 1.0,
    *,
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> Params:
    """Aggregates the models of several clients: gamma sum_i w_i theta_i.

    With w_i the clients' shares of the data and gamma = 1 it is federated averaging; gamma < 1 acts as weight decay.

    Args:
        stack: The clients' models as one tree with a leading axis of length k.
        weights: What each counts, [k]; used as they are, not normalised.
        shrinkage: The factor gamma. Traced.
        spec: The symmetry of the function; if given, every model is first aligned with the first by `weight_matching`.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        One model.

    Raises:
        ValueError: If shapes disagree, or there is a spec without a key.

    Differentiation: exact, with the alignment held.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import aggregate
        >>> aggregate(jnp.array([[2.0], [4.0]]), jnp.array([0.5, 0.5]), 0.5).tolist()
        [1.5]

    References: [Li2023]; [McMahan2017].
    """
    count = stack_size("aggregate", stack)
    checks.shapes("aggregate", weights=(weights, str(count)), shrinkage=(shrinkage, ""))
    stack = aligned("aggregate", spec, stack, None, key)

    def mix(leaf: Array) -> Array:
        w = jnp.asarray(shrinkage, leaf.dtype) * jnp.asarray(weights, leaf.dtype)
        return jnp.tensordot(w, leaf, 1, precision="highest")

    return map_stack(mix, stack)


def learn_aggregation(
    loss: Callable[[Params], Array],
    stack: Params,
    *,
    learning_rate: Scalar = 0.5,
    tol: Scalar = 1e-6,
    max_steps: int = 1000,
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> AggregationResult:
    """Learns the weights of an aggregation, and its shrinkage, on a loss of the aggregated model.

    Minimises  loss(gamma sum_i w_i theta_i)  over the simplex and gamma > 0 by gradient descent on the logarithms, with
    steps that are halved when the loss would rise and lengthened when it falls.

    Args:
        loss: A scalar function of parameters, on data held by the server.
        stack: The clients' models as one tree with a leading axis of length k.
        learning_rate: First step. Traced.
        tol: Norm of the gradient by the logarithms to reach. Traced.
        max_steps: Most steps; static.
        spec: The symmetry of the function; if given, every model is first aligned with the first by `weight_matching`.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        AggregationResult, from equal weights and gamma = 1.

    Raises:
        ValueError: If shapes disagree, loss is not a scalar, or there is a spec without a key.

    Status: CONVERGED, MAX_STEPS, NONFINITE.

    Differentiation: forward mode, unrolled.
    Complexity: one value and gradient of loss a step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import learn_aggregation
        >>> found = learn_aggregation(lambda p: (p[0] - 3.0) ** 2, jnp.array([[2.0], [4.0]]), tol=1e-3)
        >>> round(float(found.loss), 3)
        0.0

    References: [Li2023].
    """
    stack = aligned("learn_aggregation", spec, stack, None, key)
    count = stack_size("learn_aggregation", stack)
    max_steps = checks.count("learn_aggregation", "max_steps", max_steps)
    dtype = jnp.result_type(*jax.tree.leaves(merged_only(stack)), jnp.float32)
    dtype = jnp.finfo(dtype).dtype

    def of(logs: Array) -> Array:
        return loss(aggregate(stack, *_factors(logs)))

    slope = jax.value_and_grad(of)

    def step(state: tuple[Array, Array, Array, Array]) -> tuple[Any, Array]:
        logs, value, gradient, rate = state
        moved = logs - rate * gradient
        new_value, new_gradient = slope(moved)
        fell = new_value <= value
        logs, value, gradient = (
            jnp.where(fell, new, old)
            for new, old in ((moved, logs), (new_value, value), (new_gradient, gradient))
        )
        # A loss that is not a number is no fall, and halving would hide it.
        error = jnp.where(jnp.isfinite(new_value), jnp.linalg.norm(gradient), jnp.nan)
        return (logs, value, gradient, rate * jnp.where(fell, 1.2, 0.5)), error

    start = vary_with(jnp.zeros(count + 1, dtype), stack)
    value, gradient = slope(start)
    state = start, value, gradient, jnp.asarray(learning_rate, dtype)
    end = iterate(step, state, tol=tol, max_steps=max_steps)
    logs, value = end.state[:2]
    weights, shrinkage = _factors(logs)
    params = aggregate(stack, weights, shrinkage)
    return AggregationResult(params, weights, shrinkage, value, end.error, end.num_steps, end.status)


def _factors(logs: Array) -> tuple[Array, Array]:
    return jax.nn.softmax(logs[:-1]), jnp.exp(logs[-1])


def client_coherence(base: Params, stack: Params) -> Float[Array, "k k"]:
    """Cosines of the angles between the updates of several clients, all leaves together.

    Args:
        base: The model that all clients started from.
        stack: The clients' models as one tree with a leading axis of length k.

    Returns:
        Matrix of cosines, [k, k]; 0 beside a client that did not move.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact; 0 where a client did not move.
    Complexity: k^2 passes over the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import client_coherence
        >>> client_coherence(jnp.zeros(2), jnp.array([[1.0, 0.0], [0.0, 2.0]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]

    References: [Li2023].
    """
    stack_size("client_coherence", stack)
    flat = jax.vmap(lambda model: _flat(model))(merged_only(stack))
    return pairwise_cosine(_flat(merged_only(base)), flat)


def _flat(model: Params) -> Array:
    leaves = [jnp.ravel(leaf) for leaf in tree.named_leaves(model).values()]
    return jnp.concatenate(leaves)
