"""Projections on equivariant maps and fixed points: explicit averages, planted symmetries, crystals."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.equivariant import reynolds

PERMUTATIONS = np.array(list(itertools.permutations(range(3))))


def permute(g, x):
    return x[g]


def multiply(g, x):
    return g @ x


def matrices_of(permutations):
    return np.eye(permutations.shape[1])[permutations]


def explicit(w, out, into):
    """The group average, an element at a time."""
    return sum(a @ w @ np.linalg.inv(b) for a, b in zip(out, into)) / len(into)


@pytest.mark.full
@pytest.mark.parametrize("dtype, unit", [(np.float32, 1.0), (np.float64, 1e6)])
def test_equals_the_explicit_average(dtype, unit):
    rng = np.random.default_rng(0)
    # A representation that is not orthogonal: permutations in a turned and stretched basis.
    change = np.eye(3) + rng.normal(size=(3, 3)) / 4
    oblique = change @ matrices_of(PERMUTATIONS) @ np.linalg.inv(change)
    w = unit * rng.normal(size=(4, 3, 3))
    elements = {"oblique": oblique.astype(dtype), "perm": PERMUTATIONS}
    project = jax.vmap(reynolds(lambda g, x: g["oblique"] @ x, lambda g, y: permute(g["perm"], y), elements))
    ours = project(w.astype(dtype))
    expected = np.stack([explicit(each, matrices_of(PERMUTATIONS), oblique) for each in w])
    ulp = np.finfo(dtype).eps
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, expected, atol=100 * ulp * unit)
    np.testing.assert_allclose(project(ours), ours, atol=100 * ulp * unit)


@pytest.mark.full
def test_law_orthogonal_projector_whose_penalty_is_zero_on_commuting_maps_alone():
    rng = np.random.default_rng(1)
    project = reynolds(permute, permute, PERMUTATIONS)
    a, b = rng.normal(size=(2, 3, 3))
    np.testing.assert_allclose(np.vdot(project(a), b), np.vdot(a, project(b)), rtol=1e-13)  # self-adjoint
    kept = project(a)
    for g in matrices_of(PERMUTATIONS):
        np.testing.assert_allclose(g @ kept, kept @ g, atol=1e-14)
    # The commutant of S_3 is spanned by 1 and the matrix of ones: on it the penalty is 0, off it it is not.
    commuting = 2 * np.eye(3) - 5 * np.ones((3, 3))
    assert np.sum((commuting - project(commuting)) ** 2) < 1e-28
    assert np.sum((a - kept) ** 2) > 0.1
    rank = np.trace(jax.jacfwd(project)(a).reshape(9, 9))
    np.testing.assert_allclose(rank, 2, rtol=1e-13)


def test_an_invariant_map_is_one_whose_output_no_element_moves():
    project = reynolds(permute, None, PERMUTATIONS)
    np.testing.assert_allclose(project(jnp.array([[1.0, 2.0, 6.0]])), [[3.0, 3.0, 3.0]])


@pytest.mark.full
def test_law_the_gradient_of_a_penalty_is_what_the_projector_leaves():
    w = jnp.asarray(np.random.default_rng(2).normal(size=(3, 3)))
    project = reynolds(permute, permute, PERMUTATIONS)
    slope = jax.grad(lambda w: jnp.sum((w - project(w)) ** 2))(w)
    np.testing.assert_allclose(slope, 2 * (w - project(w)), atol=1e-14)


# Mixed symmetries -----------------------------------------------------------------------------------------------------


@pytest.mark.full
def test_tuned_strengths_come_out_in_the_planted_order():
    """A linear map on 2 x 2 x 2 numbers whose swaps of the axes are broken by 0, 0.1 and 1.

    The strength of each symmetry is the precision of a Gaussian prior on the part of W that breaks it, fitted with W:
    W solves the ridge problem, then strength = dimension / penalty, in turn.
    """
    rng = np.random.default_rng(3)
    grid = np.arange(8).reshape(2, 2, 2)
    projects = [
        jax.jit(reynolds(permute, permute, np.stack([grid.ravel(), np.flip(grid, axis).ravel()])))
        for axis in range(3)
    ]
    residual = [lambda w, p=p: w - p(w) for p in projects]
    matrices = [np.asarray(jax.jacfwd(r)(np.zeros((8, 8)))).reshape(64, 64) for r in residual]
    # Parts that break one symmetry alone: odd under one flip, even under the others.
    alone = []
    for broken in range(3):
        part = rng.normal(size=(8, 8))
        for axis in range(3):
            part = residual[axis](part) if axis == broken else projects[axis](part)
        alone.append(np.asarray(part / np.linalg.norm(part)))
    whole = rng.normal(size=(8, 8))
    for p in projects:
        whole = np.asarray(p(whole))
    planted = whole / np.linalg.norm(whole) + 0.1 * alone[1] + 1.0 * alone[2]
    x = rng.normal(size=(40, 8))
    y = x @ planted.T + 0.02 * rng.normal(size=(40, 8))
    design = np.kron(np.eye(8), x)  # vec of the rows of W
    strengths = np.ones(3)
    for _ in range(30):
        prior = sum(s * m.T @ m for s, m in zip(strengths, matrices)) * 0.02**2
        w = np.linalg.solve(design.T @ design + prior, design.T @ y.T.ravel()).reshape(8, 8)
        penalties = np.array([float(np.sum(np.asarray(r(w)) ** 2)) for r in residual])
        strengths = 32 / np.maximum(penalties, 1e-8)
    assert strengths[0] > 10 * strengths[1] > 100 * strengths[2]
    # And the softly constrained fit is nearer to the truth than the free one and the fully symmetric one.
    free = np.linalg.lstsq(x, y, rcond=None)[0].T
    hard = free
    for p in projects:
        hard = np.asarray(p(hard))
    error = lambda w: np.linalg.norm(w - planted)
    assert error(w) < 0.8 * error(free) < error(hard)


# Crystals -------------------------------------------------------------------------------------------------------------


def move(g, x):
    return g["turn"] @ x + g["shift"]


def tetragonal():
    """The eight operations of the space group P4mm (number 99), whole lattice vectors apart."""
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    mirror = np.diag([-1, 1, 1])
    turns = [np.linalg.matrix_power(quarter, k) @ m for k in range(4) for m in (np.eye(3, dtype=int), mirror)]
    return {"turn": np.array(turns, float), "shift": np.zeros((8, 3))}


def screw():
    """The four operations of P4_1 (number 76), which turn and shift by a quarter of the cell."""
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turns = [np.linalg.matrix_power(quarter, k) for k in range(4)]
    return {"turn": np.array(turns, float), "shift": np.array([[0, 0, k / 4] for k in range(4)])}


def apart(x, y):
    """Distance modulo the lattice."""
    gap = x - y
    return np.abs(gap - np.round(gap)).max(-1)


def orbit(operations, x):
    """The different images of a point in one cell."""
    images = np.asarray(jax.vmap(move, (0, None))(operations, x))
    kept = []
    for image in images:
        if all(apart(image, other) > 1e-9 for other in kept):
            kept.append(image)
    return np.array(kept)


def site_group(operations, x):
    """The operations that fix a point modulo the lattice, with the lattice shift that makes them fix it truly."""
    images = np.asarray(jax.vmap(move, (0, None))(operations, x))
    fixes = apart(images, x) < 1e-9
    back = np.round(x - images)[fixes]
    return {"turn": operations["turn"][fixes], "shift": operations["shift"][fixes] + back}


WYCKOFF = {  # a point of each position, and its multiplicity, from the International Tables
    "P4mm 1a": (tetragonal(), [0.0, 0.0, 0.3], 1),
    "P4mm 1b": (tetragonal(), [0.5, 0.5, 0.3], 1),
    "P4mm 2c": (tetragonal(), [0.5, 0.0, 0.3], 2),
    "P4mm 4d": (tetragonal(), [0.2, 0.2, 0.3], 4),
    "P4mm 4e": (tetragonal(), [0.2, 0.0, 0.3], 4),
    "P4mm 4f": (tetragonal(), [0.2, 0.5, 0.3], 4),
    "P4mm 8g": (tetragonal(), [0.2, 0.1, 0.3], 8),
    "P4_1 4a": (screw(), [0.2, 0.1, 0.3], 4),
}


@pytest.mark.parametrize("name", WYCKOFF)
def test_orbits_and_projections_on_wyckoff_positions(name):
    operations, x, multiplicity = WYCKOFF[name]
    x = np.array(x)
    points = orbit(operations, x)
    assert len(points) == multiplicity
    moved = np.asarray(jax.vmap(jax.vmap(move, (None, 0)), (0, None))(operations, points))
    assert all(min(apart(image, point) for point in points) < 1e-9 for image in moved.reshape(-1, 3))
    # The position is what the site's own operations leave alone.
    operations_of_site = site_group(operations, x)
    assert len(operations_of_site["turn"]) * multiplicity == len(operations["turn"])
    project = jax.jit(reynolds(None, move, operations_of_site))
    np.testing.assert_allclose(project(x), x, atol=1e-15)
    noisy = x + np.random.default_rng(4).normal(size=3) / 20
    settled = np.asarray(project(noisy))
    np.testing.assert_allclose(project(settled), settled, atol=1e-15)
    # Noise that is projected keeps the space group: the orbit has its size still.
    assert len(orbit(operations, settled)) == multiplicity
    if multiplicity < len(operations["turn"]):
        assert len(orbit(operations, noisy)) == len(operations["turn"])


# Calls that are wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: reynolds(None, None, PERMUTATIONS), TypeError, "at least one action"),
        (lambda: reynolds(3, None, PERMUTATIONS), TypeError, "act_in"),  # type: ignore[arg-type]
        (
            lambda: reynolds(None, permute, {"a": np.ones(3), "b": np.ones(4)}),
            ValueError,
            "common first axis",
        ),
        (lambda: reynolds(None, permute, np.ones((0, 3))), ValueError, "common first axis"),
        (lambda: reynolds(None, permute, {}), ValueError, "no leaf"),
        (lambda: reynolds(permute, permute, PERMUTATIONS)(np.ones((3, 4))), ValueError, "act_in"),
        (lambda: reynolds(permute, permute, PERMUTATIONS)(np.ones((4, 3))), ValueError, "act_out"),
        (lambda: reynolds(permute, permute, PERMUTATIONS)(np.ones(3)), ValueError, "rank"),
    ],
)
def test_wrong_calls_say_what_to_mend(call, error, words):
    with pytest.raises(error, match=words):
        call()
