"""Generative Adversarial Symmetry Discovery [Yang2023].

Claim: the Lie algebra of an unknown symmetry is found from data alone: a generator of group elements learns, against a
    discriminator, transformations that leave the law of the data as it is.

Differs: no adversary. The log density is a quartic polynomial fitted by score matching, or the label is one
    fitted by least squares, both in closed form; the algebra is the nullspace of a linear condition on the derivative
    (`lie_equivariance`), so that its dimension comes out too. Data are draws with planted rotations of the plane or of
    space, a label that boosts of space-time leave alone, and a law without symmetry; the paper has trajectories and
    particle jets.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from examples.papers.harness import Claim, Size, above, below, in_turn
from geojax.equivariant import lie_equivariance

TOL = 0.08


def monomials(x, bends=(), degree=4):
    """All products of at most `degree` coordinates but the constant, each coordinate in `bends` differentiated once."""
    table = [k for k in itertools.product(range(degree + 1), repeat=x.shape[-1]) if 0 < sum(k) <= degree]
    value = jnp.ones(())
    for i, powers in enumerate(np.array(table).T):
        factor, left = 1, powers
        for _ in range(bends.count(i)):
            factor, left = factor * left, np.maximum(left - 1, 0)
        column = jnp.stack([x[..., i] ** k for k in range(degree + 1)], axis=-1)
        value = value * factor * column[..., left]
    return value


def log_density(xs):
    """Weights of the polynomial whose gradient is nearest to the score of the data, by integration by parts."""
    axes = range(xs.shape[1])
    slopes = [monomials(xs, (i,)) for i in axes]
    bends = sum(monomials(xs, (i, i)) for i in axes)
    return -jnp.linalg.solve(sum(s.T @ s for s in slopes), jnp.sum(bends, axis=0))


def regression(xs, labels):
    """Weights of the polynomial nearest to the labels, up to a constant."""
    design = monomials(xs) - jnp.mean(monomials(xs), axis=0)
    return jnp.linalg.solve(design.T @ design, design.T @ labels)


def found(weights, xs):
    """The algebra that leaves a polynomial alone."""
    return lie_equivariance(lambda x: monomials(x) @ weights, xs[:500], axis_out=None, tol=TOL)


def shell(key, num, d):
    """Points about a sphere, all directions alike."""
    turn, length = jax.random.split(key)
    x = jax.random.normal(turn, (num, d))
    square = 1 + 0.4 * jax.random.truncated_normal(length, -2.4, 2.4, (num, 1))
    return x / jnp.linalg.norm(x, axis=1, keepdims=True) * jnp.sqrt(square)


def cosine(a, planted):
    """Of the angle between a generator and the space of the planted ones, which are orthogonal."""
    inside = jnp.stack([jnp.vdot(a, p) / jnp.linalg.norm(p) for p in planted])
    return jnp.linalg.norm(inside) / jnp.linalg.norm(a)


def run(size: Size) -> list[Claim]:
    """Find the planted algebras, and none where there is none."""
    num = 100_000 if size.full else 10_000
    turn = jnp.array([[0.0, 1.0], [-1.0, 0.0]])
    turns = jnp.stack(
        [jnp.zeros((3, 3)).at[i, j].set(1).at[j, i].set(-1) for i, j in ((0, 1), (0, 2), (1, 2))]
    )
    boost, metric = jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.diag(jnp.array([1.0, -1.0]))

    def trial(key):
        keys = jax.random.split(key, 4)
        ring, ball = shell(keys[0], num, 2), shell(keys[1], num, 3)
        events, free = jax.random.normal(keys[2], (2, num, 2))
        interval = jnp.sum(events @ metric * events, axis=1)
        labels = interval + 0.2 * interval**2 + 0.5 * jax.random.normal(keys[3], (num,))
        free = jnp.sign(free) * jnp.sqrt(jnp.abs(free))  # the density falls as exp(-x^4 - y^4)
        densities = jax.vmap(log_density)(jnp.stack([ring, free]))
        weights = jnp.concatenate([densities, regression(events, labels)[None]])
        flat = jax.vmap(found)(weights, jnp.stack([ring, free, events]))
        space = found(log_density(ball), ball)

        plane, _, time = flat.basis_in[:, 0]
        a = time * (2**0.5 / jnp.linalg.norm(time))
        element = power = jnp.eye(2)
        for k in range(1, 12):
            power = power @ a / k
            element += power
        broken = jnp.linalg.norm(element.T @ metric @ element - metric)
        worst = jnp.min(jnp.stack([cosine(each, turns) for each in space.basis_in[:3]]))
        one = cosine(plane, turn[None]), cosine(time, boost[None])
        return jnp.append(flat.dimension, space.dimension), one, worst, broken, flat.gap[1]

    dimensions, (plane, time), space, broken, gap = size.seeds(trial, batch=in_turn)
    right = jnp.all(dimensions == jnp.array([1, 0, 1, 3]), axis=1)
    return [
        Claim(
            "dimension found of SO(2), SO(3), SO(1,1)+ and nothing, all four right",
            "not given",
            right,
            above(0.99),
        ),
        Claim("|cosine| of the generator found with that of SO(2)", "near 1", plane, above(0.95)),
        Claim("least |cosine| of three generators found with so(3)", "near 1", space, above(0.95)),
        Claim("|cosine| of the generator found with that of SO(1,1)+", "near 1", time, above(0.95)),
        Claim("|g^T eta g - eta| of the boost g = exp(A) found", "0", broken, below(0.1)),
        Claim("least singular value without a symmetry", "no generator", gap, above(TOL)),
    ]
