"""Positive random features: unbiased, with the closed-form error, in the order that the theorem says."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chi

from geojax.transport import orthogonal_directions, random_directions, simplex_directions
from geojax.transport.features import (
    gaussian_features,
    gaussian_frequencies,
    simplex_plus_frequencies,
    softmax_features,
)

D, KEYS = 4, 40_000
DRAWS = {
    "independent": functools.partial(gaussian_frequencies, directions=random_directions),
    "orthogonal": functools.partial(gaussian_frequencies, directions=orthogonal_directions),
    "simplex": functools.partial(gaussian_frequencies, directions=simplex_directions),
    "simplex plus": simplex_plus_frequencies,
}
X = jnp.asarray([[0.5, -0.3, 0.2, 0.4], [0.3, 0.4, -0.2, 0.1]])


@functools.cache
def estimates(name):
    """Estimates of exp(x . y) and of the Gaussian kernel from one block of frequencies, over many keys."""

    @jax.jit
    def run(keys):
        def one(key):
            w = DRAWS[name](key, (D, D))
            soft, gauss = softmax_features(X, w), gaussian_features(X, w)
            return soft[0] @ soft[1], gauss[0] @ gauss[1]

        return jax.vmap(one)(keys)

    return tuple(np.asarray(v) for v in run(jax.random.split(jax.random.key(0), KEYS)))


@pytest.mark.parametrize(
    "name",
    [name if name.startswith("simplex") else pytest.param(name, marks=pytest.mark.full) for name in DRAWS],
)
def test_law_features_are_unbiased(name):
    x, y = X
    wanted = jnp.exp(x @ y), jnp.exp(-jnp.sum((x - y) ** 2) / 2)
    for got, want in zip(estimates(name), wanted):
        assert abs(got.mean() - want) <= 3.5 * got.std() / np.sqrt(KEYS)


def test_error_of_independent_frequencies_is_the_closed_form():
    x, y = X
    error = (estimates("independent")[0] - np.exp(x @ y)) ** 2
    want = (jnp.exp(jnp.sum((x + y) ** 2)) - 1) * jnp.exp(2 * x @ y) / D
    assert abs(error.mean() - want) <= 4 * error.std() / np.sqrt(KEYS)


def coupled_moment(v, cosine):
    """E exp(v . (w_1 + w_2)) for independent chi norms at a fixed angle, averaged over rotations, by quadrature.

    |w_1 + w_2| = s gives  E over rotations = sum_m (v s / 2)^(2m) Gamma(d/2) / (m! Gamma(m + d/2)).
    """
    nodes = (np.arange(400) + 0.5) / 400
    r = chi.ppf(nodes, D)
    square = r[:, None] ** 2 + r**2 + 2 * cosine * r[:, None] * r
    m = np.arange(40)
    terms = np.exp(gammaln(D / 2) - gammaln(m + 1) - gammaln(m + D / 2))
    moments = np.array([((v * v * square / 4) ** k).mean() for k in m])
    return terms @ moments


@pytest.mark.parametrize("name, cosine", [("orthogonal", 0.0), ("simplex", -1 / (D - 1))])
def test_error_of_coupled_frequencies_is_the_closed_form(name, cosine):
    """MSE = e^(-|x|^2 - |y|^2) (e^(2 v^2) - e^(v^2) + (k - 1) (rho - e^(v^2))) / k  with v = |x + y|."""
    x, y = X
    v = float(jnp.linalg.norm(x + y))
    rho = coupled_moment(v, cosine)
    plain = np.exp(2 * v * v) - np.exp(v * v)
    want = np.exp(-float(x @ x + y @ y)) * (plain + (D - 1) * (rho - np.exp(v * v))) / D
    error = (estimates(name)[0] - np.exp(x @ y)) ** 2
    assert abs(error.mean() - want) <= 4 * error.std() / np.sqrt(KEYS) + 1e-3 * want


def test_law_errors_are_ordered():
    """Simplex plus <= simplex <= orthogonal <= independent, each difference beyond noise."""
    x, y = X
    errors = [
        (estimates(name)[0] - np.exp(x @ y)) ** 2
        for name in ("simplex plus", "simplex", "orthogonal", "independent")
    ]
    for small, large in itertools.pairwise(errors):
        noise = np.hypot(small.std(), large.std()) / np.sqrt(KEYS)
        assert small.mean() <= large.mean() + noise
    assert errors[0].mean() < 0.9 * errors[-1].mean()


@pytest.mark.full
@pytest.mark.parametrize(
    "name",
    [name if name.startswith("simplex") else pytest.param(name, marks=pytest.mark.full) for name in DRAWS],
)
def test_law_each_frequency_is_standard_gaussian(name):
    rows = jax.vmap(lambda k: DRAWS[name](k, (D, D))[1])(jax.random.split(jax.random.key(1), 4000))
    np.testing.assert_allclose(rows.mean(0), 0, atol=4.5 / np.sqrt(4000))
    np.testing.assert_allclose(rows.T @ rows / 4000, np.eye(D), atol=4.5 * np.sqrt(2 / 4000))
    radii = np.sum(np.asarray(rows) ** 2, axis=1)
    np.testing.assert_allclose(radii.var(), 2 * D, rtol=0.2)


@pytest.mark.full
def test_simplex_plus_cancels_better_than_the_simplex():
    keys = jax.random.split(jax.random.key(2), 500)
    sums = [
        jnp.mean(jnp.sum(jnp.sum(jax.vmap(lambda k, d=draw: d(k, (D, D)))(keys), axis=1) ** 2, axis=1))
        for draw in (DRAWS["simplex plus"], DRAWS["simplex"])
    ]
    assert sums[0] < 0.2 * sums[1]


def test_bad_input():
    assert jnp.isnan(softmax_features(X.at[0, 0].set(jnp.nan), jnp.eye(D))[0]).all()
    with pytest.raises(ValueError, match=r"frequencies has shape \[4, 3\]"):
        softmax_features(X, jnp.zeros((4, 3)))
    with pytest.raises(TypeError, match="typed random key"):
        gaussian_frequencies(jnp.zeros(2), (2, 2))
    with pytest.raises(ValueError, match="dimension 1; expected at least 2"):
        simplex_directions(jax.random.key(0), (3, 1))
