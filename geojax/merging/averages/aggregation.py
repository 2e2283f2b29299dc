"""Federated aggregation: how much each client counts, and by how much the sum is shrunk."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, tree
from geojax._core.loops import reachable, vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base.descent import descend
from geojax.manifolds.base.euclidean import Euclidean
from geojax.merging.aligned import WeightMatching, aligned
from geojax.merging.averages.stock import pairwise_cosine
from geojax.merging.leaves import as_stack, callable_first, coefficients, map_stack, merged_only, stack_size
from geojax.typing import Params, Scalar

__all__ = ["AggregationResult", "aggregate", "client_coherence", "learn_aggregation"]


@struct
class AggregationResult:
    """Learnt weights of an aggregation.

    Attributes:
        params: The aggregated model.
        weights: How much each client counts, [k]: nonnegative, with sum 1.
        shrinkage: The factor gamma.
        loss: The loss of params.
        error: Norm of the gradient with respect to the logarithms of weights and shrinkage, in parts of the loss at the
            start or of its gradient.
        num_steps: Gradients evaluated.
        status: CONVERGED, MAX_STEPS or NONFINITE.
    """

    params: Any
    weights: Float[Array, " k"]
    shrinkage: Float[Array, ""]
    loss: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def aggregate(
    stack: Params,
    weights: Float[Array, " k"] | None = None,
    shrinkage: Scalar = 1.0,
    *,
    align: WeightMatching | None = None,
) -> Params:
    """Aggregates the models of several clients: gamma sum_i w_i theta_i.

    If w_i is the share of the data that client i holds and gamma = 1, this is federated averaging; gamma < 1 acts as
    weight decay.

    Args:
        stack: The clients' models, a list of k, or one tree with a leading axis of length k.
        weights: How much each client counts, [k]; used as they are, not normalised. If None, 1 / k each.
        shrinkage: The factor gamma. Traced.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto the first.

    Returns:
        One model.

    Raises:
        ValueError: If shapes disagree.

    Differentiation: exact, with the alignment held.
    Complexity: linear in the parameters of all models, and the alignments.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import aggregate
        >>> aggregate(jnp.array([[2.0], [4.0]]), jnp.array([0.5, 0.5]), 0.5).tolist()
        [1.5]

    References: [Li2023]; [McMahan2017].
    """
    checks.shapes("aggregate", shrinkage=(shrinkage, ""))
    stack = aligned("aggregate", align, stack)
    count = stack_size("aggregate", stack)
    shares = coefficients("aggregate", weights, count) / (count if weights is None else 1)

    return _scaled_sum(stack, shares, shrinkage)


@rounded_once
def learn_aggregation(
    loss: Callable[[Params], Array],
    stack: Params,
    *,
    learning_rate: Scalar = 0.5,
    tol: Scalar = 1e-6,
    max_steps: int = 1000,
    align: WeightMatching | None = None,
) -> AggregationResult:
    """Learns the weights of an aggregation, and its shrinkage, on a loss of the aggregated model.

    Minimises  loss(gamma sum_i w_i theta_i)  over w on the simplex and gamma > 0, by gradient descent on the logarithms
    of both. The slopes at the two ends of a step say how long the next one is, and whether this one is taken back.

    Args:
        loss: A scalar function of parameters, on data held by the server.
        stack: The clients' models, a list of k, or one tree with a leading axis of length k.
        learning_rate: First step, relative to the loss at the start or its gradient, whichever is more. Traced.
        tol: Norm of the gradient with respect to the logarithms at which to stop, in parts of the loss at the start or
            of its gradient, whichever is more; or what rounding allows, if that is more. Traced.
        max_steps: Most gradients to evaluate; static.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto the first.

    Returns:
        AggregationResult. The descent starts from equal weights and gamma = 1.

    Raises:
        ValueError: If shapes disagree, loss is not a scalar.

    Status: CONVERGED, MAX_STEPS, NONFINITE.

    Differentiation: forward mode, unrolled.
    Complexity: one gradient of loss in each step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import learn_aggregation
        >>> result = learn_aggregation(lambda p: (p[0] - 3.0) ** 2, jnp.array([[2.0], [4.0]]), tol=1e-3)
        >>> round(float(result.loss), 3)
        0.0

    References: [Li2023].
    """
    callable_first("learn_aggregation", "loss", loss, "stack")
    stack = aligned("learn_aggregation", align, stack)
    count = stack_size("learn_aggregation", stack)
    max_steps = checks.count("learn_aggregation", "max_steps", max_steps)
    dtype = jnp.result_type(*jax.tree.leaves(merged_only(stack)), jnp.float32)
    dtype = jnp.finfo(dtype).dtype

    def loss_at(logs: Array) -> Array:
        value = loss(_scaled_sum(stack, *_factors(logs)))
        checks.shapes("learn_aggregation", **{"loss(params)": (value, "")})
        return value

    start = vary_with(jnp.zeros(count + 1, dtype), merged_only(stack))
    value, gradient = jax.value_and_grad(loss_at)(start)
    unit = jnp.maximum(jnp.abs(value), jnp.linalg.norm(gradient)).astype(dtype)
    unit = jnp.where(unit == 0, 1, unit)
    end = descend(
        Euclidean(),
        jax.grad(loss_at),
        start,
        length=jnp.asarray(learning_rate, dtype) / unit,
        unit=unit,
        tol=reachable(tol, 0, unit),
        max_steps=max_steps,
    )
    logs = end.state
    weights, shrinkage = _factors(logs)
    params = _scaled_sum(stack, weights, shrinkage)
    return AggregationResult(params, weights, shrinkage, loss(params), end.error, end.num_steps, end.status)


def _scaled_sum(stack: Params, weights: Array, shrinkage: Scalar) -> Params:
    def mix(leaf: Array) -> Array:
        factors = jnp.asarray(shrinkage, leaf.dtype) * weights.astype(leaf.dtype)
        return jnp.tensordot(factors, leaf, 1, precision="highest")

    return map_stack(mix, stack)


def _factors(logs: Array) -> tuple[Array, Array]:
    return jax.nn.softmax(logs[:-1]), jnp.exp(logs[-1])


def client_coherence(base: Params, stack: Params) -> Float[Array, "k k"]:
    """Cosines of the angles between the updates of several clients, all leaves together.

    Args:
        base: The model that all clients start from.
        stack: The clients' models, a list of k, or one tree with a leading axis of length k.

    Returns:
        Matrix of cosines, [k, k]; zero in the row and column of a client that did not move.

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
    stack = as_stack("client_coherence", stack, like=base)
    flat = jax.vmap(_flat)(merged_only(stack))
    return pairwise_cosine(_flat(merged_only(base)), flat)


def _flat(model: Params) -> Array:
    leaves = [jnp.ravel(leaf) for leaf in tree.named_leaves(model).values()]
    return jnp.concatenate(leaves)
