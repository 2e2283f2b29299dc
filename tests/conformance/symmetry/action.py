"""Cases of symmetry: one small network with all that the action has to respect, and the functions around it."""

import functools

import jax
import jax.numpy as jnp

from geojax import symmetry
from geojax.symmetry.action.groups import PERMUTATION, SCALING
from tests.conformance.case import Case, exempt_all

SHAPES = {"w": (3, 5), "b": (5,), "q": (5, 2, 3), "k": (5, 2, 3), "v": (5, 2, 3), "o": (2, 3, 2)}
X = jnp.linspace(-1.0, 1.0, 24).reshape(2, 4, 3)


def network(params, x):
    """A relu layer and attention with two heads: a permutation with scalings, a family, and two linear gauges."""
    h = jax.nn.relu(x @ params["w"] + params["b"])
    q, k, v = (jnp.einsum("btd,dhc->bthc", h, params[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("bthc,bshc->bhts", q, k))
    return jnp.einsum("bhts,bshc,hco->bto", weights, v, params["o"])


def draw(key, dtype):
    keys = jax.random.split(key, len(SHAPES))
    return {name: jax.random.normal(k, shape, dtype) for k, (name, shape) in zip(keys, SHAPES.items())}


@functools.cache
def spec():
    return symmetry.infer(network, draw(jax.random.key(0), jnp.float64), X, verify=False)


def element(key, dtype):
    drawn = symmetry.random_element(spec(), key)
    return {n: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a for n, a in drawn.items()}


def pair(key, dtype):
    return element(jax.random.fold_in(key, 0), dtype), element(jax.random.fold_in(key, 1), dtype)


def no_units(dtype):
    return (jax.tree.map(jnp.zeros_like, draw(jax.random.key(0), dtype)),)


HOST = exempt_all("reads a program on the host and returns static data; it is not a function of arrays")
SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")
ELEMENT = dict.fromkeys(
    SMOOTH, "acts on group elements, whose permutations have no derivative; the rest is products"
)
CHOICE = dict.fromkeys(SMOOTH, "documented as not differentiated: it orders units or counts dimensions")
DISCRETE = "the answer is an integer, so it has no dtype to keep and no derivative"
ORDERS = "the order of the units is held fixed; a NaN weight leaves a permutation, which is what it returns"

CASES = [
    Case(
        "act",
        symmetry.act,
        lambda key, dtype: (element(key, dtype), draw(jax.random.fold_in(key, 9), dtype)),
        call=lambda g, params: symmetry.act(spec(), g, params),
        differentiable=(1,),
        edges={"zero parameters": lambda dtype: (element(jax.random.key(0), dtype), *no_units(dtype))},
    ),
    Case(
        "compose",
        symmetry.compose,
        pair,
        call=lambda g, h: symmetry.compose(spec(), g, h),
        exemptions=ELEMENT,
    ),
    Case(
        "inverse",
        symmetry.inverse,
        lambda key, dtype: (element(key, dtype),),
        call=lambda g: symmetry.inverse(spec(), g),
        exemptions=ELEMENT,
    ),
    Case(
        "random_element",
        symmetry.random_element,
        lambda key, dtype: (key,),
        call=lambda key: symmetry.random_element(spec(), key),
        exemptions=dict.fromkeys(
            ("dtypes_kept", "nan_is_honest", *SMOOTH), "takes a key alone, no floating argument"
        ),
    ),
    Case(
        "identity",
        symmetry.identity,
        lambda key, dtype: (),
        call=lambda: symmetry.identity(spec()),
        exemptions=exempt_all("a constant of the spec: it takes no array"),
    ),
    Case(
        "collect",
        symmetry.collect,
        lambda key, dtype: (draw(key, dtype), X.astype(dtype)),
        call=lambda params, x: symmetry.collect(spec(), network, params, x),
        differentiable=(0,),
        edges={"zero parameters": lambda dtype: (*no_units(dtype), X.astype(dtype))},
        nan_arguments=(1,),
    ),
    Case(
        "rule",
        symmetry.rule,
        lambda key, dtype: (),
        call=lambda: symmetry.rule("a primitive of a test")(lambda run, eqn, x: x),
        exemptions=exempt_all("enters a rule in a table on the host; it takes no array"),
    ),
    Case(
        "check_rule",
        symmetry.check_rule,
        lambda key, dtype: (jnp.ones((4, 3), dtype),),
        call=lambda x: symmetry.check_rule(jnp.tanh, x, key=jax.random.key(0)),
        exemptions=HOST,
    ),
    Case(
        "min_norm_rescaling",
        symmetry.min_norm_rescaling,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: symmetry.min_norm_rescaling(spec(), params, tol=1e-5),
        exemptions=dict.fromkeys(SMOOTH, "forward mode through a while loop only, as documented"),
    ),
    Case(
        "canonicalize",
        symmetry.canonicalize,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: symmetry.canonicalize(spec(), params, tol=1e-5),
        exemptions=dict.fromkeys(SMOOTH, "forward mode through a while loop only, as documented"),
    ),
    Case(
        "canonical_permutation",
        symmetry.canonical_permutation,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: symmetry.canonical_permutation(spec(), params),
        exemptions={"nan_is_honest": ORDERS, **CHOICE},
    ),
    Case(
        "fold_scales",
        symmetry.fold_scales,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: symmetry.fold_scales(spec(), params),
        differentiable=(0,),
        edges={"zero parameters": no_units},
    ),
    Case(
        "functional_dimension",
        symmetry.functional_dimension,
        lambda key, dtype: (draw(key, dtype), X.astype(dtype)),
        call=lambda params, x: symmetry.functional_dimension(network, params, x),
        exemptions={"nan_is_honest": DISCRETE, **CHOICE},
    ),
    Case(
        "symmetry_dimension",
        symmetry.symmetry_dimension,
        lambda key, dtype: (draw(key, dtype), X.astype(dtype)),
        call=lambda params, x: symmetry.symmetry_dimension(network, params, x),
        exemptions={"nan_is_honest": DISCRETE, **CHOICE},
    ),
    Case(
        "hidden_symmetry_defect",
        symmetry.hidden_symmetry_defect,
        lambda key, dtype: (draw(key, dtype), X.astype(dtype)),
        call=lambda params, x: symmetry.hidden_symmetry_defect(spec(), network, params, x),
        exemptions={"nan_is_honest": DISCRETE, **CHOICE},
    ),
    Case(
        "orbit_dimension",
        symmetry.orbit_dimension,
        lambda key, dtype: (draw(key, dtype),),
        call=lambda params: symmetry.orbit_dimension(spec(), params),
        exemptions={"nan_is_honest": DISCRETE, **CHOICE},
    ),
    Case("infer", symmetry.infer, lambda key, dtype: (), exemptions=HOST),
    Case("verify", symmetry.verify, lambda key, dtype: (), exemptions=HOST),
    Case("permutation_count", symmetry.permutation_count, lambda key, dtype: (), exemptions=HOST),
]

DATA = {
    "AsymmetricMask": "what asymmetric_mask returns",
    "BreakdownResult": "what breakdown returns",
    "FeatureMergingResult": "what merge_equivalent_units returns",
    "Group": "static data: a kind, a size and parents",
    "MatchingResult": "what the matchers return",
    "RescalingResult": "what min_norm_rescaling returns",
    "SparseMapResult": "what sparse_unit_map returns",
    "SymmetrySpec": "static data: what infer returns",
    "TeleportResult": "what teleport returns",
    "UnitGroupsResult": "what spectral_unit_match returns",
    "VerifyResult": "static data: what verify returns",
}

assert {PERMUTATION, SCALING} <= {group.kind for group in spec().groups.values()}
