"""Preconditioned SGD: preconditioners in Lie groups, fitted to random vectors and their Hessian-vector products."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax.optim.preconditioned.groups import Group
from geojax.typing import Key, PyTree, Scalar


@rounded_once
def psgd_criterion(
    group: Group, q: PyTree, v: Float[Array, "*shape"], h: Float[Array, "*shape"]
) -> Float[Array, ""]:
    """The criterion that fits a preconditioner P = Q^T Q to a random vector v and its Hessian-vector product h.

    c = h^T P h + v^T P^-1 v.  Among all positive definite P its mean over v ~ N(0, I) is smallest at P = |H|^-1.

    Args:
        group: The group of Q, such as `DiagonalGroup()` or `KroneckerGroup()`.
        q: Element of the group.
        v: Random vector, an array shaped like the parameter.
        h: H v, of the same shape.

    Returns:
        Scalar >= 0.

    Raises:
        ValueError: At trace time, if the shapes of v and h differ.

    Differentiation: exact.

    Complexity: One action and one solve.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import DiagonalGroup, psgd_criterion
        >>> float(psgd_criterion(DiagonalGroup(), jnp.ones(1), jnp.array([1.0]), jnp.array([4.0])))
        17.0

    References: [Li2018]; [Pooladzandi2024].
    """
    v, h = _pair("psgd_criterion", v, h)
    return jnp.sum(jnp.square(group.act(q, h))) + jnp.sum(jnp.square(group.solve_transposed(q, v)))


@rounded_once
def group_step(
    group: Group, q: PyTree, v: Float[Array, "*shape"], h: Float[Array, "*shape"], *, rate: Scalar = 0.1
) -> Any:
    """A step of descent of `psgd_criterion` inside the group: Q <- (I - rate E / |E|) Q.

    E is the part of a a^T - b b^T in the Lie algebra, with a = Q h and b = Q^-T v. It is half the gradient of the
    criterion along Q <- (I + E) Q. A change of the parameters x = A y turns v into A^-1 v and h into A^T h. If Q
    becomes Q A^-T, then a and b do not change; so if that is in the group, the steps do not depend on the
    parametrisation.

    Args:
        group: The group of Q.
        q: Element of the group.
        v: Random vector, an array shaped like the parameter.
        h: H v, of the same shape.
        rate: Step in (0, 1); a diagonal entry loses at most this fraction, so Q stays invertible. Traced.

    Returns:
        The next element of the group.

    Raises:
        ValueError: At trace time, if the shapes of v and h differ.

    Differentiation: exact, unless h and v are both zero.

    Complexity: One action, one solve and a product in the group.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import DiagonalGroup, group_step
        >>> q = jnp.ones(1)
        >>> for _ in range(20):
        ...     q = group_step(DiagonalGroup(), q, jnp.array([1.0]), jnp.array([4.0]), rate=0.3)
        >>> print(jnp.round(q, 3))
        [0.5]

    References: [Li2018]; [Pooladzandi2024].
    """
    v, h = _pair("group_step", v, h)
    return group.step(q, group.act(q, h), group.solve_transposed(q, v), jnp.asarray(rate, v.dtype))


class PSGDState(NamedTuple):
    """State of `scale_by_psgd`.

    Attributes:
        key: Random key for the next random vectors.
        elements: For each leaf the element Q of its group.
    """

    key: Any
    elements: Any


def scale_by_psgd(
    groups: PyTree,
    *,
    key: Key,
    rate: Scalar = 0.1,
    update_prob: Scalar = 1.0,
) -> optax.GradientTransformationExtraArgs:
    """Stochastic gradients times preconditioners in Lie groups, which are fitted during training.

    update = P g,  P = Q^T Q;  Q <- group_step(Q, v, H v) for v ~ N(0, I), with probability update_prob in each step.

    Args:
        groups: Prefix tree of groups over the parameters; a group is used for each leaf below it separately.
        key: Typed random key for the random vectors, kept in the state.
        rate: Step of the fit, in (0, 1). Traced.
        update_prob: Probability that a step fits the preconditioner. The Hessian-vector product is computed only then
            (under `vmap` always). Traced.

    Returns:
        GradientTransformationExtraArgs; `update` needs params and `gradient`, the function whose value at params is g:
        `update(g, state, params, gradient=jax.grad(loss))`. Once fitted, a step with learning rate 1 is Newton's step
        with |H|, and needs no damping.

    Raises:
        TypeError: If `groups` holds anything but groups, key is not a typed key, or a parameter is not an array.
        ValueError: If `groups` is not a prefix of the parameters, or `update` is called without params or gradient.

    Differentiation: none; steps are random.

    Complexity: One Hessian-vector product for each fit, and that of the groups.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from geojax.optim import DiagonalGroup, scale_by_psgd
        >>> gradient = jax.grad(lambda x: jnp.sum(jnp.array([1.0, 100.0]) * x**2) / 2)
        >>> optimiser, x = scale_by_psgd(DiagonalGroup(), key=jax.random.key(0)), jnp.ones(2)
        >>> state = optimiser.init(x)
        >>> update = jax.jit(lambda state, x: optimiser.update(gradient(x), state, x, gradient=gradient))
        >>> for _ in range(100):
        ...     updates, state = update(state, x)
        ...     x = x - 0.3 * updates
        >>> bool(jnp.all(jnp.abs(x) < 1e-3))
        True

    References: [Pooladzandi2024]; [Li2018].
    """
    checks.typed_key("scale_by_psgd", key)
    for group in jax.tree.leaves(groups, is_leaf=_is_group):
        if not _is_group(group):
            raise TypeError(
                f"scale_by_psgd: groups holds {checks.described(group)}; expected groups. "
                "Pass instances, such as DiagonalGroup()."
            )

    def each(function: Callable[..., Any], params: PyTree, *trees: PyTree) -> Any:
        """Apply function(group, leaf, ...) at every leaf of the parameters."""
        spread = jax.tree.map(
            lambda group, part: jax.tree.map(lambda _: group, part), groups, params, is_leaf=_is_group
        )
        return jax.tree.map(function, spread, *trees, is_leaf=_is_group)

    def init(params: PyTree) -> PSGDState:
        checks.prefix_tree("scale_by_psgd", "groups", groups, _is_group, "groups", params)
        checks.arrays_only("scale_by_psgd", "params", params)
        params = jax.tree.map(jnp.asarray, params)
        return PSGDState(key, each(lambda group, leaf: group.identity(leaf), params, params))

    def update(
        updates: PyTree, state: Any, params: PyTree | None = None, *, gradient: Any = None, **extra: Any
    ) -> tuple[Any, Any]:
        if params is None or gradient is None:
            raise ValueError(
                f"scale_by_psgd: {'params' if params is None else 'gradient'} is None; expected the parameters and the "
                "gradient function. Call update(g, state, params, gradient=jax.grad(loss))."
            )
        next_key, choice_key, vector_key = jax.random.split(state.key, 3)

        def fitted(elements: PyTree) -> Any:
            leaves, structure = jax.tree.flatten(params)
            keys = jax.random.split(vector_key, len(leaves))
            vectors = structure.unflatten(
                [jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves)]
            )
            _, products = jax.jvp(gradient, (params,), (vectors,))
            return each(
                lambda group, v, h, q: group_step(group, q, v, h, rate=rate),
                params,
                vectors,
                products,
                elements,
            )

        fits = jax.random.uniform(choice_key) < update_prob
        old = vary_with(state.elements, params, updates, state.key, rate)
        elements = jax.lax.cond(fits, fitted, lambda elements: elements, old)
        scaled = each(lambda group, g, q: group.act_transposed(q, group.act(q, g)), params, updates, elements)
        return scaled, PSGDState(next_key, elements)

    return optax.GradientTransformationExtraArgs(init, update)


def _is_group(value: Any) -> bool:
    return isinstance(value, Group) and not isinstance(value, type)


def _pair(where: str, v: Array, h: Array) -> tuple[Array, Array]:
    v, h = checks.floats(where, v=v, h=h)
    words = " ".join(map(str, v.shape))
    checks.shapes(where, v=(v, words), h=(h, words))
    return v, h
