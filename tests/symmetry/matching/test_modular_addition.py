"""The semiring of two-layer networks with squares: potentials are homomorphisms, and partial solutions compose.

The claims of [Tian2024], Composing Global Optimizers to Reasoning Tasks via Algebraic Objects in Neural Nets
(2024). A network on pairs (a, b) of residues mod d is a set of hidden units, each with complex weights (p,
q, r) at a frequency, for a, for b and for the output, and the square as its nonlinearity. Its logits are
sums over units of monomials such as p q r. Adding networks puts their units side by side; multiplying them
takes all products of units.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytestmark = pytest.mark.full  # claims of a paper about networks, not about functions of geojax
KEYS = jax.random.split(jax.random.key(0), 32)


def draw(key, units):
    """Weights [3, units] of one frequency: input a, input b, output."""
    real, imaginary = jax.random.normal(key, (2, 3, units))
    return real + 1j * imaginary


def add(y, z):
    """Hidden units side by side."""
    return jnp.concatenate([y, z], axis=1)


def multiply(y, z):
    """All products of a unit of one with a unit of the other."""
    return jnp.einsum("cu,cv->cuv", y, z).reshape(3, -1)


def potential(z, powers):
    """The sum over units of a monomial in the weights and their conjugates."""
    terms = [z[c] if power > 0 else jnp.conj(z[c]) for c, power in powers]
    return jnp.sum(jnp.prod(jnp.stack(terms), axis=0))


MONOMIALS = [
    ((0, 1), (1, 1), (2, 1)),
    ((0, 1), (0, 1), (2, -1)),
    ((1, 1), (1, -1), (2, 1)),
    ((0, 1), (0, -1), (2, 1)),
]


@pytest.mark.parametrize("powers", MONOMIALS)
def test_law_potentials_are_ring_homomorphisms(powers):
    @jax.vmap
    def law(key):
        k1, k2 = jax.random.split(key)
        y, z = draw(k1, 3), draw(k2, 4)
        r = lambda network: potential(network, powers)
        return r(add(y, z)) - (r(y) + r(z)), r(multiply(y, z)) - r(y) * r(z)

    for gap in law(KEYS):
        np.testing.assert_allclose(gap, 0, atol=1e-10)


def residues(d, frequencies, z):
    """Logits [a, b, c] of a real network: unit u of frequency k has weights 2 Re(z[., u] w^(k .)), squared."""
    turns = np.exp(2j * np.pi * np.arange(d) / d)
    logits = np.zeros((d, d, d))
    for k in frequencies:
        wave = turns**k
        first, second = (2 * np.real(np.einsum("u,a->ua", w, wave)) for w in z[:2])
        out = 2 * np.real(np.einsum("u,c->uc", z[2], np.conj(wave)))
        hidden = (first[:, :, None] + second[:, None, :]) ** 2
        logits += np.einsum("uab,uc->abc", hidden, out)
    return logits


def third_roots():
    """A partial solution of order three: p q r = 1 in each unit, and every monomial with one conjugate sums to 0."""
    w = np.exp(2j * np.pi * np.arange(3) / 3)
    return np.stack([w, w, w])


def signs_of_pairs():
    """A partial solution of order two: p q r = 1 in each unit, and p p r and q q r sum to 0."""
    return np.stack([np.array([1, 1j]), np.array([1, -1j]), np.array([1, 1])])


def composed():
    return np.asarray(multiply(jnp.asarray(third_roots()), jnp.asarray(signs_of_pairs())))


def test_the_product_of_partial_solutions_has_the_zeros_of_both():
    """Order 3 x 2 = 6: what vanishes in a factor vanishes in the product, what is one in both stays one per unit."""
    z = composed()
    assert z.shape == (3, 6)
    useful = potential(jnp.asarray(z), MONOMIALS[0])
    np.testing.assert_allclose(useful, 6, atol=1e-10)
    for powers in (
        ((0, 1), (0, 1), (2, -1)),
        ((1, 1), (1, 1), (2, -1)),
        ((0, 1), (0, 1), (2, 1)),
        ((1, 1), (1, 1), (2, 1)),
    ):
        np.testing.assert_allclose(potential(jnp.asarray(z), powers), 0, atol=1e-10)


@pytest.mark.parametrize("d", [7, 11])
def test_the_composed_solution_of_order_six_adds_residues_without_loss(d):
    """Six units at each frequency: after centring, logits are the one-hot of a + b, up to scale and to a part that does
    not depend on the pair."""
    logits = residues(d, range(1, (d - 1) // 2 + 1), composed())
    a, b = np.meshgrid(np.arange(d), np.arange(d), indexing="ij")
    target = np.eye(d)[(a + b) % d]
    centred = logits - logits.mean(axis=2, keepdims=True)
    wanted = target - target.mean(axis=2, keepdims=True)
    scale = np.vdot(centred, wanted) / np.vdot(wanted, wanted)
    np.testing.assert_allclose(centred / scale, wanted, atol=1e-9)


def test_a_factor_alone_does_not_solve_the_task():
    for z in (third_roots(), signs_of_pairs()):
        logits = residues(7, range(1, 4), z)
        a, b = np.meshgrid(np.arange(7), np.arange(7), indexing="ij")
        wanted = np.eye(7)[(a + b) % 7] - 1 / 7
        centred = logits - logits.mean(axis=2, keepdims=True)
        scale = np.vdot(centred, wanted) / np.vdot(wanted, wanted)
        assert np.max(np.abs(centred / scale - wanted)) > 0.1


def test_addition_of_networks_is_addition_of_their_logits():
    y, z = third_roots(), signs_of_pairs()
    both = np.asarray(add(jnp.asarray(y), jnp.asarray(z)))
    total = residues(7, [1, 2], y) + residues(7, [1, 2], z)
    np.testing.assert_allclose(residues(7, [1, 2], both), total, atol=1e-9)
