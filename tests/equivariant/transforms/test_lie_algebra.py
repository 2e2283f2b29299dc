"""Lie algebras read off derivatives: planted ones come back, in other units and turned, and no others do."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import subspace_angles

from geojax.equivariant import lie_equivariance

RNG = np.random.default_rng(0)
V = RNG.normal(size=(3, 8))


def draw(*shape, dtype=np.float64):
    return jnp.asarray(RNG.normal(size=shape), dtype)


def egnn(x):
    gaps = x[:, None] - x[None]
    lengths = jnp.sum(gaps * gaps, -1, keepdims=True)
    v = V.astype(x.dtype)
    return x + jnp.sum(gaps * (jnp.tanh(lengths * v[0] + v[1]) @ v[2])[..., None], 1)


def minkowski(x):
    """Scalar products with the Minkowski metric."""
    eta = jnp.array([1, -1, -1, -1], x.dtype)
    return jnp.tanh((x * eta) @ x.T * 0.3) @ x


def rotations(d):
    found = []
    for i in range(d):
        for j in range(i):
            a = np.zeros((d, d))
            a[i, j], a[j, i] = 1, -1
            found.append(a)
    return np.array(found)


def lorentz():
    eta = np.diag([1.0, -1, -1, -1])
    return rotations(4) @ eta


def rows(a, t, b, s, unit=1.0):
    """Generators as vectors; shifts in a unit, so that an angle between them means something."""
    return np.concatenate(
        [np.reshape(v, (len(a), -1)) for v in (a, np.array(t) / unit, b, np.array(s) / unit)], 1
    )


def of(found, unit=1.0):
    k = int(found.dimension)
    parts = (found.basis_in, found.shift_in, found.basis_out, found.shift_out)
    a, t, b, s = (np.asarray(part, float)[:k] for part in parts)
    return rows(a, t, b, s, unit)


def angle(a, b):
    """The largest principal angle."""
    assert a.shape == b.shape
    return float(np.max(subspace_angles(a.T, b.T)))


def euclidean(d=3):
    turns = rotations(d)
    zero = np.zeros((len(turns), d))
    none, eye = np.zeros((d, d, d)), np.eye(d)
    return np.concatenate([rows(turns, zero, turns, zero), rows(none, eye, none, eye)])


@pytest.mark.full
@pytest.mark.parametrize("dtype, largest", [(np.float64, 1e-6), (np.float32, 1e-3)])
def test_an_egnn_has_rotations_and_translations_and_nothing_else(dtype, largest):
    xs = draw(12, 5, 3, dtype=dtype)
    found = lie_equivariance(egnn, xs)
    assert found.basis_in.dtype == dtype and int(found.dimension) == 6
    assert found.gap > 0.01 and found.error < 100 * np.finfo(dtype).eps
    assert angle(of(found), euclidean()) < largest


@pytest.mark.full
@pytest.mark.parametrize("unit, origin", [(1e-8, 0.0), (1e8, 0.0), (1.0, 1e4)])
def test_law_units_and_origin_do_not_matter(unit, origin):
    xs = draw(12, 5, 3)
    found = lie_equivariance(lambda x: unit * (egnn(x / unit - origin) + origin), unit * (xs + origin))
    assert int(found.dimension) == 6
    assert angle(of(found, unit), euclidean()) < 1e-6


@pytest.mark.full
def test_a_minkowski_network_has_boosts_and_rotations_also_in_oblique_coordinates():
    xs = draw(12, 5, 4)
    change = np.eye(4) + RNG.normal(size=(4, 4)) / 5
    back = np.linalg.inv(change)
    oblique = change @ lorentz() @ back
    zero = np.zeros((6, 4))
    found = lie_equivariance(lambda x: minkowski(x @ back.T) @ change.T, xs @ change.T)
    assert int(found.dimension) == 6 and found.gap > 1e-3
    assert angle(of(found), rows(oblique, zero, oblique, zero)) < 1e-6


@pytest.mark.full
@pytest.mark.parametrize("dtype, largest", [(np.float64, 1e-6), (np.float32, 1e-3)])
def test_invariant_functions(dtype, largest):
    xs = draw(30, 3, dtype=dtype)
    quadratic = np.diag([1.0, 4.0, -1.0])
    found = lie_equivariance(lambda x: jnp.exp(-x @ jnp.asarray(quadratic, dtype) @ x / 9), xs, axis_out=None)
    # A^T Q + Q A = 0
    planted = np.linalg.inv(quadratic) @ rotations(3)
    nothing = np.zeros((3, 0))
    assert int(found.dimension) == 3 and found.basis_out.shape == (12, 0, 0)
    assert angle(of(found), rows(planted, np.zeros((3, 3)), nothing, nothing)) < largest


@pytest.mark.full
def test_the_group_may_move_the_output_in_another_way_and_along_another_axis():
    # A translation of x multiplies exp(x).
    xs = draw(8, 1, 3)
    found = lie_equivariance(lambda x: jnp.exp(x).T, xs, axis=0, axis_out=1)
    assert int(found.dimension) == 1
    planted = rows(np.zeros((1, 1, 1)), np.ones((1, 1)), np.ones((1, 1, 1)), np.zeros((1, 1)))
    assert angle(of(found), planted) < 1e-6


@pytest.mark.full
def test_a_generic_network_has_none_and_a_broken_one_has_what_is_left():
    xs = draw(12, 5, 3)
    w = RNG.normal(size=(3, 3))
    found = lie_equivariance(lambda x: jnp.tanh(x @ w) ** 2 @ w + jnp.tanh(x @ w), xs)
    assert int(found.dimension) == 0 and np.all(found.basis_in == 0) and found.gap > 1e-4
    # A field along the third axis leaves the rotations about it, and all translations.
    field = lambda x: egnn(x) * jnp.array([1.0, 1.0, 2.0]) - x * jnp.array([0.0, 0.0, 1.0])
    left = lie_equivariance(lambda x: egnn(x) + jnp.sin(x[:, 2:]) * jnp.array([0.0, 0.0, 1.0]), xs)
    assert int(left.dimension) == 3  # about the axis, and along the other two
    assert int(lie_equivariance(field, xs).dimension) == 4


@pytest.mark.full
def test_elementary_generators_come_out_as_such_and_a_nearly_kept_symmetry_by_tol():
    xs = draw(20, 3)
    found = lie_equivariance(lambda x: x @ x, xs, axis_out=None)
    basis = np.abs(np.asarray(found.basis_in[:3]))
    assert sorted(np.sum(basis > 1e-9, axis=(1, 2))) == [2, 2, 2]
    np.testing.assert_allclose(np.max(basis, axis=(1, 2)), 0.5**0.5, rtol=1e-9)
    nearly = lambda x: x @ x + 1e-3 * jnp.sin(x[0])
    assert int(lie_equivariance(nearly, xs, axis_out=None).dimension) == 1
    assert int(lie_equivariance(nearly, xs, axis_out=None, tol=1e-2).dimension) == 3


@pytest.mark.full
def test_a_constant_function_and_directions_that_no_sample_reaches_count_as_symmetric():
    xs = draw(20, 3)
    assert int(lie_equivariance(lambda x: 0 * x + 1, xs).dimension) == 12 + 9
    flat = xs * np.array([1.0, 1.0, 0.0])
    found = lie_equivariance(lambda x: x @ x + x[2], flat, axis_out=None)
    # The rotation of the plane, two shifts along the paraboloid x1^2 + x2^2 + x3 = constant, and the three entries of
    # A that multiply the missing coordinate.
    assert int(found.dimension) == 6


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: lie_equivariance(3, jnp.ones((9, 3))), TypeError, "f is a int"),  # type: ignore[arg-type]
        (lambda: lie_equivariance(jnp.sin, jnp.ones(9)), ValueError, "samples with an axis"),
        (lambda: lie_equivariance(jnp.sin, jnp.ones((9, 3)), axis=1), ValueError, "axis is 1"),
        (lambda: lie_equivariance(jnp.sum, jnp.ones((9, 3))), ValueError, "axis_out=None"),
        (lambda: lie_equivariance(jnp.sin, jnp.ones((7, 3))), ValueError, "more samples"),
        (lambda: lie_equivariance(lambda x: (x, x), jnp.ones((9, 3))), TypeError, "one array"),
        (lambda: lie_equivariance(lambda x: x > 0, jnp.ones((9, 3))), TypeError, "bool"),
    ],
)
def test_wrong_calls_say_what_to_mend(call, error, words):
    with pytest.raises(error, match=words):
        call()
