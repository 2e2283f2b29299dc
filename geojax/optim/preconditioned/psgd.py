"""Preconditioned SGD: preconditioners in Lie groups, fitted to pairs of probes and Hessian-vector products."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax.optim.preconditioned.groups import Group
from geojax.typing import Key, PyTree, Scalar


def psgd_criterion(
    group: Group, q: PyTree, v: Float[Array, "*shape"], h: Float[Array, "*shape"]
) -> Float[Array, ""]:
    """The criterion that fits a preconditioner P = Q^T Q to a probe v and its Hessian-vector product h.

    c = h^T P h + v^T P^-1 v,  whose mean over v ~ N(0, I) is least at P = |H|^-1 among all positive P.

    Args:
        group: Group that Q is in, such as `DiagonalGroup()` or `KroneckerGroup()`.
        q: Element of the group.
        v: Probe, an array shaped like the parameter.
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


def group_step(
    group: Group, q: PyTree, v: Float[Array, "*shape"], h: Float[Array, "*shape"], *, rate: Scalar = 0.1
) -> Any:
    """A step of descent of the criterion inside the group, from the left: Q <- (I - rate E / |E|) Q.

    E is the part of a a^T - b b^T in the Lie algebra, with a = Q h and b = Q^-T v: half the gradient of
    `psgd_criterion` along Q <- (I + E) Q. A change of the parameters x = A y, for which v becomes A^-1 v and h becomes
    A^T h, leaves a and b as they are if Q becomes Q A^-T: where that is in the group, the steps are carried along.

    Args:
        group: Group that Q is in.
        q: Element of the group.
        v: Probe, an array shaped like the parameter.
        h: H v, of the same shape.
        rate: Step in (0, 1): no more is lost of any diagonal entry, so Q stays invertible. Traced.

    Returns:
        The next element.

    Raises:
        ValueError: At trace time, if the shapes of v and h differ.

    Differentiation: exact, where h and v are not both zero.

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
        key: Random key of the probes to come.
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
    """Stochastic gradients times preconditioners that are fitted as they go, each in a Lie group.

    update = P g,  P = Q^T Q;  Q <- group_step(Q, v, H v) for v ~ N(0, I), with probability update_prob a step.

    Args:
        groups: Prefix tree of groups over the parameters; each takes every leaf below it by itself.
        key: Typed random key of the probes, kept in the state.
        rate: Step of the fit, in (0, 1). Traced.
        update_prob: Probability of a fit at a step; the Hessian-vector product is computed only then (under `vmap`
            always). Traced.

    Returns:
        GradientTransformationExtraArgs; `update` wants params and `gradient`, the function whose value at params are
        the updates: `update(g, state, params, gradient=jax.grad(loss))`. Fitted, a step of rate 1 is Newton's with
        |H|, so there is nothing to damp.

    Raises:
        TypeError: If `groups` holds something else, or key is no typed key.
        ValueError: If `update` is called without params or gradient.

    Differentiation: none; steps are random.

    Complexity: One Hessian-vector product a fit, and that of the groups.

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
                f"scale_by_psgd: groups holds {group!r}; expected groups such as DiagonalGroup()."
            )

    def each(function: Callable[..., Any], params: PyTree, *trees: PyTree) -> Any:
        """Apply function(group, leaf, ...) at every leaf of the parameters."""
        spread = jax.tree.map(
            lambda group, part: jax.tree.map(lambda _: group, part), groups, params, is_leaf=_is_group
        )
        return jax.tree.map(function, spread, *trees, is_leaf=_is_group)

    def init(params: PyTree) -> PSGDState:
        return PSGDState(key, each(lambda group, leaf: group.identity(leaf), params, params))

    def update(
        updates: PyTree, state: Any, params: PyTree | None = None, *, gradient: Any = None, **extra: Any
    ) -> tuple[Any, Any]:
        if params is None or gradient is None:
            raise ValueError(
                f"scale_by_psgd: {'params' if params is None else 'gradient'} is None; expected the parameters and the "
                "gradient function. Call update(g, state, params, gradient=jax.grad(loss))."
            )
        following, draw, probing = jax.random.split(state.key, 3)

        def fitted(elements: PyTree) -> Any:
            leaves, structure = jax.tree.flatten(params)
            keys = jax.random.split(probing, len(leaves))
            probes = structure.unflatten(
                [jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves)]
            )
            _, products = jax.jvp(gradient, (params,), (probes,))
            return each(
                lambda group, v, h, q: group_step(group, q, v, h, rate=rate),
                params,
                probes,
                products,
                elements,
            )

        fits = jax.random.uniform(draw) < update_prob
        old = vary_with(state.elements, params, updates, state.key, rate)
        elements = jax.lax.cond(fits, fitted, lambda elements: elements, old)
        scaled = each(lambda group, g, q: group.act_transposed(q, group.act(q, g)), params, updates, elements)
        return scaled, PSGDState(following, elements)

    return optax.GradientTransformationExtraArgs(init, update)


def _is_group(value: Any) -> bool:
    return isinstance(value, Group) and not isinstance(value, type)


def _pair(where: str, v: Array, h: Array) -> tuple[Array, Array]:
    v, h = checks.floats(where, v=v, h=h)
    words = " ".join(map(str, v.shape))
    checks.shapes(where, v=(v, words), h=(h, words))
    return v, h
