"""The unit matrix stays as it is under a matrix on one axis and its contragredient on the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import symmetry


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def kinds(f, *inputs, verify=False):
    """The groups of a function of data that are no permutations."""
    found = symmetry.equivariance(f, *inputs, verify=verify)
    if verify:
        assert found.verification.passed and not found.verification.failed
    return {(group.kind, group.size) for group in found.groups.values() if group.kind != "permutation"}


def ridge(X, y):
    return jnp.linalg.solve(X.T @ X + 0.3 * jnp.eye(3), X.T @ y)


CONJUGATION = {("general_linear", 3)}
KNOWN = {
    "ridge": (ridge, ((9, 3), (9,)), {("orthogonal", 9), ("orthogonal", 3), ("scaling", 1)}),
    "conjugation": (lambda a: a + jnp.eye(3), ((3, 3),), CONJUGATION),
    "of a batch": (lambda a: a - jnp.eye(3), ((4, 3, 3),), CONJUGATION),
    "from positions": (lambda a: a + 2.0 * (jnp.arange(3)[:, None] == jnp.arange(3)), ((3, 3),), CONJUGATION),
    "turned round": (lambda a: a + (-jnp.identity(3)).T, ((3, 3),), CONJUGATION),
    "times a number that moves": (
        lambda a, s: a + s * jnp.eye(3),
        ((3, 3), ()),
        {*CONJUGATION, ("scaling", 1)},
    ),
    "orthogonal iterations": (
        lambda a: a @ (jnp.eye(4) - a.T @ a),
        ((3, 4),),
        {("orthogonal", 3), ("orthogonal", 4)},
    ),
    "off the diagonal": (lambda a: a + jnp.eye(3, k=1), ((3, 3),), set()),
    "times numbers that differ": (lambda a: a + jnp.eye(3) * jnp.arange(3.0), ((3, 3),), set()),
    "entry by entry": (lambda a: jnp.maximum(a, jnp.eye(3)), ((3, 3),), set()),
    "of another pair of axes": (
        lambda a: jnp.einsum("aab->ab", a) + jnp.eye(3),
        ((3, 3, 3),),
        set(),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_groups_beside_a_unit_matrix(name):
    f, shapes, expected = KNOWN[name]
    assert kinds(f, *(drawn(*shape, seed=k) for k, shape in enumerate(shapes))) == expected


@pytest.mark.full
@pytest.mark.parametrize("name", [name for name, (_, _, expected) in KNOWN.items() if expected])
def test_they_hold_in_numbers(name):
    f, shapes, expected = KNOWN[name]
    inputs = [drawn(*shape, seed=k) for k, shape in enumerate(shapes)]
    assert kinds(f, *inputs, verify=True) == expected


def test_parameters_beside_a_unit_matrix():
    """A residual block written as one matrix: I + U V has the gauge of its inner width."""
    params = {"u": drawn(4, 3), "v": drawn(3, 4, seed=1)}
    spec = symmetry.infer(
        lambda p, x: x @ (jnp.eye(4) + p["u"] @ p["v"]), params, jax.ShapeDtypeStruct((5, 4), jnp.float64)
    )
    assert {(group.kind, group.size) for group in spec.groups.values()} == {
        ("permutation", 3),
        ("general_linear", 3),
    }
