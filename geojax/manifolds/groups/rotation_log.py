"""The logarithm of a rotation, to rounding at small angles and beside the angle pi.

With K the skew part of a rotation and Z = 1 - its symmetric part, log = K f(Z) with f(1 - cos t) = t / sin t, an
analytic function up to t = pi. At t = pi K vanishes and f is infinite: near it the planes are computed from Z alone,
and K only says which way they turn.
"""

import jax
import jax.numpy as jnp

from geojax._core import safe
from geojax._core.matrices import linalg


@jax.custom_jvp
def rotation_log(k, z):
    """Skew a with e^a = 1 - z + k, all angles at most pi; `k` and `z` as above, [n, n]."""
    if len(k) == 1:
        return k
    if len(k) == 2:
        return jnp.arctan2(k[1, 0], 1 - z[0, 0]) * jnp.asarray([[0, -1], [1, 0]], k.dtype)
    return _by_axis(k, z) if len(k) == 3 else _by_planes(k, z)


@rotation_log.defjvp
def _(primals, tangents):
    def formula(k, z):
        if len(k) <= 3:
            return k * _ratio(jnp.trace(z) / 2)
        return k @ linalg.sym_fn(z, _ratio, _slope)

    return rotation_log(*primals), jax.jvp(formula, primals, tangents)[1]


def _ratio(z):
    """The ratio t / sin(t) with cos(t) = 1 - z, held constant just before t = pi."""
    return safe.angle_over_sine1m(jnp.clip(z, 0, 2 - 4 * float(jnp.finfo(z.dtype).eps) ** 0.5))


def _slope(z):
    return jax.jvp(_ratio, (z,), (jnp.ones_like(z),))[1]


def _by_axis(k, z):
    """The logarithm of a turn about an axis, [3, 3]: Z = (1 - cos t) (1 - axis axis^T)."""
    versine = jnp.trace(z) / 2
    vector = jnp.stack([k[2, 1], k[0, 2], k[1, 0]])
    onto = jnp.eye(3, dtype=z.dtype) - z / jnp.where(versine > 1, versine, 1)
    axis = onto[jnp.argmax(jnp.diagonal(onto))]
    axis = axis / jnp.linalg.norm(jnp.where(versine > 1, axis, 1))
    sine = axis @ vector
    wide = jnp.arctan2(jnp.abs(sine), 1 - versine) * jnp.where(sine < 0, -axis, axis)
    x, y, w = jnp.where(versine > 1, wide, _ratio(jnp.minimum(versine, 1)) * vector)
    zero = jnp.zeros_like(x)
    return jnp.stack([zero, -w, y, w, zero, -x, -y, x, zero]).reshape(3, 3)


def _by_planes(k, z):
    """The logarithm of turns of any number of planes, from the eigenvectors of Z."""
    n, eps = len(k), float(jnp.finfo(k.dtype).eps)
    values, vectors = jnp.linalg.eigh(z)
    turned = vectors.T @ k @ vectors
    sines = jnp.sqrt(jnp.sum(jnp.square(turned), axis=0))
    # Planes that turn by almost pi are orthogonal to the others; entries of K between them are rounding.
    opposite = (values > 1) & (sines < 0.01)
    turned = jnp.where(opposite[:, None] == opposite, turned, 0)
    sines = jnp.where(opposite, jnp.sqrt(jnp.sum(jnp.square(turned), axis=0)), sines)
    far = jnp.arctan2(sines, 1 - values) / jnp.where(sines > 0, sines, 1)
    turned = turned * jnp.where(values > 1, far, _ratio(jnp.clip(values, 0, 1)))
    # At pi any pairing of the axes is right, and to half the digits too if K cannot tell the planes apart.
    end = (values > 1) & (sines < 8 * eps**0.5)
    lost = end & ((jnp.sum(end) > 2) | (jnp.max(jnp.where(end, sines, 0)) <= 4 * n * eps))
    places = n - 1 - jnp.arange(n)
    partner = (places[:, None] ^ 1) == places
    pairs = jnp.where(partner, jnp.where(places[:, None] < places, 1, -1), 0).astype(k.dtype)
    turned = jnp.where(lost[:, None] | lost, jnp.pi * jnp.where(lost[:, None] & lost, pairs, 0), turned)
    log = vectors @ turned @ vectors.T
    return (log - log.T) / 2
