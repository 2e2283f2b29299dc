"""Optax transformations for parameters on manifolds: any inner optimiser, and a prefix tree of manifolds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from geojax._core import checks
from geojax._core.tree import path_name
from geojax.manifolds.base.euclidean import Euclidean
from geojax.manifolds.base.manifold import Manifold
from geojax.optim.arguments import check_learning_rate, check_transformation
from geojax.typing import PyTree, Scalar

Places = PyTree | Callable[[str, Any], Manifold | None]
"""Where the manifolds are: a prefix tree of manifolds and None, or a function of a leaf's path and the leaf."""


def riemannian(
    manifolds: Places,
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
            None and `Euclidean()` stand for ordinary leaves, any number of them. Or a function
            ``manifolds(path, leaf) -> Manifold | None`` of the path of a leaf, such as "layers/0/weight", and the
            leaf, which serves trees of every library alike: dicts, states and parameters of flax, modules of equinox.
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
        places_of("riemannian", manifolds, params)
        return extended.init(params)

    def update(updates: PyTree, state: Any, params: PyTree | None = None, **extra: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(
                "riemannian: params is None; expected the parameters, as a step depends on where it starts. "
                "Call update(gradients, state, params)."
            )
        places = places_of("riemannian", manifolds, params)
        gradients = map_curved(lambda m, p, g: m.riemannian_gradient(p, g), places, params, updates)
        raw, state = extended.update(gradients, state, params, **extra)
        steps = map_curved(lambda m, p, v: m.to_tangent(p, v), places, params, raw)

        def carried(moments: PyTree) -> Any:
            return map_curved(_transport, places, params, moments, steps)

        state = _map_fields(carried, names, state, params)
        return map_curved(_move, places, params, steps), state

    return optax.GradientTransformationExtraArgs(init, update)


def riemannian_sgd(
    learning_rate: Scalar | optax.Schedule,
    manifolds: Places,
    *,
    momentum: Scalar | None = None,
    nesterov: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Stochastic gradient descent on manifolds, with transported momentum.

    m <- momentum m + grad,   p <- retract(p, -learning_rate m),   m <- transport(m);  `optax.sgd` on ordinary leaves.

    Args:
        learning_rate: Step, in units of parameter^2 per unit of loss; a number or an optax schedule.
        manifolds: Prefix tree of manifolds and None, or a function of path and leaf, as for `riemannian`.
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
    """Apply function(manifold or None, *subtrees) at every place of the prefix tree.

    A node of a library around one array, such as `nnx.Param`, is put around the result again.
    """

    def at(manifold: Manifold | None, *subtrees: Any) -> Any:
        structure = jax.tree.structure(subtrees[0])
        around = _is_around_one_leaf(structure) and not is_flat(manifold)
        if not around or any(jax.tree.structure(each) != structure for each in subtrees[1:]):
            return function(manifold, *subtrees)
        return structure.unflatten([function(manifold, *(jax.tree.leaves(each)[0] for each in subtrees))])

    return jax.tree.map(at, manifolds, *values, is_leaf=_is_place)


def places_of(where: str, manifolds: Places, params: PyTree) -> PyTree:
    """The prefix tree of manifolds and None, made by the function of path and leaf if it is one, and checked.

    Raises:
        ValueError, TypeError: If it is no prefix of the parameters, holds something else, or a parameter is no array.
    """
    checks.arrays_only(where, "params", params)
    if callable(manifolds) and not isinstance(manifolds, Manifold | type):
        chosen = lambda path, leaf: manifolds(path_name(path), _leaf_in(leaf))  # noqa: E731
        manifolds = jax.tree_util.tree_map_with_path(chosen, params, is_leaf=_is_box)
    checks.prefix_tree(where, "manifolds", manifolds, _is_place, "manifolds and None", params)
    return manifolds


def _is_around_one_leaf(structure: Any) -> bool:
    """Whether a tree is a node of another library's class around one leaf."""
    kind = structure.node_data()
    plain = (
        kind is None or issubclass(kind[0], dict | list | tuple) or kind[0].__module__.startswith("geojax")
    )
    return not plain and structure.num_leaves == 1


def _is_box(value: Any) -> bool:
    """Whether a value is a node of flax around one array, whose own key is no part of the path."""
    of_flax = type(value).__module__.startswith("flax") and not isinstance(value, Mapping)
    return of_flax and _is_around_one_leaf(jax.tree.structure(value))


def _leaf_in(value: Any) -> Any:
    return jax.tree.leaves(value)[0] if _is_box(value) else value


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
