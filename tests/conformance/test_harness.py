"""The harness bites: each deliberately broken function is caught by the check that is there to catch it."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core import loops, safe
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.results import Status
from tests.conformance.case import Case
from tests.conformance.checks import CHECKS, CORE, FULL
from tests.conformance.conform import failures


@struct
class RootResult:
    """What the examples return."""

    root: jax.Array
    error: jax.Array
    num_steps: jax.Array
    status: jax.Array


def newton_root(a, *, start, tol=1e-13, max_steps=60):
    """Square root of a positive number by Newton's iteration.

    x^2 = a,  x <- (x + a / x) / 2.

    Args:
        a: Positive number, [].
        start: Where to begin, > 0, [].
        tol: Relative change that counts as converged.
        max_steps: Most steps to take.

    Returns:
        RootResult.

    Status: MAX_STEPS, NONFINITE.

    Differentiation: forward mode through the loop; `root` in reverse mode by 1 / (2 sqrt(a)).

    Complexity: O(log log(1 / tol)) steps.

    Example:
        >>> 1 + 1
        2

    References: [Higham2008], chapter 6.
    """

    def step(x):
        following = (x + jax.lax.stop_gradient(a) / x) / 2
        return following, jnp.abs(following - x) / jnp.abs(following)

    done = loops.iterate(step, jax.lax.stop_gradient(start), tol=tol, max_steps=max_steps)
    root = done.state
    # One step of Newton's method from the answer, in which only `a` is differentiated: exact to first order.
    root = jax.lax.stop_gradient(root) + (a - jax.lax.stop_gradient(a)) / (2 * jax.lax.stop_gradient(root))
    return RootResult(root, done.error, done.num_steps, done.status)


def numbers(key, dtype):
    one, two = jax.random.split(key)
    return jax.random.uniform(one, (), dtype, 1, 3), jax.random.uniform(two, (), dtype, 1, 3)


ITERATIVE = Case(
    "newton_root",
    newton_root,
    numbers,
    call=lambda a, start: newton_root(a, start=start),
    differentiable=(0,),
    output=lambda result: result.root,
    edges={"one": lambda dtype: (jnp.ones((), dtype), jnp.ones((), dtype))},
)


@rounded_once
def length(x):
    """Euclidean length of a vector.

    sqrt(sum_i x_i^2), 0 for the zero vector.

    Args:
        x: Vector, [n].

    Returns:
        Its length, [].

    Differentiation: exact; 0 at 0.

    Complexity: O(n).

    Example:
        >>> 1 + 1
        2

    References: none; school geometry needs none.
    """
    return safe.norm(x)


DIRECT = Case(
    "length",
    length,
    lambda key, dtype: (jax.random.normal(key, (5,), dtype),),
    differentiable=(0,),
    edges={"zero": lambda dtype: (jnp.zeros(5, dtype),)},
)


def broken(function, base=DIRECT, **changes):
    """The case of a function that should have been the base's."""
    function.__doc__ = function.__doc__ or base.function.__doc__
    return dataclasses.replace(base, function=function, call=function, **changes)


def nan_gradient(x):
    return jnp.sqrt(jnp.sum(x * x))


def wrong_gradient(x):
    return safe.norm(jax.lax.stop_gradient(x)) + 0.9 * (safe.norm(x) - safe.norm(jax.lax.stop_gradient(x)))


def recompiles(x):
    # Eagerly it works, and compiles again for each value of the first entry.
    scaled = jax.jit(lambda v, factor: v * factor / factor, static_argnums=1)
    return safe.norm(scaled(x, 1 + float(x[0]) ** 2))


def converged_on_nan(a, start):
    # The loop ends when the error is not above the tolerance, and NaN is not.
    def goes_on(carry):
        return jnp.abs(carry[0] ** 2 - a) > 1e-12

    root, steps = jax.lax.while_loop(goes_on, lambda c: ((c[0] + a / c[0]) / 2, c[1] + 1), (start, 0))
    error = jnp.abs(root**2 - a)
    return RootResult(root, error, steps, jnp.where(error > 1e-12, Status.MAX_STEPS, Status.CONVERGED))


def finite_on_nan(x):
    return jnp.sqrt(jnp.nansum(x * x) + 1)


def mutates(x):
    if isinstance(x, np.ndarray):
        x *= 2
    return safe.norm(jnp.asarray(x))


def maps_what_it_is_given(x):
    return safe.norm(jax.vmap(jax.nn.relu)(abs(x)))


def weak(x):
    return safe.norm(x), jax.lax.while_loop(lambda c: c < 1, lambda c: c + 1, 0.0)


def widens(x):
    return safe.norm(x) * jnp.ones(1)[0]


def one_result_for_the_batch(x):
    return jax.vmap(lambda v: v)(safe.norm(x)[None])[0] + _batch_size(x)


@jax.custom_batching.custom_vmap
def _batch_size(x):
    return 0 * x[0]


@_batch_size.def_vmap
def _(size, batched, x):
    return jnp.full(size, float(size), x.dtype), True


def eager_only(x):
    return safe.norm(x) if isinstance(x, jax.core.Tracer) else safe.norm(x) + 1


_calls = itertools.count()


def counts_calls(x):
    tick = jax.pure_callback(
        lambda _: np.asarray(float(next(_calls)), np.float64), jax.ShapeDtypeStruct((), float), x
    )
    return safe.norm(x) + tick.astype(x.dtype)


def no_reference(x):
    """Euclidean length of a vector.

    sqrt(sum_i x_i^2).

    Args:
        x: Vector, [n].

    Returns:
        Its length, [].

    Differentiation: exact.

    Complexity: O(n).

    Example:
        >>> 1 + 1
        2

    References: [Nobody1900].
    """
    return safe.norm(x)


def silent_parameter(x, y=None):
    return safe.norm(x)


def device_dependent(x):
    # jax.lax.axis_index exists only under shard_map and pmap, where it makes items depend on their place.
    try:
        place = jax.lax.axis_index("batch")
    except NameError:
        return safe.norm(x)
    return safe.norm(x) + place


def reverse_only(x):
    return _reverse_only(x)


@jax.custom_vjp
def _reverse_only(x):
    return safe.norm(x)


_reverse_only.defvjp(lambda x: (safe.norm(x), x), lambda x, g: (g * x / safe.norm(x),))


def host_only(x):
    return jnp.asarray(np.linalg.norm(np.asarray(x)))


def knows_its_transformation(x):
    return safe.norm(x) + ("Batch" in type(x).__name__)


@jax.custom_batching.custom_vmap
def _direction(x):
    return x / safe.norm(x)


@_direction.def_vmap
def _(size, batched, x):
    return 0.9 * x / jax.vmap(safe.norm)(x)[:, None], True


@jax.custom_jvp
def _flatter_in_batches(x):
    return safe.norm(x)


@_flatter_in_batches.defjvp
def _(primals, tangents):
    return safe.norm(*primals), jnp.sum(_direction(*primals) * tangents[0])


def flatter_in_batches(x):
    return _flatter_in_batches(x)


def straight_through(x):
    """Round, with the derivative of the identity."""
    return x + jax.lax.stop_gradient(jnp.round(x) - x)


def doubled(tree):
    """Twice the parameters; other leaves pass through."""
    return {
        name: 2 * leaf if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
        for name, leaf in tree.items()
    }


def refuses(tree):
    for name, leaf in tree.items():
        if not (isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.floating)):
            raise TypeError(f"tree: leaf {name!r} is {leaf!r}; expected an array. Take it out.")
    return doubled(tree)


def drops_leaves(tree):
    return {name: leaf for name, leaf in doubled(tree).items() if isinstance(leaf, jax.Array)}


def doubles_floats(tree):
    return {name: 2 * leaf if isinstance(leaf, float) else leaf for name, leaf in doubled(tree).items()}


def crashes_on_leaves(tree):
    return jax.tree.map(jnp.sin, tree)


def refuses_without_a_name(tree):
    if len(tree) > 2:
        raise ValueError("tree: a leaf is no array.")
    return doubled(tree)


TREE = Case(
    "doubled",
    doubled,
    lambda key, dtype: ({"b": jax.random.normal(key, (2,), dtype), "w": jax.random.normal(key, (), dtype)},),
    differentiable=(0,),
    edges={"zero": lambda dtype: ({"b": jnp.zeros(2, dtype), "w": jnp.zeros((), dtype)},)},
    exemptions={"docstring": "the examples above have docstrings"},
)
ROUNDED = Case(
    "straight_through", straight_through, DIRECT.arguments, differentiable=(0,), surrogate=lambda x: x
)

BROKEN = [
    (CORE, "gradient_finite_at_edges", broken(nan_gradient)),
    (FULL, "gradient_finite_at_edges", broken(nan_gradient)),
    (CORE, "gradient_matches_differences", broken(wrong_gradient)),
    (CORE, "gradient_matches_differences", dataclasses.replace(ROUNDED, surrogate=None)),
    (CORE, "gradient_matches_differences", dataclasses.replace(ROUNDED, surrogate=lambda x: -x)),
    (CORE, "nan_is_honest", broken(converged_on_nan, ITERATIVE)),
    (CORE, "nan_is_honest", broken(finite_on_nan)),
    (FULL, "numpy_constants", broken(maps_what_it_is_given)),
    (FULL, "half_precision", broken(safe.norm)),
    (FULL, "inputs_unchanged", broken(mutates)),
    (CORE, "dtypes_kept", broken(weak)),
    (CORE, "dtypes_kept", broken(widens)),
    (CORE, "vmap_equals_loop", broken(one_result_for_the_batch)),
    (FULL, "jit_equals_eager", broken(eager_only)),
    (FULL, "jit_vmap_commute", broken(knows_its_transformation)),
    (CORE, "one_trace", broken(recompiles)),
    (CORE, "eval_shape_works", broken(host_only)),
    (FULL, "pmap_equals_vmap", broken(host_only)),
    (CORE, "same_result", broken(counts_calls)),
    (FULL, "shard_map_equals_vmap", broken(device_dependent)),
    (CORE, "docstring", broken(no_reference)),
    (CORE, "docstring", broken(silent_parameter)),
    (CORE, "forward_equals_reverse", broken(reverse_only)),
    (FULL, "forward_equals_reverse", broken(reverse_only)),
    (CORE, "grad_vmap_equals_loop", broken(flatter_in_batches)),
    (FULL, "grad_vmap_equals_loop", broken(flatter_in_batches)),
    (CORE, "non_array_leaves", broken(drops_leaves, TREE)),
    (CORE, "non_array_leaves", broken(doubles_floats, TREE)),
    (CORE, "non_array_leaves", broken(crashes_on_leaves, TREE)),
    (CORE, "non_array_leaves", broken(refuses_without_a_name, TREE)),
]
TIERS = {"core": CORE, "full": FULL}
EVERY = [
    pytest.param(check, id=f"{tier}-{name}")
    for tier, checks in TIERS.items()
    for name, check in checks.items()
]


@pytest.mark.parametrize(
    "check, case", [pytest.param(tier[c], k, id=f"{k.function.__name__}-{c}") for tier, c, k in BROKEN]
)
def test_a_broken_function_is_caught(check, case):
    with pytest.raises((AssertionError, TypeError)) as caught:
        check(dataclasses.replace(case))
    assert str(caught.value), "the failure says nothing"


@pytest.mark.parametrize("tier", TIERS)
def test_every_check_has_a_function_that_breaks_it(tier):
    assert {check for checks, check, _ in BROKEN if checks is TIERS[tier]} == set(TIERS[tier])


def test_every_check_may_be_named_in_an_exemption():
    assert set(CHECKS) == set(CORE) | set(FULL)


def test_all_failing_checks_are_listed():
    found = failures(broken(widens), CORE)
    assert [message.split(":")[0] for message in found] == ["dtypes_kept"]
    found = failures(broken(nan_gradient), CORE)
    assert [message.split(":")[0] for message in found] == ["gradient_finite_at_edges"]
    found = failures(broken(host_only), CORE)
    assert {"vmap_equals_loop", "one_trace", "eval_shape_works"} <= {m.split(":")[0] for m in found}


def test_a_stale_exemption_and_a_mended_fault_are_failures():
    reason = "once there was a reason"
    seen = []
    case = dataclasses.replace(DIRECT, exemptions={"dtypes_kept": reason})
    (found,) = failures(case, {"dtypes_kept": CORE["dtypes_kept"]}, lambda *pair: seen.append(pair))
    assert "stale" in found
    assert seen == [("exempt", f"dtypes_kept: {reason}")]
    (found,) = failures(DIRECT, {"dtypes_kept": CORE["dtypes_kept"]}, faults={"dtypes_kept": reason})
    assert "known_faults.py" in found
    assert (
        failures(broken(widens), {"dtypes_kept": CORE["dtypes_kept"]}, faults={"dtypes_kept": reason}) == []
    )


@pytest.mark.parametrize("check", EVERY)
@pytest.mark.parametrize("case", [DIRECT, ITERATIVE], ids=lambda case: case.label)
def test_a_right_function_passes(check, case):
    check(case)


def test_a_declared_derivative_is_that_of_its_surrogate():
    CORE["gradient_matches_differences"](ROUNDED)


@pytest.mark.parametrize("function", [doubled, refuses])
def test_leaves_that_pass_or_are_refused_by_name_are_right(function):
    CORE["non_array_leaves"](broken(function, TREE))


@pytest.mark.parametrize("check", EVERY)
def test_checks_do_not_depend_on_what_ran_before(check):
    """Each on a case of its own: nothing that one check leaves behind is needed, or in the way."""
    fresh = dataclasses.replace(DIRECT)
    check(fresh)
    CORE["same_result"](fresh)


def test_no_more_than_two_programs_are_compiled_for_the_core():
    """Beside what makes the arguments, one program of the item and one of the batch."""
    case = dataclasses.replace(DIRECT)
    assert case.tangents and case.points and case.batch
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, _, **__: compiled.append(name) if name.endswith("backend_compile_duration") else None
    )
    for name, check in CORE.items():
        check(case)
        assert len(compiled) <= 2, f"{name} compiled {len(compiled)} programs"
    assert case.programs.traces == 2, "traced once in each precision"
