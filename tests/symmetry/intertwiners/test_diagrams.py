"""diagrams: counts, independence, and the groups they commute with, against dense linear algebra and enumeration."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from geojax.symmetry import diagrams

KINDS = (
    "permutation",
    "sign",
    "scaling",
    "orthogonal",
    "general_linear",
    "rotation",
    "symplectic",
    "alternating",
)


def parity(perm):
    return (-1) ** sum(a > b for a, b in itertools.combinations(perm, 2))


def element(kind, n, rng):
    """A random matrix of the group."""
    matrix = np.eye(n)[rng.permutation(n)]
    turn = np.linalg.qr(rng.normal(size=(n, n)))[0] * rng.choice([-1, 1], n)
    if kind == "alternating" and np.linalg.det(matrix) < 0:
        matrix[[0, 1]] = matrix[[1, 0]]
    if kind == "sign":
        matrix = matrix * rng.choice([-1, 1], n)
    if kind == "scaling":
        matrix = matrix * np.exp(rng.normal(size=n) / 2)
    if kind in ("orthogonal", "rotation"):
        matrix = turn
    if kind == "rotation" and np.linalg.det(turn) < 0:
        matrix[0] *= -1
    if kind == "general_linear":
        matrix = turn * np.exp(rng.normal(size=n) / 3) @ np.linalg.qr(rng.normal(size=(n, n)))[0]
    if kind == "symplectic":
        half = rng.normal(size=(n, n))
        matrix = scipy.linalg.expm(0.3 * form(n) @ (half + half.T))
    return matrix


def form(n):
    return np.block(
        [[np.zeros((n // 2, n // 2)), np.eye(n // 2)], [-np.eye(n // 2), np.zeros((n // 2, n // 2))]]
    )


def power(matrix, count):
    result = np.ones((1, 1))
    for _ in range(count):
        result = np.kron(result, matrix)
    return result


def dense(diagram):
    """The matrix of a diagram, entry by entry, from its definition."""
    n, points = diagram.size, diagram.num_out + diagram.num_in
    matrix = np.zeros((n,) * points)
    for index in itertools.product(range(n), repeat=points):
        value = 1.0
        for block in diagram.blocks:
            one_side = all(p < diagram.num_out for p in block) or all(p >= diagram.num_out for p in block)
            if diagram.skew and one_side:
                value *= form(n)[index[block[0]], index[block[1]]]
            elif len({index[p] for p in block}) > 1:
                value = 0
        if diagram.head and value:
            legs = [index[diagram.blocks[number][0]] for number in diagram.head]
            rest = [i for i in range(n) if i not in legs]
            value *= parity([*legs, *rest]) if len(set(legs)) == len(legs) else 0
        matrix[index] = value
    return matrix.reshape(n**diagram.num_out, n**diagram.num_in)


def invariants(kind, n, points, rng):
    """Dimension of the tensors [n]^points that random elements fix, from singular values; in for out is the dual."""
    gram = np.zeros((n**points, n**points))
    for _ in range(6):
        moved = power(element(kind, n, rng), points) - np.eye(n**points)
        gram += moved.T @ moved
    values = np.linalg.eigvalsh(gram)
    return int(np.sum(values < 1e-9 * max(1, values[-1])))


@pytest.mark.parametrize("kind", KINDS)
def test_diagrams_are_a_basis_of_the_maps_that_commute(kind):
    rng = np.random.default_rng(0)
    for n, (k, l) in itertools.product((1, 2, 3), ((0, 0), (1, 1), (1, 2), (2, 2), (0, 3))):
        if (kind == "symplectic" and n % 2) or n ** (k + l) > 100:
            continue
        drawn = diagrams(kind, l, k, n)
        matrices = np.array([dense(d) for d in drawn]).reshape(len(drawn), n**l, n**k)
        rank = np.linalg.matrix_rank(matrices.reshape(len(drawn), -1)) if drawn else 0
        assert rank == len(drawn)
        for _ in range(3):
            g = element(kind, n, rng)
            scale = np.abs(power(g, max(k, l))).max()
            np.testing.assert_allclose(
                power(g, l) @ matrices, matrices @ power(g, k), atol=1e-12 * max(1, scale)
            )
        if kind not in ("scaling", "general_linear"):  # for which the dual is another representation
            assert len(drawn) == invariants(kind, n, k + l, rng)


def test_counts_are_those_of_the_papers():
    stirling = lambda m, t: (
        sum((-1) ** (t - i) * math.comb(t, i) * i**m for i in range(t + 1)) // math.factorial(t)
    )
    for n, m in itertools.product((1, 2, 3, 4, 6), (0, 1, 2, 4, 5)):
        found = len(diagrams("permutation", m // 2, m - m // 2, n))
        assert found == sum(stirling(m, t) for t in range(min(n, m) + 1))
        fixed = [sum(p[i] == i for i in range(n)) for p in itertools.permutations(range(n))]
        assert found == sum(f**m for f in fixed) // len(fixed)  # Burnside
    for n, m in ((4, 8), (3, 6), (5, 7)):
        expected = math.prod(range(m - 1, 0, -2)) if m % 2 == 0 else 0
        assert len(diagrams("orthogonal", m // 2, m - m // 2, n)) == expected  # (m - 1)!!
    assert len(diagrams("orthogonal", 3, 3, 2)) == math.comb(6, 3) // 2  # O(2): dependent beyond n = m / 2
    assert len(diagrams("symplectic", 3, 3, 2)) == 5  # Sp(2) = SL(2): a Catalan number
    assert len(diagrams("general_linear", 3, 3, 2)) == 5
    assert len(diagrams("alternating", 1, 1, 3)) == 3
    assert len(diagrams("alternating", 2, 2, 5)) == 16
    for n, m in ((2, 3), (3, 2), (4, 3), (5, 4), (5, 3)):
        even = [p for p in itertools.permutations(range(n)) if parity(p) > 0]
        mean = sum(sum(p[i] == i for i in range(n)) ** m for p in even) / len(even)
        assert len(diagrams("alternating", m - m // 2, m // 2, n)) == mean


def test_orbits_and_diagrams_are_related_by_a_triangular_matrix():
    n, points = 3, 4
    drawn = diagrams("permutation", 2, 2, n)
    orbits = []
    for diagram in drawn:
        exact = np.zeros((n,) * points)
        for index in itertools.product(range(n), repeat=points):
            same = {tuple(p for p in range(points) if index[p] == i) for i in set(index)}
            exact[index] = same == set(diagram.blocks)
        orbits.append(exact.reshape(n**2, n**2))
    refines = lambda a, b: all(any(set(x) <= set(y) for y in b.blocks) for x in a.blocks)
    zeta = np.array([[refines(a, b) for b in drawn] for a in drawn], float)
    np.testing.assert_array_equal(np.einsum("ab,bij->aij", zeta, orbits), [dense(d) for d in drawn])
    moebius = np.linalg.inv(zeta)
    np.testing.assert_allclose(moebius, np.round(moebius), atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_apply_is_the_dense_matrix(kind):
    for n, (k, l) in ((3, (2, 2)), (2, (3, 1)), (2, (1, 3)), (4, (1, 1))):
        if kind == "symplectic" and n % 2:
            n = 2
        drawn = diagrams(kind, l, k, n)
        if not drawn:
            continue
        matrices = jax.jit(lambda drawn=drawn: [d.matrix() for d in drawn])()
        for diagram, matrix in zip(drawn, matrices, strict=True):
            np.testing.assert_array_equal(matrix, dense(diagram), err_msg=str(diagram))


def test_the_cross_product_is_among_the_rotations():
    a, b = np.random.default_rng(0).normal(size=(2, 3))
    (cross,) = diagrams("rotation", 1, 2, 3)
    np.testing.assert_allclose(cross.apply(np.outer(a, b)), np.cross(a, b), rtol=1e-12)


def test_a_tensor_of_another_shape_is_refused():
    (trace,) = diagrams("orthogonal", 0, 2, 3)
    with pytest.raises(ValueError, match=r"v has shape \(3, 2\), expected 2 axes of length 3"):
        trace.apply(jnp.ones((3, 2)))
    with pytest.raises(ValueError, match="expected one of 'permutation'"):
        diagrams("unitary", 1, 1, 3)
    with pytest.raises(ValueError, match="expected an even one"):
        diagrams("symplectic", 1, 1, 3)
    with pytest.raises(ValueError, match="size"):
        diagrams("orthogonal", 1, 1, 0)
