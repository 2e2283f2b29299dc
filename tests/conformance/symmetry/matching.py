"""Cases of the matchers; `cases_symmetry` takes them into its list."""

import jax
import jax.numpy as jnp

from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.groups import PERMUTATION, Group
from geojax.symmetry.action.layout import Block, Part
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.matching.across_widths import width_matching
from geojax.symmetry.matching.by_activations import activation_matching
from geojax.symmetry.matching.by_weights import weight_matching
from geojax.symmetry.matching.frank_wolfe import frank_wolfe_matching
from geojax.symmetry.matching.sinkhorn import sinkhorn_matching
from geojax.symmetry.matching.straight_through import straight_through_matching
from geojax.symmetry.matching.universe import universe_matching
from geojax.symmetry.units.pairs import bipartite_match, semi_match, sparse_unit_map, unit_correlation
from geojax.symmetry.units.spectral import spectral_unit_match
from tests.conformance.case import Case

SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")
SIZES = {"w": (2, 3), "v": (3, 2)}


def hidden(size, axis, name):
    return Part(size, axis, name, ((name, 1),) if name else ())


def mlp_spec():
    """The group of x -> f(x; w, v), "w", of 3 hidden units; as small as can be, since each check compiles anew."""
    names = {"v": ("w", ""), "w": ("", "w")}
    leaves = [
        Leaf(
            path,
            SIZES[path],
            Block(tuple(hidden(n, i, name) for i, (n, name) in enumerate(zip(SIZES[path], axes)))),
        )
        for path, axes in names.items()
    ]
    return SymmetrySpec((("w", Group(PERMUTATION, 3, axis="w")),), tuple(leaves))


def draw(key, dtype):
    keys = jax.random.split(key, len(SIZES))
    return {name: jax.random.normal(k, shape, dtype) for k, (name, shape) in zip(keys, SIZES.items())}


def pair(key, dtype):
    return draw(jax.random.fold_in(key, 0), dtype), draw(jax.random.fold_in(key, 1), dtype)


def match(params_a, params_b, key):
    return weight_matching(mlp_spec(), params_a, params_b, key=key)


def zero_models(dtype):
    params = jax.tree.map(jnp.zeros_like, draw(jax.random.key(0), dtype))
    return params, params, jax.random.key(1)


def apply(params, x):
    return jax.nn.sigmoid(x @ params["w"]) @ params["v"]


def drawn_loss(params, key):
    """Squared outputs on a batch that the key draws."""
    x = jax.random.normal(key, (4, 2), params["w"].dtype)
    return jnp.mean(jnp.square(apply(params, x) - jnp.sum(x, axis=1, keepdims=True)))


SEARCH = dict.fromkeys(SMOOTH, "documented as not differentiated: it searches with gradients of its own")
CHOICE = dict.fromkeys(SMOOTH, "documented as not differentiated: it chooses partners")


def through_the_interior(params_a, params_b):
    return frank_wolfe_matching(mlp_spec(), params_a, params_b, tol=1e-2, max_steps=5)


def by_activations(params_a, params_b, x):
    return activation_matching(mlp_spec(), apply, params_a, params_b, x)


def together(params_a, params_b, key):
    return universe_matching(mlp_spec(), [params_a, params_b], key=key)


REST = {"w": jnp.arange(3)}  # a start, so that no search for one is compiled beside the method


def straight_through(params_a, params_b, key):
    return straight_through_matching(
        mlp_spec(), drawn_loss, params_a, params_b, key=key, init=REST, num_steps=2
    )


def softly(params_a, params_b, key):
    return sinkhorn_matching(mlp_spec(), drawn_loss, params_a, params_b, key=key, init=REST, num_steps=2)


def units(key, dtype):
    return tuple(jax.random.normal(jax.random.fold_in(key, i), (12, n), dtype) for i, n in enumerate((4, 5)))


def dead_unit(dtype):
    x, y = units(jax.random.key(0), dtype)
    return x.at[:, 0].set(2), y


PAIR_AND_KEY = {
    "arguments": lambda key, dtype: (*pair(key, dtype), jax.random.fold_in(key, 2)),
    "differentiable": (0, 1),
    "output": lambda result: result.objective,
    "edges": {"all weights zero": zero_models},
}

CASES = [
    Case("weight_matching", weight_matching, call=match, **PAIR_AND_KEY),
    Case(
        "width_matching",
        width_matching,
        call=lambda a, b, key: width_matching(mlp_spec(), mlp_spec(), a, b, key=key),
        **PAIR_AND_KEY,
    ),
    Case(
        "activation_matching",
        activation_matching,
        lambda key, dtype: (*pair(key, dtype), jax.random.normal(key, (4, 2), dtype)),
        call=by_activations,
        differentiable=(0, 1),
        output=lambda result: result.objective,
        edges={"all weights zero": lambda dtype: (*zero_models(dtype)[:2], jnp.ones((4, 2), dtype))},
        nan_arguments=(2,),
    ),
    Case("universe_matching", universe_matching, call=together, **PAIR_AND_KEY),
    Case(
        "straight_through_matching",
        straight_through_matching,
        lambda key, dtype: (*pair(key, dtype), jax.random.fold_in(key, 2)),
        call=straight_through,
        exemptions=SEARCH,
    ),
    Case(
        "sinkhorn_matching",
        sinkhorn_matching,
        lambda key, dtype: (*pair(key, dtype), jax.random.fold_in(key, 2)),
        call=softly,
        exemptions=SEARCH,
    ),
    Case(
        "frank_wolfe_matching",
        frank_wolfe_matching,
        pair,
        call=through_the_interior,
        differentiable=(0, 1),
        output=lambda result: result.objective,
        edges={"all weights zero": lambda dtype: zero_models(dtype)[:2]},
    ),
    Case(
        "unit_correlation",
        unit_correlation,
        units,
        differentiable=(0, 1),
        edges={"a unit that never changes": dead_unit},
    ),
    Case(
        "bipartite_match",
        bipartite_match,
        lambda key, dtype: (jax.random.normal(key, (4, 5), dtype),),
        exemptions={**CHOICE, "nan_is_honest": "integers only; every partner is -1"},
    ),
    Case(
        "semi_match",
        semi_match,
        lambda key, dtype: (jax.random.normal(key, (4, 5), dtype),),
        exemptions={**CHOICE, "nan_is_honest": "integers only, no status"},
    ),
    Case(
        "sparse_unit_map",
        sparse_unit_map,
        lambda key, dtype: (*units(key, dtype), jnp.asarray(0.1, dtype)),
        exemptions=dict.fromkeys(SMOOTH, "differentiable forward only, through steps whose number varies"),
        call=lambda x, y, penalty: sparse_unit_map(x, y, penalty=penalty, tol=1e-6),
        tolerance=1e-4,
    ),
    Case(
        "spectral_unit_match",
        spectral_unit_match,
        lambda key, dtype: (jax.random.uniform(key, (6, 5), dtype), jax.random.fold_in(key, 1)),
        exemptions=CHOICE,
        call=lambda correlation, key: spectral_unit_match(correlation, num_groups=2, key=key),
        tolerance=1e-9,
    ),
]
