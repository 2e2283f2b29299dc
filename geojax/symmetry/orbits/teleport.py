"""Moving parameters along a level set of the loss, by the continuous symmetries."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from geojax._core import checks, tree
from geojax._core.loops import iterate, reachable, vary_with
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.elements import Element, compose, identity
from geojax.symmetry.action.groups import MATRIX_KINDS, ORTHOGONAL, SCALING
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.leaves import move_leaves, with_leaves
from geojax.symmetry.orbits.reading import Leaves, read_params
from geojax.typing import Params, Scalar


@struct
class TeleportResult:
    """The parameters that `teleport` returns.

    `params` are the moved parameters, ``act(spec, element, params)`` up to rounding; `objective` is the value of the
    objective there, `error` the norm of its slope along the group.
    """

    params: Params
    element: Element
    objective: Float[Array, ""]
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def teleport(
    spec: SymmetrySpec,
    loss: Callable[[Params], Scalar],
    params: Params,
    *,
    objective: Callable[[Params], Scalar] | None = None,
    step_size: Scalar = 0.1,
    tol: Scalar = 1e-6,
    max_steps: int = 20,
) -> TeleportResult:
    """Moves parameters through their continuous symmetries to where the gradient is largest, at the same loss.

    Ascends  psi(g) = |grad loss(act(g, params))|^2 / 2,  or another objective, over the scalings, rotations and linear
    maps of the spec. Each step takes the slope of psi along the Lie algebra at the present point, and a vector X of
    length ``step_size`` in that direction. It moves the parameters by exp(X) for scalings and by
    (1 - X/2)^-1 (1 + X/2) for matrices. A step that would lower psi is not taken, and the next one is half as long.
    Along scalings psi has no largest value, so that only ``max_steps`` bounds the move.

    Args:
        spec: The symmetry of the function inside the loss, from `infer`.
        loss: loss(params), a scalar that is unchanged by the symmetry.
        params: Parameters that fit the spec.
        objective: objective(params), a scalar to maximise in place of psi: minus the curvature along the gradient, or
            minus a trace of the Hessian, looks for flat places.
        step_size: Length of the first step, in units of log scale and of radians; > 0.
        tol: Norm of the slope along the group at which to stop, in parts of the objective at the start; or what
            rounding allows, if that is more.
        max_steps: Most steps.

    Returns:
        TeleportResult. Permutations and signs stay at the identity; leaves other than floating or complex arrays are
        not moved.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec, ``loss`` no function, or ``params`` no tree of
            parameters.
        ValueError: If ``params`` does not fit the spec.

    Status: CONVERGED if the slope along the group vanishes; MAX_STEPS; NONFINITE.
    Differentiation: none (stop_gradient).
    Complexity: a step costs the derivative of the objective, for psi that of a Hessian-vector product, and one further
        value of it.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params, x = [jnp.ones((2, 3)), jnp.ones((3, 1))], jnp.ones((5, 2))
        >>> spec = gj.symmetry.infer(relu, params, x)
        >>> loss = lambda p: jnp.mean((relu(p, x) - 1.0) ** 2)
        >>> result = gj.symmetry.teleport(spec, loss, params)
        >>> bool(jnp.allclose(loss(result.params), loss(params)))
        True
        >>> bool(result.objective > sum(jnp.sum(g**2) for g in jax.grad(loss)(params)) / 2)
        True

    References: [Zhao2024].
    """
    where = "teleport"
    max_steps = checks.count(where, "max_steps", max_steps)
    call = "teleport(spec, loss, params)"
    check_spec(call, spec)
    checks.function(where, "loss", loss, f"Write {call}.")
    if objective is not None:
        checks.function(where, "objective", objective, "Pass objective=lambda params: ..., a scalar.")
    (leaves,) = read_params(call, spec, params=params)
    leaves = jax.lax.stop_gradient(leaves)
    start = {path: leaf for path, leaf in leaves.items() if jnp.issubdtype(leaf.dtype, jnp.inexact)}

    def whole(moved: Leaves) -> Params:
        return with_leaves(params, {**leaves, **moved})

    def psi(moved: Leaves) -> Array:
        if objective is not None:
            return jnp.asarray(objective(whole(moved)))
        gradient = jax.grad(lambda moved: loss(whole(moved)))(moved)
        return tree.squared_norm(gradient) / 2

    def move(element: Element, moved: Leaves) -> Leaves:
        ahead = move_leaves(spec, element, {**leaves, **moved})
        return {path: ahead[path] for path in moved}

    dtype = jax.eval_shape(psi, start).dtype
    names = [name for name, group in spec.members if group.kind in (SCALING, *MATRIX_KINDS)]
    at_rest = {name: array.astype(dtype) for name, array in identity(spec).items() if name in names}
    # Inside `shard_map` the zeros vary with the parameters: the gradient with respect to a value that all devices
    # share would be summed over the devices.
    zero = vary_with({name: jnp.zeros_like(array) for name, array in at_rest.items()}, start)

    def along(algebra: Element, moved: Leaves) -> Float[Array, ""]:
        return psi(move(_exponential(spec, algebra), moved))

    def advance(state: _Position) -> tuple[_Position, Float[Array, ""]]:
        slope = jax.grad(along)(zero, state.leaves)
        slope = {name: _tangent(spec.groups[name].kind, value) for name, value in slope.items()}
        size = jnp.sqrt(tree.squared_norm(slope)) if slope else jnp.zeros((), dtype)
        length = state.length / jnp.where(size > 0, size, 1)
        step = _exponential(spec, {name: length * value for name, value in slope.items()})
        ahead = move(step, state.leaves)
        value = psi(ahead)
        better = value > state.value
        both = compose(spec, step, state.element)
        element = {name: both[name].astype(dtype) for name in state.element}
        taken = _Position(ahead, element, value, state.length)
        kept = state._replace(length=state.length / 2)
        return jax.tree.map(lambda new, old: jnp.where(better, new, old), taken, kept), size / unit

    first = _Position(start, at_rest, psi(start), jnp.asarray(step_size, dtype))
    unit = jnp.where(first.value == 0, 1, jnp.abs(first.value))
    tol = reachable(tol, 0, unit)
    end = iterate(advance, vary_with(first, start, step_size), tol=tol, max_steps=max_steps)
    element = {**identity(spec), **end.state.element}
    moved = whole(end.state.leaves)
    return TeleportResult(moved, element, end.state.value, end.error, end.num_steps, end.status)


class TeleportationState(NamedTuple):
    """The number of steps taken, and the state of the inner optimiser."""

    count: Int[Array, ""]
    inner: Any


def with_teleportation(
    spec: SymmetrySpec,
    optimizer: optax.GradientTransformation,
    *,
    every: int,
    objective: Callable[[Params], Scalar] | None = None,
    step_size: Scalar = 0.1,
    max_steps: int = 5,
) -> optax.GradientTransformationExtraArgs:
    """An optimiser that teleports the parameters before every k-th step.

    At steps 0, k, 2k, ... the parameters are moved by `teleport`, at the same loss. The inner optimiser then takes its
    step from the new place, with the gradient there. Its state is not changed by the move.

    Args:
        spec: The symmetry of the function inside the loss, from `infer`.
        optimizer: The inner optimiser, an optax transformation.
        every: How many steps apart, k >= 1.
        objective: As for `teleport`.
        step_size: As for `teleport`.
        max_steps: As for `teleport`.

    Returns:
        An optax transformation; its update takes ``value_fn``, the loss of the present batch as a function of the
        parameters, as optax's line searches do.

    Raises:
        TypeError: If ``optimizer`` is no optax transformation, or ``spec`` no SymmetrySpec.
        ValueError: If ``every`` is less than 1; at an update, if ``params`` or ``value_fn`` is missing, or the
            parameters do not fit the spec.

    Differentiation: none.
    Complexity: that of the optimiser, and every k-th step that of `teleport` and one more gradient.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> params, x = [jnp.ones((2, 3)), jnp.ones((3, 1))], jnp.ones((5, 2))
        >>> spec = gj.symmetry.infer(relu, params, x)
        >>> loss = lambda p: jnp.mean((relu(p, x) - 1.0) ** 2)
        >>> optimizer = gj.symmetry.with_teleportation(spec, optax.sgd(1e-3), every=10)
        >>> state = optimizer.init(params)
        >>> updates, state = optimizer.update(jax.grad(loss)(params), state, params, value_fn=loss)
        >>> bool(loss(optax.apply_updates(params, updates)) < loss(params))
        True

    References: [Zhao2024].
    """
    where = "with_teleportation"
    check_spec("with_teleportation(spec, optimizer, every=k)", spec)
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise TypeError(
            f"{where}: optimizer is {checks.described(optimizer)}; expected an optax transformation. "
            "Pass one, for example optax.adam(1e-3)."
        )
    every = checks.count(where, "every", every, minimum=1)
    inside = optax.with_extra_args_support(optimizer)

    def init(params: Params) -> TeleportationState:
        return TeleportationState(jnp.zeros((), jnp.int32), inside.init(params))

    def update(updates, state, params=None, *, value_fn: Callable[[Params], Scalar] | None = None, **extra):
        if params is None:
            raise ValueError(
                "with_teleportation: params is None; expected the parameters. Pass them to update."
            )
        if value_fn is None:
            raise ValueError(
                "with_teleportation: value_fn is None; expected the loss of the batch. Pass it to update."
            )
        loss: Callable[[Params], Scalar] = value_fn

        def jump(params: Params):
            there = teleport(
                spec, loss, params, objective=objective, step_size=step_size, max_steps=max_steps
            ).params
            return there, jax.grad(loss)(there)

        place, slope = jax.lax.cond(state.count % every == 0, jump, lambda params: (params, updates), params)
        step, inner = inside.update(slope, state.inner, place, value_fn=loss, **extra)
        moved = jax.tree.map(lambda there, here, change: there - here + change, place, params, step)
        return moved, TeleportationState(state.count + 1, inner)

    return optax.GradientTransformationExtraArgs(init, update)


class _Position(NamedTuple):
    """The moved leaves, the element that moved them, the objective there, and the length of the next step."""

    leaves: Leaves
    element: Element
    value: Float[Array, ""]
    length: Float[Array, ""]


def _exponential(spec: SymmetrySpec, algebra: Element) -> Element:
    """Maps the Lie algebra to the group: exactly for scalings, to second order for matrices."""
    element = {}
    for name, value in algebra.items():
        if spec.groups[name].kind == SCALING:
            element[name] = jnp.exp(value)
        else:
            eye = jnp.eye(value.shape[-1], dtype=value.dtype)
            element[name] = jnp.linalg.solve(eye - value / 2, eye + value / 2)
    return element


def _tangent(kind: str, slope: Array) -> Array:
    """The slope projected to the Lie algebra; that of rotations holds skew-symmetric matrices only."""
    return (slope - jnp.matrix_transpose(slope)) / 2 if kind == ORTHOGONAL else slope
