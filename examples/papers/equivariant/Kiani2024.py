"""On the hardness of learning under symmetries [Kiani2024].

Claim: symmetry does not take away the hardness of learning by gradients. Averages of functions over a group are nearly
    orthogonal where the functions are, and too many: the parities of n bits, averaged over the cyclic group, are an
    orthonormal class with one member for each necklace, more than 2^n / n. The gradient of any invariant network is
    therefore the same for nearly all of them, and descent does not learn what a search through the class finds.

Differs: the cyclic group is one of the paper's groups, and n is small enough that all 2^n points are counted. The
    variance of the gradient over the class is divided by the mean squared derivative of the network, and set beside
    the largest mean squared correlation of the class with one function: the first eigenvalue of its Gram matrix
    divided by its size. Descent takes fresh points in each step; its targets are averages of parities of half the
    bits, and of one bit as a control. Chance is no variance explained.

Fails: descent does not stay at chance for ever. The class of 14 bits has 1182 members, so that the gradient towards
    one of them is a thirty-fourth of the derivative, which 2000 steps of 256 points resolve, as they see every point
    many times. The bound is about growth with n, and what it forbids at 14 bits is learning quickly.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.linalg import hadamard

from examples.papers.harness import Claim, Size, above, below, fit

BITS = 14
WIDTH = 32
POINTS = 256


def turns(words, n):
    """The n rotations of words of n bits."""
    return [(words << i | words >> (n - i)) & (2**n - 1) for i in range(n)]


def necklaces(n):
    """The words of n bits of which no rotation is less."""
    return np.unique(np.min(turns(np.arange(2**n), n), 0))


def halves():
    """Those with half of their bits set."""
    words = necklaces(BITS)
    return words[np.bitwise_count(words) == BITS // 2]


def burnside(n):
    """How many orbits the rotations have on words of n bits: the mean number of words that a rotation fixes."""
    return sum(2 ** np.gcd(n, i) for i in range(n)) // n


@functools.cache
def members(n):
    """The parities, averaged over rotations and of unit norm, at all points: [necklaces, 2^n]."""
    parities, words = hadamard(2**n, np.int8), necklaces(n)
    orbits = np.array(turns(words, n))
    values = sum(parities[orbit].astype(np.float32) for orbit in orbits)
    return values / np.sqrt(n * np.sum(orbits == words, 0, dtype=np.float32))[:, None]


def averaged(words, points, n, count=jax.lax.population_count):
    """The members of some words at some points: [..., points]. The words may be traced; `count` counts bits."""
    orbits = turns(words, n)
    odd = sum(count(orbit[..., None] & points) & 1 for orbit in orbits)
    return (n - 2.0 * odd) / (n * sum(orbit == words for orbit in orbits))[..., None] ** 0.5


def gram(n):
    """Correlations of the members with each other."""
    values = members(n)
    return values @ values.T / 2**n


def weights(normal):
    """A network of one hidden layer that is shared by all rotations, of normal numbers [n + 2, width]."""
    *_, b, a = normal
    return {"w": normal[:-2] * (2 / len(normal)) ** 0.5, "b": b * 0.3, "a": a * WIDTH**-0.5}


def network(params, x):
    """The mean over rotations of the bits x [..., n] of a perceptron."""
    n = x.shape[-1]
    rotated = x[..., np.add.outer(np.arange(n), np.arange(n)) % n]
    return jnp.mean(jax.nn.relu(rotated @ params["w"] + params["b"]) @ params["a"], -1)


def signs(points, n):
    """The bits of words as -1 and 1: [..., n]."""
    return 1.0 - 2.0 * (points[..., None] >> np.arange(n) & 1)


def spread(n):
    """A function of a key: the variance over the class of the gradient, over the mean squared derivative.

    The gradient of the squared error towards a member c is a constant less twice E[c df].
    """
    x, values = signs(np.arange(2**n), n), members(n)

    def one(key):
        random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        params = weights(random.standard_normal((n + 2, WIDTH), np.float32))
        rotated = x[:, np.add.outer(np.arange(n), np.arange(n)) % n]
        before = rotated @ params["w"] + params["b"]
        live = (before > 0) * params["a"]
        parts = np.maximum(before, 0).mean(1), live.mean(1), rotated.swapaxes(1, 2) @ live / n
        table = np.concatenate([part.reshape(2**n, -1) for part in parts], 1)
        return (values @ table / 2**n).var(0).sum() / np.mean(table**2, 0).sum()

    return one


def explained(steps):
    """A function of a key: the shares of the variance that descent explains, of a hidden member and of a simple one."""

    def one(key):
        pick, train, test = jax.random.split(key, 3)

        def sample(key, word, num):
            points = jax.random.bits(key, (num,), "uint16").astype(jnp.int32) % 2**BITS
            return signs(points, BITS), averaged(word, points, BITS)

        def init(key):
            return weights(jax.random.normal(key, (BITS + 2, WIDTH)))

        def loss(params, batch):
            x, y = batch
            return jnp.mean((network(params, x) - y) ** 2)

        def share(word):
            draw = functools.partial(sample, word=word, num=POINTS)
            params, _ = fit(loss, init, optax.sgd(0.1), steps, batches=draw)(train)
            x, y = sample(test, word, 2048)
            return 1 - loss(params, (x, y)) / jnp.mean(y**2)

        return jax.vmap(share)(jnp.stack([jax.random.choice(pick, jnp.asarray(halves())), 1]))

    return one


def found(key):
    """Whether the member with the largest mean product on 256 points is the one that is sought."""
    words, random = necklaces(BITS), np.random.default_rng(np.asarray(jax.random.key_data(key)))
    sought, points = random.choice(halves()), random.integers(0, 2**BITS, POINTS)
    values = averaged(words, points, BITS, np.bitwise_count)
    return words[np.argmax(values @ averaged(sought, points, BITS, np.bitwise_count))] == sought


def run(size: Size) -> list[Claim]:
    """The class, the gradients towards its members, and descent beside search."""
    counts = [len(necklaces(n)) for n in range(4, BITS + 1)]
    printed = sum(count != wanted for count, wanted in zip(counts, (6, 8, 14, 20, 36)))
    missed = sum(count != burnside(n) for n, count in enumerate(counts, 4))
    apart = max(abs(gram(n) - np.eye(len(gram(n)))).max() for n in range(4, 11))

    lengths = np.arange(6, (BITS if size.full else BITS - 2) + 1, 2)
    bounds = [np.linalg.eigvalsh(gram(n))[-1] / len(gram(n)) for n in lengths.tolist()]
    variances = np.stack([size.seeds(spread(n), batch=None) for n in lengths.tolist()], 1)
    slopes = np.diff(np.log(variances), axis=1) / np.diff(np.log(lengths))

    half, bit = size.seeds(explained(300)).T
    claims = [
        Claim(
            "sizes of the class that differ from the numbers of necklaces, 4 to 8 bits",
            "0",
            printed,
            below(1),
        ),
        Claim("sizes that differ from Burnside's count, 4 to 14 bits", "0", missed, below(1)),
        Claim("members of the class of 14 bits", "at least 2^14 / 14", counts[-1], above(2**BITS / BITS)),
        Claim("largest entry of the Gram matrix - identity, 4 to 10 bits", "0", apart, below(1e-5)),
        Claim(
            "variance of the gradient over the class / largest mean squared correlation, the worst of 6 bits on",
            "at most 1",
            np.max(variances / bounds, 1),
            below(1 + 1e-4),
        ),
        Claim(
            "power of n by which this variance grows, at the last two sizes",
            "below that of any polynomial",
            slopes[:, -1],
            below(-3),
        ),
        Claim(
            "this power - the power at the first two sizes", "below 0", slopes[:, -1] - slopes[:, 0], below(0)
        ),
        Claim(
            "variance explained by 300 steps, an average of parities of 7 in 14 bits", "0", half, below(0.05)
        ),
        Claim("variance explained by 300 steps, parities of one bit", "above 0", bit, above(0.9)),
        Claim(
            "share of seeds where a search with the points of one step finds the average of parities",
            "1",
            size.seeds(found, max(size.num, 5), batch=None),
            above(0.99),
        ),
    ]
    if size.full:
        half, _ = size.seeds(explained(2000)).T
        what = "variance explained by 2000 steps, an average of parities of 7 in 14 bits"
        claims.append(Claim(what, "0", half, below(0.05), expected=False))
    return claims
