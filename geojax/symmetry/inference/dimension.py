"""Dimensions: the number of parameters that count for a function, and of those that the groups of a spec move."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core.precision import rounded_once
from geojax._program.arguments import array_leaves, flatten
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import identity
from geojax.symmetry.action.groups import ORTHOGONAL, PERMUTATION, SIGN
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Params


@rounded_once
def functional_dimension(apply: Callable[..., Any], params: Params, *inputs: Any) -> Int[Array, ""]:
    """The number of directions in which changing the parameters changes the function: the rank of its Jacobian.

    rank of  d apply(params, x) / d params  over all outputs on all the given inputs. The number of parameters minus
    this rank bounds the dimension of every continuous symmetry from above; more inputs can only lower the bound.

    Args:
        apply: The function ``apply(params, *inputs)``.
        params: Its parameters; floating-point leaves count, complex numbers twice.
        *inputs: A batch of inputs, generic and at least as many as there are parameters for a sharp answer.

    Returns:
        The rank, an integer. Singular values below ``max(shape) * eps`` of the largest count as zero, so the answer is
        sharp in float64.

    Raises:
        TypeError: If ``apply`` returns something that cannot be differentiated.

    Differentiation: none; the rank is an integer.
    Complexity: one forward-mode derivative for each parameter, and one singular value decomposition of the Jacobian.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(0), (2, 3)), jax.random.normal(jax.random.key(1), (3, 1))]
        >>> x = jax.random.normal(jax.random.key(2), (40, 2))
        >>> int(gj.symmetry.functional_dimension(lambda p, x: x @ p[0] @ p[1], params, x))
        2

    References: [Grigsby2023]
    """
    function, weights, arrays = flatten(apply, params, inputs)
    return _rank(jacobian(function, weights, arrays))


@rounded_once
def symmetry_dimension(apply: Callable[..., Any], params: Params, *inputs: Any) -> Int[Array, ""]:
    """The number of directions in which the parameters change and the function, to first order, does not.

    (number of floating-point parameters) - functional_dimension(apply, params, *inputs),  the dimension of the fibre of
    params -> function. It bounds the dimension of every continuous symmetry from above.

    Args:
        apply: The function ``apply(params, *inputs)``.
        params: Its parameters; floating-point leaves count, complex numbers twice.
        *inputs: A batch of inputs, generic and at least as many as there are parameters for a sharp answer.

    Returns:
        An integer from 0 to the number of parameters.

    Raises:
        TypeError: If ``apply`` returns something that cannot be differentiated.

    Differentiation: none; the rank is an integer.
    Complexity: that of `functional_dimension`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jax.random.normal(jax.random.key(0), (2, 3)), jax.random.normal(jax.random.key(1), (3, 1))]
        >>> x = jax.random.normal(jax.random.key(2), (40, 2))
        >>> int(gj.symmetry.symmetry_dimension(lambda p, x: x @ p[0] @ p[1], params, x))
        7

    References: [Grigsby2023]
    """
    function, weights, arrays = flatten(apply, params, inputs)
    matrix = jacobian(function, weights, arrays)
    return matrix.shape[1] - _rank(matrix)


@rounded_once
def hidden_symmetry_defect(
    spec: SymmetrySpec, apply: Callable[..., Any], params: Params, *inputs: Any
) -> Int[Array, ""]:
    """The number of dimensions of symmetry at given parameters that no group of the spec explains.

    symmetry_dimension(apply, params, *inputs) - orbit_dimension(spec, params).  A dead unit, two units that agree, or a
    layer that sees a single linear region give a network symmetries that its architecture does not have.

    Args:
        spec: The symmetry of the function, from `infer`.
        apply: The function ``apply(params, *inputs)`` that the spec was inferred from.
        params: Its parameters.
        *inputs: A batch of inputs, generic and at least as many as there are parameters for a sharp answer: inputs that
            do not reach a region of the network make its parameters look idle.

    Returns:
        An integer, 0 if the continuous groups of the spec are all the symmetry there is.

    Raises:
        ValueError: If ``params`` does not fit the spec.
        TypeError: If ``apply`` returns something that cannot be differentiated.

    Differentiation: none; ranks are integers.
    Complexity: that of `functional_dimension` and `orbit_dimension`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> relu = lambda p, x: jax.nn.relu(x @ p["in"]) @ p["out"]
        >>> params = {"in": jnp.array([[1.0, -1.0, -0.5], [0.2, 0.4, -2.0]]), "out": jnp.array([[1.0], [2.0], [0.5]])}
        >>> x = jax.random.normal(jax.random.key(0), (40, 2))
        >>> spec = gj.symmetry.infer(relu, params, x)
        >>> int(gj.symmetry.hidden_symmetry_defect(spec, relu, params, x))
        0
        >>> twins = {**params, "in": params["in"].at[:, 1].set(params["in"][:, 0])}
        >>> int(gj.symmetry.hidden_symmetry_defect(spec, relu, twins, x))
        2

    References: [Grigsby2023]
    """
    return symmetry_dimension(apply, params, *inputs) - orbit_dimension(spec, params)


def jacobian(
    function: Callable[..., list[Array]], weights: list[Array], arrays: list[Array]
) -> Float[Array, "m n"]:
    """Derivative of all outputs of ``function(weights, arrays)`` with respect to all weights, in real coordinates."""
    smooth = [i for i, w in enumerate(weights) if jnp.issubdtype(w.dtype, jnp.inexact)]

    def outputs(moving: list[Array]) -> Array:
        every = list(weights)
        for i, array in zip(smooth, moving, strict=True):
            every[i] = array if jnp.isrealobj(weights[i]) else jax.lax.complex(array[0], array[1])
        smooth_outputs = [out for out in function(every, arrays) if jnp.issubdtype(out.dtype, jnp.inexact)]
        if not smooth_outputs:
            raise TypeError("apply returns no floating-point numbers, so there is nothing to differentiate")
        return jnp.concatenate([_coordinates(out) for out in smooth_outputs])

    real = [w if jnp.isrealobj(w) else jnp.stack([w.real, w.imag]) for w in (weights[i] for i in smooth)]
    if not real:
        return jnp.zeros((len(outputs([])), 0))
    parts = jax.jacfwd(outputs)(real)
    columns = zip(parts, real, strict=True)
    return jnp.concatenate([jnp.reshape(part, (part.shape[0], w.size)) for part, w in columns], axis=1)


def _coordinates(array: Array) -> Float[Array, " n"]:
    """The entries of an array as real numbers: a complex one has two."""
    flat = jnp.ravel(array)
    return flat if jnp.isrealobj(flat) else jnp.concatenate([flat.real, flat.imag])


def _rank(matrix: Float[Array, "m n"]) -> Int[Array, ""]:
    return jnp.linalg.matrix_rank(matrix) if matrix.size else jnp.zeros((), jnp.int32)


@rounded_once
def orbit_dimension(spec: SymmetrySpec, params: Params) -> Int[Array, ""]:
    """The dimension of the set of parameters that the continuous groups of a spec reach from given ones.

    rank of the tangent map  xi -> d/dt act(exp(t xi), params)  at the identity. It is the spec's `dimension` if the
    groups act freely, and less if some element other than the identity leaves the parameters as they are.

    Args:
        spec: The symmetry, from `infer`.
        params: Parameters that fit it; generic ones give the generic dimension.

    Returns:
        The rank, an integer; at most the number of parameters minus `functional_dimension`.

    Raises:
        ValueError: If ``params`` does not fit the spec.

    Differentiation: none; the rank is an integer.
    Complexity: one action for each continuous dimension, and a singular value decomposition.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> params = [jnp.ones((2, 3)), jnp.ones((3, 1))]
        >>> relu = lambda p, x: jax.nn.relu(x @ p[0]) @ p[1]
        >>> spec = gj.symmetry.infer(relu, params, jnp.ones((5, 2)))
        >>> int(gj.symmetry.orbit_dimension(spec, params))
        3

    References: [Grigsby2023]
    """
    start = identity(spec)
    continuous = {name: group for name, group in spec.members if group.kind not in (PERMUTATION, SIGN)}
    if not continuous:
        return jnp.zeros((), jnp.int32)

    def moved(tangent: dict[str, Array]) -> Array:
        element = {}
        for name, group in continuous.items():
            step = tangent[name]
            if group.kind == ORTHOGONAL:
                step = step - jnp.matrix_transpose(step)
            element[name] = start[name] + step
        leaves = [leaf for _, leaf in array_leaves(act(spec, element, params))]
        return jnp.concatenate(
            [_coordinates(leaf) for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]
        )

    zero = {name: jnp.zeros(group.shape) for name, group in continuous.items()}
    parts = jax.jacfwd(moved)(zero)
    columns = [jnp.reshape(part, (part.shape[0], -1)) for part in parts.values()]
    return jnp.linalg.matrix_rank(jnp.concatenate(columns, axis=1))
