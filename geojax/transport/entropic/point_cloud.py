"""Entropic transport between point clouds in blocks of rows: no n x m array is ever built."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from geojax._core import checks
from geojax._core.loops import iterate, vary_with
from geojax._core.precision import widened
from geojax._core.struct import struct
from geojax.transport.costs import SquaredEuclidean, cost_matrix_of
from geojax.transport.entropic import dual
from geojax.transport.entropic.scaling import Relaxation, adapted, allowed
from geojax.transport.measures import (
    check_weights,
    coarsest_ulp,
    number,
    potential_of,
    same_mass,
    uniform,
)
from geojax.typing import Cost, Scalar

ENTRIES = 1 << 19  # of the cost matrix at a time, unless `block` is given


@struct
class PointCloudResult:
    """Potentials of an entropic transport problem between point clouds.

    `f` [n] and `g` [m] are in units of cost, normalised so that <f, a> = 0; `cost` is the optimal value; `error` is
    the L1 error of the marginals, in units of weight.
    """

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    cost: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


class _Clouds(NamedTuple):
    x: PyTree
    y: PyTree
    a: Float[Array, " n"]
    b: Float[Array, " m"]
    epsilon: Float[Array, ""]


class _State(NamedTuple):
    f: Float[Array, " n"]
    g: Float[Array, " m"]
    column_error: Float[Array, ""]
    relaxation: Relaxation
    num_steps: Int[Array, ""]


class _Blocks:
    """The rows of the cost matrix in blocks of equal size; the last block is padded with rows of weight zero."""

    def __init__(self, cost: Cost, n: int, m: int, dtype: Any, block: int | None, axis_name: str | None):
        self.cost, self.n, self.dtype, self.axis_name = cost, n, dtype, axis_name
        self.rows = min(n, block or max(1, ENTRIES // m))
        self.count = -(-n // self.rows)

    def split(self, rows: PyTree) -> PyTree:
        def one(leaf: Array) -> Array:
            missing = self.count * self.rows - self.n
            padded = jnp.concatenate([leaf, jnp.broadcast_to(leaf[:1], (missing, *leaf.shape[1:]))])
            return padded.reshape(self.count, self.rows, *leaf.shape[1:])

        return jax.tree.map(one, rows)

    def weights(self, a: Array) -> Array:
        """The weights of the rows, block by block, zero for the padding."""
        return jnp.pad(a, (0, self.count * self.rows - self.n)).reshape(self.count, self.rows)

    def join(self, blocks: Array) -> Array:
        return blocks.reshape(-1)[: self.n]

    def costs(self, x: PyTree, y: PyTree) -> Float[Array, "rows m"]:
        return cost_matrix_of("point_cloud_sinkhorn", "cost", self.cost, x, y).astype(self.dtype)

    @property
    def num_devices(self) -> int:
        """The number of devices over which the rows are split."""
        return 1 if self.axis_name is None else jax.lax.psum(1, self.axis_name)

    def total(self, value: Array) -> Array:
        """The sum over the devices that hold the rows."""
        return value if self.axis_name is None else jax.lax.psum(value, self.axis_name)

    def largest(self, value: Array) -> Array:
        return value if self.axis_name is None else jax.lax.pmax(value, self.axis_name)


def point_cloud_sinkhorn(
    x: PyTree[Float[Array, "n ..."]],
    y: PyTree[Float[Array, "m ..."]],
    a: Float[Array, " n"] | None = None,
    b: Float[Array, " m"] | None = None,
    *,
    cost: Cost = SquaredEuclidean(),
    epsilon: Scalar,
    tol: Scalar = 1e-6,
    max_steps: int = 2000,
    init: tuple[Float[Array, " n"], Float[Array, " m"]] | None = None,
    block: int | None = None,
    axis_name: str | None = None,
) -> PointCloudResult:
    """Entropic optimal transport between two point clouds, in memory linear in their sizes.

    Solves the problem of `sinkhorn` with C_ij = cost(x_i, y_j). Costs are computed anew in every step, for some rows
    at a time, so prefer `sinkhorn` as long as the n x m matrix fits into memory.

    Args:
        x: Points, [n, ...]; an array or any tree of arrays that share the leading axis.
        y: Points, [m, ...].
        a: Weights of x, [n], nonnegative; zeros are allowed. By default 1 / n each.
        b: Weights of y, [m], nonnegative, with the same sum as a. By default 1 / m each.
        cost: cost(x_i, y_j) -> scalar: `SquaredEuclidean()`, `Distance(space)` or a function. The first is fastest: one
            matrix product a block.
        epsilon: Strength of the entropy, > 0, in units of cost.
        tol: L1 error of the marginals to reach.
        max_steps: Most steps, each a pass over all pairs; static.
        init: Potentials (f, g) to start from; only g is used.
        block: Number of rows that are computed at a time; static. By default as many as make half a million pairs.
        axis_name: Inside `shard_map`, the mesh axis over which x and a are split; every device holds all of y and b.
            Then f is split like a, and all other results are the same on every device.

    Returns:
        PointCloudResult. `cost` is the dual value at the potentials, the optimal value at convergence.

    Raises:
        ValueError: At trace time, if the sizes disagree, a measure is empty, or cost does not return a scalar.
        TypeError: At trace time, if weights are not real, or cost is not a function of two points.

    Status: as `sinkhorn`.

    Differentiation: `cost`: envelope, to first order, in x, y, a, b, epsilon and in what `cost` closes over; it
        computes the costs once more, also in blocks. Others: none. a and b may change only so that their sums stay
        fixed; the gradient is defined for such changes.

    Complexity: O(n + m + block m) memory; O(n m) costs and exponentials per step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.transport import point_cloud_sinkhorn
        >>> x = jnp.linspace(0.0, 1.0, 500)
        >>> r = point_cloud_sinkhorn(x, x + 2, epsilon=0.5, tol=1e-4, block=64)
        >>> int(r.status), 4.0 < r.cost < 4.5
        (0, Array(True, dtype=bool))

    References: [Cuturi2013]; [Feydy2019].
    """
    where = "point_cloud_sinkhorn"
    n, m = check_weights(where, x, y, a, b)
    checks.count(where, "max_steps", max_steps)
    if block is not None:
        checks.count(where, "block", block, minimum=1)
    given = a, b
    x, y, a, b, init = widened((x, y, a, b, init))
    dtype = _common_dtype(x, y, a, b)
    ulp = coarsest_ulp(dtype, *given)
    b = uniform(m, dtype) if b is None else jnp.asarray(b, dtype)
    strength, limit = number(where, "epsilon", epsilon, dtype), number(where, "tol", tol, dtype)
    blocks = _Blocks(cost, n, m, dtype, block, axis_name)
    a = uniform(n, dtype) / blocks.num_devices if a is None else jnp.asarray(a, dtype)
    total = blocks.total(jnp.sum(jax.lax.stop_gradient(a)))
    problem = _Clouds(x, y, a, same_mass(a, b, ulp, total), strength)
    fixed = jax.lax.stop_gradient(vary_with(problem, problem, limit, init))
    if init is not None:
        start = jax.lax.stop_gradient(potential_of(where, init, (n, m), dtype))
    else:
        start = blocks.largest(_first(fixed, blocks))
    end = _solve(fixed, vary_with(start, fixed), limit, max_steps, blocks)
    f, g = _finished(end.state, fixed, blocks)
    mean = blocks.total(f @ fixed.a) / jnp.where(total > 0, total, 1)
    f, g = f - mean, blocks.largest(g) + mean
    value = _dual_value(jax.lax.stop_gradient((f, g)), problem, blocks)
    error, num_steps = blocks.largest(end.error), blocks.largest(end.num_steps)
    status = blocks.largest(_status(end.status, fixed, total, limit, blocks))
    return PointCloudResult(f, g, value, error, num_steps, status)


def _common_dtype(x: PyTree, y: PyTree, *weights: Array | None) -> Any:
    """The floating dtype of the computation, the widest among points and weights."""
    given = [
        leaf
        for leaf in jax.tree.leaves((x, y, weights))
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    ]
    return jnp.result_type(*given) if given else jnp.result_type(float)


def _status(status: Array, problem: _Clouds, total: Array, tol: Array, blocks: _Blocks) -> Array:
    """The status, judged by the rows of this device."""
    # Rows on other devices are represented by one row with their total mass.
    elsewhere = jnp.maximum(total - jnp.sum(problem.a), 0)
    feasible = dual.feasible(jnp.append(problem.a, elsewhere), problem.b, problem.epsilon, tol)
    leaves = [leaf for leaf in jax.tree.leaves(problem) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return dual.judged(status, feasible, *leaves)


def _over_blocks(blocks: _Blocks, problem: _Clouds, body: Any, carry: Any, *rows: Array) -> tuple[Any, Any]:
    """Scan body(carry, costs, weights, *rows) over the blocks of rows."""

    def step(carry: Any, block: Any) -> tuple[Any, Any]:
        x, a, *others = block
        return body(carry, jax.lax.stop_gradient(blocks.costs(x, problem.y)), a, *others)

    parts = (blocks.split(problem.x), blocks.weights(problem.a), *(blocks.split(row) for row in rows))
    return jax.lax.scan(step, vary_with(carry, problem, rows), parts)


def _first(problem: _Clouds, blocks: _Blocks) -> Float[Array, " m"]:
    """Feasible potentials to start from: g_j = min_i (C_ij - min_k C_ik), over the rows of this device."""

    def body(lowest: Array, costs: Array, a: Array) -> tuple[Array, None]:
        del a
        return jnp.minimum(lowest, jnp.min(costs - jnp.min(costs, axis=1, keepdims=True), axis=0)), None

    g = _over_blocks(blocks, problem, body, jnp.full_like(problem.b, jnp.inf))[0]
    return g if blocks.axis_name is None else jax.lax.pmin(g, blocks.axis_name)


def _solve(problem: _Clouds, g: Array, tol: Array, max_steps: int, blocks: _Blocks):
    """Over-relaxed Sinkhorn iterations, each one pass over the blocks, whose exponentials update rows and columns."""
    b, epsilon = problem.b, problem.epsilon
    log_b = jnp.where(b > 0, jnp.log(jnp.where(b > 0, b, 1)), -jnp.inf)
    smallest = jnp.finfo(b.dtype).tiny ** 0.5
    mass = jnp.sum(b)

    def step(now: _State) -> tuple[_State, Array]:
        omega = now.relaxation.omega

        def body(carry: Any, costs: Array, a: Array, f: Array) -> tuple[Any, Array]:
            columns, misplaced = carry
            exponent = (f[:, None] + now.g - costs) / epsilon + log_b
            top = jnp.max(exponent, axis=1)
            kernel = jnp.exp(exponent - top[:, None])
            part = jnp.sum(kernel, axis=1)
            log_row = top + jnp.log(part)
            misplaced = misplaced + jnp.sum(a * jnp.abs(jnp.expm1(jnp.minimum(log_row, 80))))
            scale = jnp.where(a > 0, a * jnp.exp((1 - omega) * log_row) / part, 0)
            return (columns + scale @ kernel, misplaced), f - omega * epsilon * log_row

        zeros = (jnp.zeros_like(b), jnp.zeros_like(mass))
        (columns, misplaced), f = _over_blocks(blocks, problem, body, zeros, now.f)
        columns, misplaced = blocks.total(columns), blocks.total(misplaced)
        share = jnp.where(b > 0, columns / jnp.where(b > 0, b, 1), 1)
        correction = jnp.clip(share, smallest, 1 / smallest) ** -omega
        error = misplaced + now.column_error
        following = _State(
            blocks.join(f),
            now.g + epsilon * jnp.log(correction),
            jnp.sum(jnp.abs(columns * correction - b)),
            adapted(now.relaxation, error, mass, now.num_steps, limit),
            now.num_steps + 1,
        )
        return following, error

    relaxation = Relaxation.start(epsilon)
    count = jnp.zeros_like(epsilon, dtype=jnp.int32)
    f = _row_minima(g, problem, blocks)
    start = _State(f, g, jnp.zeros_like(epsilon), relaxation, count)
    limit = blocks.largest(allowed(f, g, epsilon, mass, tol))

    def run(state: _State) -> tuple[_State, Array]:
        def goes_on(now: tuple[_State, Array]) -> Array:
            return (now[1] > tol) & (now[0].num_steps < max_steps) & ~now[0].relaxation.stalled

        return jax.lax.while_loop(goes_on, lambda now: step(now[0]), step(state))

    end = iterate(run, start, tol=limit, max_steps=min(max_steps, 1))
    return dataclasses.replace(end, num_steps=end.state.num_steps)


def _row_minima(g: Array, problem: _Clouds, blocks: _Blocks) -> Float[Array, " n"]:
    """f_i = min_j (C_ij - g_j), with which no exponential exceeds 1."""

    def body(carry: None, costs: Array, a: Array) -> tuple[None, Array]:
        return carry, jnp.min(costs - g, axis=1)

    return blocks.join(_over_blocks(blocks, problem, body, None)[1])


def _finished(state: _State, problem: _Clouds, blocks: _Blocks) -> tuple[Array, Array]:
    """One plain iteration: the error does not grow, and points of weight zero get their potentials too."""
    b, epsilon = problem.b, problem.epsilon
    log_b = jnp.where(b > 0, jnp.log(jnp.where(b > 0, b, 1)), -jnp.inf)

    def body(carry: Any, costs: Array, a: Array) -> tuple[Any, Array]:
        top, total = carry
        f = -epsilon * jax.nn.logsumexp((state.g - costs) / epsilon + log_b, axis=1)
        log_a = jnp.where(a > 0, jnp.log(jnp.where(a > 0, a, 1)), -jnp.inf)
        exponent = (f[:, None] - costs) / epsilon + log_a[:, None]
        following = jnp.maximum(top, jnp.max(exponent, axis=0))
        shift = jnp.where(jnp.isfinite(following), following, 0)
        total = total * jnp.exp(top - shift) + jnp.sum(jnp.exp(exponent - shift), axis=0)
        return (following, total), f

    start = (jnp.full_like(b, -jnp.inf), jnp.zeros_like(b))
    (top, total), f = _over_blocks(blocks, problem, body, start)
    highest = blocks.largest(top)
    total = blocks.total(total * jnp.exp(top - jnp.where(jnp.isfinite(highest), highest, 0)))
    return blocks.join(f), -epsilon * (highest + jnp.log(total))


def _dual_value(optimum: tuple[Array, Array], problem: _Clouds, blocks: _Blocks) -> Array:
    """<f, a> + <g, b> - epsilon sum_ij a_i b_j (K_ij - 1), block by block; derivatives recompute the blocks.

    With the potentials held fixed, its derivatives are those of the optimal value.
    """
    (f, g), b, epsilon = optimum, problem.b, problem.epsilon

    @jax.checkpoint
    def excess(x: PyTree, y: PyTree, a: Array, b: Array, epsilon: Array, f: Array, g: Array) -> Array:
        return a @ (jnp.expm1((f[:, None] + g - blocks.costs(x, y)) / epsilon) @ b)

    def step(total: Array, block: Any) -> tuple[Array, None]:
        x, a, f = block
        return total + excess(x, problem.y, a, b, epsilon, f, g), None

    parts = blocks.split(problem.x), blocks.weights(problem.a), blocks.split(f)
    total = jax.lax.scan(step, vary_with(jnp.zeros_like(epsilon), problem, f), parts)[0]
    return blocks.total(f @ problem.a - epsilon * total) + g @ b
