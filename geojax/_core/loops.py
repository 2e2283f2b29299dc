"""The loop of every solver, and the only place that decides whether a solver converged."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from geojax._core import checks
from geojax._core.struct import struct
from geojax.results import Status
from geojax.typing import PyTree, Scalar


@struct
class Iteration:
    """The end of an iteration; `state` is the last state, converged or not."""

    state: Any
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


def iterate(
    step: Callable[[Any], tuple[Any, Any]],
    state: PyTree,
    *,
    tol: Scalar,
    max_steps: int,
    max_error: Scalar = jnp.inf,
) -> Iteration:
    """Repeat `step` until its error is within `tol`.

    state, error = step(state), at least once if max_steps > 0, until one of
      CONVERGED  the error is finite and <= tol, and no number in the state is NaN;
      NONFINITE  the error is NaN or infinite, or the state holds a NaN;
      DIVERGED   the error is finite and > max_error;
      MAX_STEPS  none of these after max_steps steps; always if max_steps = 0, because the error of the start is not
                 known.

    Under `vmap` an item that has ended keeps its state, error and count while the others continue.

    Args:
        step: Maps a state to (next state of the same shapes and dtypes, its error). The error is a real scalar >= 0.
        state: The start; a pytree of arrays.
        tol: Largest error that counts as converged. Traced.
        max_steps: Largest number of steps; a Python integer.
        max_error: Errors above it end the iteration as DIVERGED. Traced.

    Returns:
        Iteration with `state`, `error` (infinite if no step was taken), `num_steps` and `status`.

    Raises:
        TypeError or ValueError at trace time if `step` changes the state's structure, shapes or dtypes, or if its
        error is not a real scalar.

    Differentiation: forward mode through the loop; use `implicit` for reverse mode.

    Complexity: one state in memory; `step` is called as often as the slowest item of a batch needs.
    """
    max_steps = checks.count("iterate", "max_steps", max_steps)
    state = jax.tree.map(_strong, state)
    next_shapes, error_shape = jax.eval_shape(step, state)
    checks.same_tree(
        "iterate", "the state that step returns", next_shapes, "the state it was given", state, dtypes=True
    )
    if error_shape.shape != () or not jnp.issubdtype(error_shape.dtype, jnp.floating):
        raise TypeError(
            f"iterate: step returned an error of {error_shape.dtype}{list(error_shape.shape)}; expected a real scalar. "
            "Reduce it with jax.numpy.max or a norm."
        )
    dtype = error_shape.dtype
    tol, max_error = jnp.asarray(tol, dtype), jnp.asarray(max_error, dtype)

    def goes_on(carry: tuple[Any, Array, Array]) -> Array:
        _, error, num_steps = carry
        # Before the first step the error is infinite because it has not been computed.
        undecided = jnp.isfinite(error) & (error > tol) & (error <= max_error)
        return (num_steps < max_steps) & (undecided | (num_steps == 0))

    def body(carry: tuple[Any, Array, Array]) -> tuple[Any, Array, Array]:
        current, _, num_steps = carry
        following, error = step(current)
        return vary_with((jax.tree.map(_strong, following), _strong(error), num_steps + 1), kinds)

    kinds = (state, next_shapes, error_shape, tol, max_error)
    start = vary_with((state, jnp.asarray(jnp.inf, dtype), jnp.asarray(0, jnp.int32)), kinds)
    state, error, num_steps = jax.lax.while_loop(goes_on, body, start)
    return Iteration(state, error, num_steps, _status(state, error, num_steps, tol, max_error))


def reachable(tol: Scalar, rounding: Scalar, unit: Scalar) -> Float[Array, ""]:
    """The tolerance that counts for errors measured in parts of `unit`, a size of the data.

    It is the one asked for, or what rounding allows if that is more: `rounding`, in the units of the data, and four
    units in the last place of `unit`. An error that large may be nothing but rounding. Yet it is never more than the
    root of the rounding of `unit`: an error above that is a failure.
    """
    dtype = jnp.result_type(unit)
    eps = jnp.finfo(dtype).eps
    allowed = jnp.minimum(4 * eps + rounding / unit, eps**0.5)
    return jnp.maximum(jnp.asarray(tol, dtype), jnp.where(jnp.isfinite(allowed), allowed, 0))


def _status(state: PyTree, error: Array, num_steps: Array, tol: Array, max_error: Array) -> Array:
    """The status at the end of an iteration. A comparison with NaN is false, so each case has a test of its own."""
    leaves = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    has_nan = (
        jnp.any(jnp.stack([jnp.any(jnp.isnan(leaf)) for leaf in leaves])) if leaves else jnp.asarray(False)
    )
    broken = has_nan | ((num_steps > 0) & ~jnp.isfinite(error))
    code = jnp.where(error <= tol, Status.CONVERGED, Status.MAX_STEPS)
    code = jnp.where(error > max_error, Status.DIVERGED, code)
    # Without a step the error is infinite because it was not computed, so it must not count even if tol is infinite.
    code = jnp.where(num_steps == 0, Status.MAX_STEPS, code)
    return jnp.where(broken, Status.NONFINITE, code).astype(jnp.int32)


def _strong(value: Any) -> Array:
    """The same array with a strong dtype; a weakly typed array would change its dtype in the loop."""
    return (
        jax.lax.convert_element_type(value, jax.dtypes.result_type(value))
        if _weak(value)
        else jnp.asarray(value)
    )


def _weak(value: Any) -> bool:
    return jax.typeof(value).weak_type


def vary_with(tree: PyTree, *others: PyTree) -> PyTree:
    """The same values, typed as varying along every mesh axis of `shard_map` along which `others` vary.

    The carry of a loop must have the same type before and after a step. If a constant start is combined with sharded
    values in the loop, it must be declared as varying first. Outside `shard_map` nothing changes.
    """
    axes = frozenset().union(*(_varying_axes(leaf) for leaf in jax.tree.leaves(others)))

    def cast(leaf: ArrayLike) -> ArrayLike:
        missing = tuple(sorted(axes - _varying_axes(leaf)))
        return jax.lax.pcast(leaf, missing, to="varying") if missing else leaf

    return jax.tree.map(cast, tree)


def _varying_axes(value: Any) -> frozenset[str]:
    """The mesh axes along which a value differs between devices inside `shard_map`; empty elsewhere."""
    kind = value if isinstance(value, jax.ShapeDtypeStruct) else jax.typeof(value)
    if hasattr(kind, "manual_axis_type"):
        return getattr(kind.manual_axis_type, "varying", frozenset())
    return getattr(kind, "vma", None) or frozenset()  # jax 0.9
