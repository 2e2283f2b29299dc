"""Composing Global Optimizers to Reasoning Tasks via Algebraic Objects in Neural Nets [Tian2024].

Claim: a two-layer network with squares that adds residues is a set of hidden units with Fourier weights. Sets add by
    union and multiply by taking all products of units; the sums over units that make up the loss are homomorphisms of
    this semiring. Partial solutions of orders 2 and 3 therefore multiply to solutions with 4 or 6 units for each
    frequency, and about 95 % of the networks found by descent with weight decay are such products.

Differs: the moduli are small, 7, 11 and 13 at full size and 7 at quick size, and networks are trained on all
    pairs. A trained frequency counts as matched if it has 4 or 6 living units that are, within 0.05 for each weight of
    unit modulus, the products of 2 units with 2 or 3; units at random phases are matched as a control.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from examples.papers.harness import Claim, Size, above, below, fit, sweep

TOLERANCE = 0.05
ROOTS = np.exp(2j * np.pi * np.arange(3) / 3)
# Partial solutions, [3, units]: weights of inputs a and b, and of the output.
THREE = np.stack([ROOTS, ROOTS, ROOTS])
TWO = np.array([[1, 1j], [1, -1j], [1, 1]])
OTHER_TWO = np.array([[1, 1], [1, 1j], [1, -1j]])


def multiplied(y, z):
    """All products of a unit of one set with a unit of the other; the last axis runs over units."""
    return (y[..., :, None] * z[..., None, :]).reshape(*y.shape[:-1], -1)


def potentials(z):
    """Sums over units of three weights' products, at all triples of frequencies: of (a, b, c), (a, a, c), (b, b, c)."""
    return np.stack([np.einsum("iu,ju,ku->ijk", z[p], z[q], z[2]) for p, q in ((0, 1), (0, 0), (1, 1))])


def homomorphism(key):
    """How far potentials of sums and products are from sums and products of potentials; and their size."""
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    real, imaginary = random.normal(size=(2, 3, 6, 9))
    whole = real + 1j * imaginary
    y, z = (np.concatenate([part, part.conj()], 1) for part in (whole[..., :4], whole[..., 4:]))
    r, s = potentials(y), potentials(z)
    apart = potentials(np.concatenate([y, z], 2)) - (r + s), potentials(multiplied(y, z)) - r * s
    return [np.abs(each).max() for each in apart]


def composed(d, fours):
    """Weights [3, frequencies, units]: 4 units for each of the last `fours` frequencies, 6 for each of the others.

    Four units leave one constant at their frequency, which the outputs of the first six units take away.
    """
    count, blocks = (d - 1) // 2, []
    for k in range(count):
        four = k >= count - fours
        units = multiplied(OTHER_TWO, TWO) / 4 ** (1 / 3) if four else multiplied(THREE, TWO) / 6 ** (1 / 3)
        block = np.zeros((3, count, units.shape[1]), complex)
        block[:, k] = units
        blocks.append(block)
        if four and fours < count:
            left = np.sum(np.abs(units[0]) ** 2 * units[2])
            blocks[0][2, k] = -left / np.sum(np.abs(blocks[0][0, 0]) ** 2)
    return np.concatenate(blocks, 2)


def weights_of(z, d):
    """The real network of Fourier weights: {"a" [d, units], "b" [d, units], "c" [units, d]}."""
    waves = np.exp(2j * np.pi * np.outer(np.arange(d), np.arange(1, (d + 1) // 2)) / d)
    a, b, c = (2 * np.real(wave @ part) for wave, part in zip((waves, waves, waves.conj()), z))
    return {"a": a, "b": b, "c": c.T}


def fourier_of(params, d):
    """The way back, from a leading axis of networks: [networks, 3, frequencies, units]."""
    waves = np.exp(-2j * np.pi * np.outer(np.arange(1, (d + 1) // 2), np.arange(d)) / d) / d
    a, b, c = (np.asarray(params[name], float) for name in "abc")
    return np.stack([waves @ a, waves @ b, waves.conj() @ np.swapaxes(c, 1, 2)], 1)


def loss(params):
    """Mean over pairs of the squared distance from the one-hot of their sum, both without their means."""
    d = len(params["a"])
    logits = (params["a"][:, None] + params["b"]) ** 2 @ params["c"] / (2 * d)
    wanted = np.eye(d)[np.add.outer(np.arange(d), np.arange(d)) % d] - 1 / d
    return ((logits - logits.mean(2, keepdims=True) - wanted.astype(logits.dtype)) ** 2).sum(2).mean()


def trained(d, units, steps, rate, decay):
    """A function of a key: the weights after Adam with weight decay on all pairs."""

    def init(key):
        a, b, c = jax.random.normal(key, (3, d, units)) * 0.3
        return {"a": a, "b": b, "c": c.T}

    def regularized(params, batch):
        return loss(params) + decay / 2 * optax.tree.norm(params, squared=True)

    ran = fit(regularized, init, optax.adam(rate), steps)
    return lambda key: ran(key)[0]


def living(z):
    """Which units of a network [3, frequencies, units] have not died, and the frequency of each."""
    energy = np.sum(np.abs(z) ** 2, 0)
    return energy.sum(0) > 0.1 * energy.sum(0).max(), energy.argmax(0)


def pairings(units):
    """All ways to put the units in pairs."""
    if not units:
        yield ()
        return
    first, *rest = units
    for i, other in enumerate(rest):
        for others in pairings(rest[:i] + rest[i + 1 :]):
            yield ((first, other), *others)


def factored(units):
    """Whether units [3, 4 or 6] are products of two units with two or three: pairs of them have one common ratio.

    Magnitudes are left out, and the sign that a and b share, which the square does not see.
    """
    if units.shape[1] not in (4, 6):
        return False
    units = units / np.abs(units)
    for pairs in pairings(list(range(units.shape[1]))):
        ratios = [units[:, i] * units[:, j].conj() for i, j in pairs]
        if all(
            min(
                np.abs(turned * np.array([s, s, 1]) - ratios[0]).max()
                for turned in (r, r.conj())
                for s in (1, -1)
            )
            < TOLERANCE
            for r in ratios[1:]
        ):
            return True
    return False


def matches(z):
    """Of a network's frequencies: the share with 4 or 6 living units, and the share that are products."""
    alive, frequency = living(z)
    sets = [z[:, k, alive & (frequency == k)] for k in range(z.shape[1])]
    return np.mean([units.shape[1] in (4, 6) for units in sets]), np.mean([factored(units) for units in sets])


def random_matches(key):
    """The share of random sets of 4 and 6 units, of useful phases, that are taken for products."""
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    turns = np.exp(2j * np.pi * random.uniform(size=(2, 10, 10)))
    sets = np.stack([*turns, np.conj(turns[0] * turns[1])], 1)
    return np.mean([[factored(each[:, :4]), factored(each[:, 4:])] for each in sets])


def run(size: Size) -> list[Claim]:
    """The semiring, the composed solutions, and what descent finds."""
    sums, products = size.seeds(homomorphism, batch=None)
    moduli = (7, 11, 13)
    solved = {(d, n): loss(weights_of(composed(d, n), d)) for d in moduli for n in range((d + 1) // 2)}
    sixes = max(solved[d, 0] for d in moduli)
    mixed = max(value for (d, n), value in solved.items() if 0 < n < (d - 1) // 2)
    fours = min(solved[d, (d - 1) // 2] for d in moduli)

    units, steps, rate, decay = (16, 5000, 0.01, 5e-5) if size.full else (4, 2000, 0.02, 5e-4)

    def descended(d, *decays):
        found = size.seeds(sweep(lambda decay: trained(d, d * units, steps, rate, decay), jnp.array(decays)))
        return [fourier_of(jax.tree.map(lambda leaf, i=i: leaf[:, i], found), d) for i in range(len(decays))]

    (first, free), *others = (descended(d, decay, *[0.0] * (d == 7)) for d in moduli[: 3 if size.full else 1])
    order, product = np.mean(
        [[matches(z) for z in found] for found in (first, *(found for (found,) in others))], 0
    ).T
    decayed, free = (np.array([living(z)[0].sum() for z in found]) for found in (first, free))
    control = size.seeds(random_matches, batch=None)
    return [
        Claim("potentials of a sum of networks - their sum", "0", sums, below(1e-10)),
        Claim("potentials of a product of networks - their product", "0", products, below(1e-10)),
        Claim("loss with 6 units for each frequency, a product of orders 3 and 2", "0", sixes, below(1e-10)),
        Claim("loss with 4 units for some frequencies, 6 for the others", "0", mixed, below(1e-10)),
        Claim("loss with these 4 units for all frequencies", "above 0", fours, above(0.01)),
        Claim("share of trained frequencies with 4 or 6 units", "nearly 1", order, above(0.9)),
        Claim("share of trained frequencies that are products", "0.95", product, above(0.9)),
        Claim("the same share of random sets of 4 and 6 units", "none given", control, below(0.05)),
        Claim("living units with weight decay / without", "below 1", decayed / free, below(1)),
    ]
