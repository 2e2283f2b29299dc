"""Optax transformations for parameters on manifolds: any inner optimiser, and a prefix tree of manifolds."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from geojax._core import checks
from geojax.manifolds.base.euclidean import Euclidean
from geojax.manifolds.base.manifold import Manifold
from geojax.optim.arguments import check_learning_rate, check_transformation
from geojax.typing import PyTree, Scalar


def riemannian(
    manifolds: PyTree,
    inner: optax.GradientTransformation,
    *,
    tangents: Sequence[str] = ("mu", "trace", "ema", "acc_grads"),
) -> optax.GradientTransformationExtraArgs:
    """Riemannian form of an optax transformation, for parameters some of which lie on manifolds.

    At a point p with Euclidean gradient g,

        v = to_tangent(p, inner(riemannian_gradient(p, g))),   update = retract(p, v) - p,   m <- transport(p, v, m)

    so that `optax.apply_updates` stays on the manifold. On leaves of Euclidean space the result is exactly that of
    `inner`.

    Args:
        manifolds: Manifolds and None, a prefix tree of the parameters: the subtree below a manifold is one point of it.
            None and `Euclidean()` stand for ordinary leaves, any number of them.
        inner: Any transformation whose updates are added to the parameters, with the learning rate and the sign.
        tangents: Names of the fields of inner's state that hold tangent vectors, such as first moments; these are
            transported. Other fields are kept. Second moments, as of `optax.adam`, are elementwise squares and not
            tangent vectors: transport could make them negative. They precondition in ambient coordinates;
            `riemannian_adam` has second moments that do not depend on coordinates.

    Returns:
        GradientTransformationExtraArgs with the state of `inner`. `update` needs `params`. Put it last in a chain,
        because a rescaled update would leave the manifold; earlier transformations see Euclidean gradients. States that
        hold points, such as averages of parameters, are not handled.

    Raises:
        ValueError: If `manifolds` is not a prefix of the parameters, or `update` is called without them.
        TypeError: If `manifolds` holds anything but manifolds and None, or a parameter is not an array of numbers.

    Differentiation: exact, through the steps.

    Complexity: that of `inner`, one retraction, and one vector transport for each field of tangent vectors.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from geojax.manifolds import Sphere
        >>> from geojax.optim import riemannian
        >>> params = {"axis": jnp.array([0.6, 0.8]), "bias": jnp.zeros(3)}
        >>> optimiser = riemannian({"axis": Sphere(), "bias": None}, optax.adam(0.1))
        >>> state = optimiser.init(params)
        >>> gradients = jax.grad(lambda p: p["axis"][0] + jnp.sum(p["bias"] ** 2))(params)
        >>> updates, state = optimiser.update(gradients, state, params)
        >>> moved = optax.apply_updates(params, updates)
        >>> round(float(jnp.linalg.norm(moved["axis"])), 4)
        1.0

    References: [Bonnabel2013]; [BecigneulGanea2019] for momentum.
    """
    check_transformation("riemannian", "inner", inner)
    extended = optax.with_extra_args_support(inner)
    names = frozenset(tangents)

    def init(params: PyTree) -> Any:
        check_prefix("riemannian", manifolds, params)
        return extended.init(params)

    def update(updates: PyTree, state: Any, params: PyTree | None = None, **extra: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(
                "riemannian: params is None; expected the parameters, as a step depends on where it starts. "
                "Call update(gradients, state, params)."
            )
        check_prefix("riemannian", manifolds, params)
        gradients = map_curved(lambda m, p, g: m.riemannian_gradient(p, g), manifolds, params, updates)
        raw, state = extended.update(gradients, state, params, **extra)
        steps = map_curved(lambda m, p, v: m.to_tangent(p, v), manifolds, params, raw)

        def carried(moments: PyTree) -> Any:
            return map_curved(_transport, manifolds, params, moments, steps)

        state = _map_fields(carried, names, state, params)
        return map_curved(_move, manifolds, params, steps), state

    return optax.GradientTransformationExtraArgs(init, update)


def riemannian_sgd(
    learning_rate: Scalar | optax.Schedule,
    manifolds: PyTree,
    *,
    momentum: Scalar | None = None,
    nesterov: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Stochastic gradient descent on manifolds, with transported momentum.

    m <- momentum m + grad,   p <- retract(p, -learning_rate m),   m <- transport(m);  `optax.sgd` on ordinary leaves.

    Args:
        learning_rate: Step, in units of parameter^2 per unit of loss; a number or an optax schedule.
        manifolds: Prefix tree of manifolds and None, as for `riemannian`.
        momentum: Decay of the momentum in [0, 1), or None for none.
        nesterov: Whether to use Nesterov's form.

    Returns:
        GradientTransformationExtraArgs with the state of `optax.sgd`.

    Raises:
        ValueError, TypeError: As `riemannian`.

    Differentiation: exact, through the steps.

    Complexity: One retraction, and one vector transport if there is momentum.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from geojax.manifolds import Sphere
        >>> from geojax.optim import riemannian_sgd
        >>> optimiser, x = riemannian_sgd(0.5, Sphere(), momentum=0.5), jnp.array([0.6, 0.8])
        >>> state = optimiser.init(x)
        >>> for _ in range(30):
        ...     updates, state = optimiser.update(jnp.array([1.0, 0.0]), state, x)
        ...     x = optax.apply_updates(x, updates)
        >>> print(jnp.round(x[0], 2))
        -1.0

    References: [Bonnabel2013]; [Wang2023] for subspaces and weights in one update.
    """
    check_learning_rate("riemannian_sgd", learning_rate)
    return riemannian(manifolds, optax.sgd(learning_rate, momentum, nesterov))


# The prefix tree, for all transformations of this folder
# ----------------------------------------------------------------


def is_flat(manifold: Manifold | None) -> bool:
    """Whether a place of the prefix tree holds ordinary leaves."""
    return manifold is None or isinstance(manifold, Euclidean)


def map_curved(
    function: Callable[..., Any], manifolds: PyTree, params: PyTree, values: PyTree, *rest: PyTree
) -> Any:
    """Apply function(manifold, point, value, *rest) at every curved place; flat places keep their part of `values`."""

    def at(manifold: Manifold | None, point: Any, value: Any, *others: Any) -> Any:
        return value if is_flat(manifold) else function(manifold, point, value, *others)

    return over_places(at, manifolds, params, values, *rest)


def over_places(function: Callable[..., Any], manifolds: PyTree, *values: PyTree) -> Any:
    """Apply function(manifold or None, *subtrees) at every place of the prefix tree."""
    return jax.tree.map(function, manifolds, *values, is_leaf=_is_place)


def check_prefix(where: str, manifolds: PyTree, params: PyTree) -> None:
    """Raise unless `manifolds` is a prefix tree of manifolds and None, and the parameters are arrays."""
    checks.prefix_tree(where, "manifolds", manifolds, _is_place, "manifolds and None", params)
    checks.arrays_only(where, "params", params)


def _is_place(value: Any) -> bool:
    return value is None or isinstance(value, Manifold)


def _move(manifold: Manifold, point: Any, step: Any) -> Any:
    return jax.tree.map(jnp.subtract, manifold.retract(point, step), point)


def _transport(manifold: Manifold, point: Any, moment: Any, step: Any) -> Any:
    if any(map(_is_masked, jax.tree.leaves(moment, is_leaf=_is_masked))):
        return moment
    return manifold.vector_transport(point, step, moment)


def _map_fields(function: Callable[[Any], Any], names: frozenset[str], state: Any, params: PyTree) -> Any:
    """Apply the function to those subtrees of a state that have the parameters' shapes and lie in such a field."""
    structure, shapes = jax.tree.structure(params), [jnp.shape(p) for p in jax.tree.leaves(params)]

    def like_params(value: Any) -> bool:
        leaves, shape_of_value = jax.tree.flatten(value, is_leaf=_is_masked)
        return shape_of_value == structure and all(
            _is_masked(leaf) or jnp.shape(leaf) == shape for leaf, shape in zip(leaves, shapes)
        )

    def at(path: Any, value: Any) -> Any:
        fields = [key.name for key in path if isinstance(key, jax.tree_util.GetAttrKey)]
        return function(value) if fields and fields[-1] in names and like_params(value) else value

    return jax.tree_util.tree_map_with_path(at, state, is_leaf=like_params)


def _is_masked(value: Any) -> bool:
    return isinstance(value, optax.MaskedNode)
