"""Symmetric Single Index Learning [Zweig2024].

Claim: a function of a set of points on the circle that is a link of one combination of power sums is learnt by
    gradient flow, which recovers the combination. Power sums behave as independent complex Gaussians where the points
    are eigenvalues of Haar unitary matrices, so that powers of the link are orthogonal, and the first power in the
    link (its information exponent) sets how long the flow takes.

Differs: the flow climbs the correlation of target and network, whose link is the target's, on the unit sphere; the
    paper also trains the link. The measure is 8000 matrices of 24 x 24, and power sums of their eigenvalues are
    traces of their powers; links have their exponent's power and a little of the next. Directions have 8 power sums,
    of which 4 are planted. All three links see the same start, turned so that its product with the planted direction
    is positive, and an exponent's time is up when this product is one half.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import roots_laguerre

from examples.papers.harness import Claim, Size, above, below, in_turn

POWERS, POINTS, SAMPLES = 8, 24, 8000
EXPONENTS = (1, 2, 3)
STEP = 0.05


def power_sums(x):
    """Of points on the circle [..., n]: their first power sums, of unit variance under the Haar measure."""
    powers = np.arange(1, POWERS + 1)
    return np.sum(x[..., None] ** powers, -2) / np.sqrt(powers)


def haar(key, shape):
    """Haar unitary matrices: the Q of Gaussian ones, its phases those of R taken off."""
    q, r = jnp.linalg.qr(jax.random.normal(key, shape, complex))
    phases = jnp.diagonal(r, axis1=-2, axis2=-1)
    return q * (phases / jnp.abs(phases))[..., None, :]


def traces(u):
    """The power sums of the eigenvalues of matrices, without these."""
    products = [u]
    for _ in range(POWERS // 2 - 1):
        products.append(products[-1] @ u)
    half = POWERS // 2
    low = [jnp.trace(product, axis1=-2, axis2=-1) for product in products]
    high = [jnp.einsum("...ij,...ji->...", products[-1], product) for product in products]
    return jnp.stack(low + high, -1) / jnp.sqrt(jnp.arange(1, 2 * half + 1))


def link(exponent, z):
    """A link of unit variance whose first power is the exponent: this power and the next, as orthogonal parts."""
    first, second = (z**n / np.sqrt(float(np.prod(np.arange(1, n + 1)))) for n in (exponent, exponent + 1))
    return 0.96 * first + 0.28 * second


def information_exponent(function):
    """The first power with which a function of a complex Gaussian correlates, by quadrature."""
    squares, weights = roots_laguerre(12)
    angles = 2 * np.pi * np.arange(24) / 24
    z = np.sqrt(squares)[:, None] * np.exp(1j * angles)
    values = function(z)
    parts = [abs(np.sum(weights[:, None] / 24 * values * z.conj() ** n)) for n in range(1, 8)]
    return 1 + int(np.argmax(np.array(parts) > 1e-9))


def cosine(v, w):
    """The modulus of the inner product of unit vectors: neither target nor network knows a common phase."""
    return jnp.abs(jnp.vdot(v, w))


def flows(steps):
    """A function of a key: cosines with the planted direction along the flows from one start, and the measure.

    The cosines are [exponents, steps]. Of the measure: 50 matrices, their traces, and how far from orthogonal are
    power sums, and powers of the planted combination of them.
    """

    def one(key):
        draw, plant, start = jax.random.split(key, 3)
        matrices = haar(draw, (SAMPLES, POINTS, POINTS))
        features = traces(matrices)
        w = jax.random.normal(plant, (POWERS,), complex) * (jnp.arange(POWERS) < 4)
        w /= jnp.linalg.norm(w)
        v = jax.random.normal(start, (POWERS,), complex)
        v *= jnp.exp(1j * jnp.angle(jnp.vdot(v, w))) / jnp.linalg.norm(v)

        def flow(exponent):
            target = link(exponent, features @ w.conj())

            def correlation(v):
                return jnp.real(jnp.vdot(target, link(exponent, features @ v.conj()))) / SAMPLES

            def step(v, _):
                slope = jax.grad(correlation)(v).conj()
                moved = v + STEP * (slope - jnp.real(jnp.vdot(v, slope)) * v)
                return moved / jnp.linalg.norm(moved), cosine(v, w)

            return jax.lax.scan(step, v, length=steps)[1]

        z = features @ w.conj()
        powers = jnp.stack([z**n / jnp.linalg.norm(z**n) for n in EXPONENTS])
        gram = jnp.abs(features.T @ features.conj() / SAMPLES - jnp.eye(POWERS)).max()
        mixed = jnp.abs(powers @ powers.conj().T - jnp.eye(len(EXPONENTS))).max()
        cosines = jnp.stack([flow(exponent) for exponent in EXPONENTS])
        return cosines, matrices[:50], features[:50], gram, mixed

    return one


def run(size: Size) -> list[Claim]:
    """The measure, the exponents, and the flows."""
    found = size.seeds(flows(500 if size.full else 250), batch=in_turn)
    cosines, matrices, features, gram, mixed = (np.asarray(each) for each in found)
    x = np.linalg.eigvals(matrices)
    order = np.abs(power_sums(x[..., ::-1]) - power_sums(x)).max((1, 2))
    trace = np.abs(power_sums(x) - features).max((1, 2))
    wrong = sum(information_exponent(lambda z, n=n: link(n, z)) != n for n in EXPONENTS)
    first, second, third = STEP * np.sum(cosines < 0.5, -1).T
    return [
        Claim("power sums of points in reverse order - power sums", "0", order, below(1e-12)),
        Claim("power sums of eigenvalues - traces of powers", "0", trace, below(1e-4)),
        Claim("largest entry of the correlations of power sums - identity", "0", gram, below(0.1)),
        Claim("largest correlation of two powers of a combination of them", "0", mixed, below(0.1)),
        Claim("links whose computed exponent is another than their first power", "0", wrong, below(1)),
        *(
            Claim(f"cosine with the planted direction in the end, exponent {n}", "1", end, above(0.99))
            for n, end in zip(EXPONENTS, cosines[:, :, -1].T)
        ),
        Claim("time of exponent 2 - of exponent 1", "above 0", second - first, above(0)),
        Claim("time of exponent 3 - of exponent 2", "above 0", third - second, above(0)),
    ]
