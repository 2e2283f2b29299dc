"""Functions of symmetric matrices against scipy and closed forms, and their derivatives at ties."""

import functools
import re

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from geojax._core.matrices import linalg

FUNCTIONS = {
    "sqrtm": (linalg.sqrtm, scipy.linalg.sqrtm),
    "inv_sqrtm": (linalg.inv_sqrtm, lambda a: np.linalg.inv(scipy.linalg.sqrtm(a))),
    "logm": (linalg.logm, scipy.linalg.logm),
    "expm": (linalg.expm, scipy.linalg.expm),
    "log by quadrature": (lambda a: linalg.sym_fn(a, jnp.log, lambda s: 1 / s), scipy.linalg.logm),
    "tanh by quadrature": (
        lambda a: linalg.sym_fn(a, jnp.tanh, lambda s: 1 - jnp.tanh(s) ** 2),
        lambda a: np.linalg.solve(
            np.eye(3) + scipy.linalg.expm(-2 * a), np.eye(3) - scipy.linalg.expm(-2 * a)
        ),
    ),
}
SPECTRA = {
    "distinct": [0.3, 1.1, 3.7],
    "identity": [1.0, 1.0, 1.0],
    "pair": [0.5, 2.0, 2.0],
    "gap 1e-3": [2.0, 2.001, 3.0],
    "gap 1e-6": [2.0, 2.0 + 1e-6, 3.0],
    "gap 1e-12": [2.0, 2.0 + 1e-12, 3.0],
    "wide": [1e-3, 1e-1, 20.0],
}


def spd(spectrum: list[float], dtype=np.float64, seed: int = 3) -> jax.Array:
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(spectrum), len(spectrum))))[0]
    return jnp.asarray((rotation * np.array(spectrum)) @ rotation.T, dtype)


def sym(seed: int, n: int = 3) -> jax.Array:
    e = np.random.default_rng(seed).normal(size=(n, n))
    return jnp.asarray(e + e.T) / 2


EXACT = {
    "sqrtm": mpmath.sqrt,
    "inv_sqrtm": lambda s: 1 / mpmath.sqrt(s),
    "logm": mpmath.log,
    "expm": mpmath.exp,
    "log by quadrature": mpmath.log,
    "tanh by quadrature": mpmath.tanh,
}


def exact_derivatives(
    name: str, a: np.ndarray, e: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Df(a)[e] and D^2 f(a)[e, h] as difference quotients with 150 digits and steps of 1e-40: right to 1e-30."""
    with mpmath.workdps(150):
        a, e, h = (mpmath.matrix(matrix.tolist()) for matrix in (a, e, h))
        a, step = (a + a.T) / 2, mpmath.mpf(10) ** -40

        def function(matrix: mpmath.matrix) -> mpmath.matrix:
            values, vectors = mpmath.eigsy(matrix)
            return vectors * mpmath.diag([EXACT[name](value) for value in values]) * vectors.T

        here, along_e, along_h = function(a), function(a + step * e), function(a + step * h)
        first = (along_e - here) / step
        second = (function(a + step * e + step * h) - along_e - along_h + here) / step**2
        return tuple(np.array(found.tolist(), float) for found in (first, second))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_matches_scipy(name, spectrum):
    ours, theirs = FUNCTIONS[name]
    a = spd(SPECTRA[spectrum])
    # scipy's logm and sqrtm are Schur methods: backward stable, so they err by the condition number in ulp.
    np.testing.assert_allclose(jax.jit(ours)(a), theirs(np.asarray(a)), rtol=1e-11, atol=1e-11)


@functools.cache
def derivatives(name: str):
    """D f(a)[e], D^2 f(a)[e, h] forward; <w, D f[e]> in reverse; <w, D^2 f[e, h]> in three mixtures: one program."""
    function = FUNCTIONS[name][0]

    @jax.jit
    def compute(a, e, h, w):
        def forward(a):
            return jax.jvp(function, (a,), (e,))[1]

        gradient = jax.grad(lambda a: jnp.vdot(w, function(a)))
        over = jax.jvp(lambda a: jnp.vdot(gradient(a), e), (a,), (h,))[1]
        under = jnp.vdot(jax.grad(lambda a: jnp.vdot(w, forward(a)))(a), h)
        twice = jnp.vdot(jax.grad(lambda a: jnp.vdot(gradient(a), e))(a), h)
        second = jax.jvp(forward, (a,), (h,))[1]
        return forward(a), second, jnp.vdot(gradient(a), e), jnp.stack([over, under, twice])

    return compute


# One worker for each function: the spectra share its compiled derivatives.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in FUNCTIONS]
)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_law_derivatives_match_exact_quotients(name, spectrum):
    a, e, h, w = spd(SPECTRA[spectrum]), sym(1), sym(2), sym(5)
    first, second = exact_derivatives(name, np.asarray(a), np.asarray(e), np.asarray(h))
    forward, forward_forward, reverse, mixed = derivatives(name)(a, e, h, w)
    # Rounding of the matrix moves its smallest eigenvalue by the condition number in ulp, and 1 / a^2 with it.
    ulp = np.finfo(float).eps * max(SPECTRA[spectrum]) / min(SPECTRA[spectrum])
    one, two = 64 * ulp * np.abs(first).max(), 1024 * ulp * np.abs(second).max()
    close = functools.partial(np.testing.assert_allclose, rtol=0)
    close(forward, first, atol=one)
    close(forward_forward, second, atol=two)
    close(reverse, np.vdot(w, first), atol=one * np.abs(w).sum())
    close(mixed, np.full(3, np.vdot(w, second)), atol=two * np.abs(w).sum())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_stays_float32_and_is_accurate(name):
    function, theirs = FUNCTIONS[name]
    a = spd(SPECTRA["pair"], np.float32)
    value, tangent = jax.jit(lambda a, e: jax.jvp(function, (a,), (e,)))(a, sym(1).astype(jnp.float32))
    assert value.dtype == tangent.dtype == jnp.float32
    first, _ = exact_derivatives(name, np.float64(a), np.float64(np.float32(sym(1))), np.zeros((3, 3)))
    np.testing.assert_allclose(value, theirs(np.float64(a)), rtol=0, atol=3e-6 * np.abs(value).max())
    np.testing.assert_allclose(tangent, first, rtol=0, atol=3e-6 * np.abs(first).max())


def test_gradients_are_symmetric_and_vmap():
    stack = np.stack([np.asarray(spd(s)) for s in SPECTRA.values()])
    gradient = jax.grad(lambda a: jnp.sum(linalg.logm(a) * sym(9)))
    gradients, one = jax.jit(jax.vmap(gradient))(stack), jax.jit(gradient)
    np.testing.assert_allclose(gradients, np.swapaxes(gradients, 1, 2), atol=1e-9)
    np.testing.assert_allclose(gradients, np.stack([one(a) for a in stack]), rtol=1e-9, atol=1e-9)


def test_sqrtm_of_rank_one_is_finite_and_indefinite_is_nan():
    u = jnp.arange(1.0, 4.0)
    rank_one = jnp.outer(u, u)
    np.testing.assert_allclose(linalg.sqrtm(rank_one), rank_one / jnp.linalg.norm(u), atol=1e-7)
    assert jnp.all(jnp.isfinite(jax.grad(lambda a: jnp.trace(linalg.sqrtm(a)))(rank_one)))
    assert jnp.any(jnp.isnan(linalg.sqrtm(jnp.diag(jnp.array([1.0, -0.1])))))
    assert not jnp.all(jnp.isfinite(linalg.logm(jnp.diag(jnp.array([1.0, 0.0])))))


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (5, 1)])
@pytest.mark.parametrize("tied", [False, True])
def test_polar_matches_scipy_and_its_derivatives(shape, tied):
    rng = np.random.default_rng(0)
    u, s, v = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    a = (u * (np.full_like(s, 1.3) if tied else s)) @ v
    e, h, w = rng.normal(size=(3, *shape))

    @jax.jit
    def derivatives(a):
        """Value and D f[e]; D^2 f[e, h]; <D^T f w, e>; and <D (D^T f w)[e], h> in reverse."""
        forward = lambda a: jax.jvp(linalg.polar, (a,), (e,))
        along = lambda a: jnp.vdot(jax.grad(lambda a: jnp.vdot(w, linalg.polar(a)))(a), e)
        second = jax.jvp(lambda a: forward(a)[1], (a,), (h,))[1]
        return forward(a), second, along(a), jnp.vdot(jax.grad(along)(a), h)

    (value, first), second, reverse, twice = derivatives(a)
    np.testing.assert_allclose(value, scipy.linalg.polar(a)[0], atol=1e-13)
    # Central differences err by step^2 and by ulp / step: 1e-9 at best for a step of 1e-5.
    step = 1e-5
    ahead, behind = (derivatives(a + s * e)[0][0] for s in (step, -step))
    np.testing.assert_allclose(first, (ahead - behind) / (2 * step), atol=1e-8)
    ahead, behind = (derivatives(a + s * h)[0][1] for s in (step, -step))
    np.testing.assert_allclose(second, (ahead - behind) / (2 * step), atol=1e-7)
    np.testing.assert_allclose(reverse, np.vdot(w, first), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(twice, np.vdot(w, second), rtol=1e-8, atol=1e-11)


def test_polar_refuses_wide():
    with pytest.raises(ValueError, match=r"polar: matrix has shape \[2, 3\].*m >= n"):
        linalg.polar(jnp.ones((2, 3)))


def test_lyapunov_matches_scipy():
    p, right = spd(SPECTRA["wide"]), sym(4)
    want = scipy.linalg.solve_continuous_lyapunov(np.asarray(p), np.asarray(right))
    np.testing.assert_allclose(linalg.lyapunov(p, right), want, rtol=1e-10, atol=1e-9)


def test_least_lyapunov_where_the_equation_is_singular():
    """Against the pseudo-inverse of the Kronecker sum; the derivative, where there is one, is the same function's."""
    rng = np.random.default_rng(5)
    q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    p = q @ np.diag([2.0, 1.0, 0.0, 0.0]) @ q.T
    right = rng.normal(size=(4, 4))
    kronecker = np.kron(np.eye(4), p) + np.kron(p, np.eye(4))
    want = (np.linalg.pinv(kronecker, rcond=1e-12) @ right.ravel()).reshape(4, 4)
    np.testing.assert_allclose(linalg.lyapunov_least(p, right), want, atol=1e-12)
    p = p + np.eye(4)
    np.testing.assert_allclose(linalg.lyapunov_least(p, right), linalg.lyapunov(p, right), rtol=1e-13)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_triangular_inverse_matches_scipy_and_its_derivative(n):
    rng = np.random.default_rng(n)
    lower = jnp.asarray(np.tril(rng.normal(size=(n, n)), -1) + np.diag(rng.uniform(1, 2, n)))
    want = scipy.linalg.solve_triangular(np.asarray(lower), np.eye(n), lower=True)
    np.testing.assert_allclose(linalg.triangular_inverse(lower), want, atol=1e-12)
    e = jnp.tril(jnp.asarray(rng.normal(size=(n, n))))
    step = 1e-6
    ahead, back = (linalg.triangular_inverse(lower + s * e) for s in (step, -step))
    tangent = jax.jvp(linalg.triangular_inverse, (lower,), (e,))[1]
    np.testing.assert_allclose(tangent, (ahead - back) / (2 * step), atol=1e-7)


def test_symmetric_is_the_symmetric_part():
    np.testing.assert_array_equal(linalg.symmetric(jnp.asarray([[1.0, 2.0], [4.0, 3.0]])), [[1, 3], [3, 3]])


def test_inverses_match_numpy_and_factor_one_matrix_at_a_time():
    """Many batches of factorisations in one program waited for each other's threads for ever on two CPU cores."""
    matrices = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    np.testing.assert_allclose(linalg.inverses(jnp.asarray(matrices)), np.linalg.inv(matrices), rtol=1e-9)
    np.testing.assert_allclose(linalg.inverses(jnp.asarray(matrices[0, 0])), np.linalg.inv(matrices[0, 0]))
    factorisations = re.findall(r"f64(\[[\d,]+\]) .*= lu ", str(jax.make_jaxpr(linalg.inverses)(matrices)))
    assert factorisations == ["[4,4]"]
