"""Git Re-Basin: Merging Models modulo Permutation Symmetries [Ainsworth2022].

Claim: the units of a network can be renumbered, at no change of what it computes, so that the loss hardly rises on the
    line to another network trained apart; the wider the networks, the less it rises.

Differs: the paper joins perceptrons and ResNets of up to 32 times the usual width on MNIST and CIFAR; here perceptrons
    with two hidden layers of 8 units, and of 32 (128 at full size), on the 8 x 8 digits. The barrier is that of the
    training loss.
"""

import functools

import jax
import jax.numpy as jnp

import geojax as gj
from examples.papers.harness import Claim, Size, below, cross_entropy, digits, networks

PAIRS = 6


def run(size: Size) -> list[Claim]:
    """Barriers between pairs of networks of two widths, before a matching of weights and after."""
    train, (x, _) = digits()

    def measured(width):
        apply, params = networks(hidden=(width, width), start=size.start)
        loss = cross_entropy(apply)
        spec = gj.symmetry.infer(apply, jax.tree.map(lambda leaf: leaf[0], params), jnp.asarray(x[:8]))
        spec = spec.without(*(name for name, group in spec.members if group.kind != "permutation"))
        barrier = functools.partial(gj.merging.barrier, lambda p: loss(p, train), num=11)

        def flat(tree):
            return jax.flatten_util.ravel_pytree(tree)[0]

        @jax.jit
        @jax.vmap
        def one(a, b, key):
            planted = gj.symmetry.random_element(spec, key)
            shuffled = gj.symmetry.act(spec, planted, a)
            back = gj.symmetry.weight_matching(spec, a, shuffled, key=key).element
            home = gj.symmetry.act(spec, back, shuffled)
            apart = jnp.max(jnp.abs(flat(a) - flat(home)))
            moved = gj.symmetry.act(spec, gj.symmetry.weight_matching(spec, a, b, key=key).element, b)
            change = jnp.max(jnp.abs(apply(b, x) - apply(moved, x)))
            return barrier(a, b).value, barrier(a, moved).value, change, apart

        halves = [jax.tree.map(lambda leaf, i=i: leaf[i : 2 * PAIRS : 2], params) for i in (0, 1)]
        return one(*halves, size.seeds(lambda key: key, PAIRS))

    width = 128 if size.full else 32
    narrow, wide = measured(8), measured(width)
    ratios = [after / before for before, after, _, _ in (narrow, wide)]
    return [
        Claim("loss barrier, matched / as trained, wide networks", "about 0", ratios[1], below(0.3)),
        Claim("loss barrier matched, wide - narrow", "falls with width", wide[1] - narrow[1], below(0)),
        Claim("largest change of a logit by renumbering", "0", jnp.maximum(narrow[2], wide[2]), below(1e-3)),
        Claim(
            "largest error after undoing a planted renumbering",
            "0",
            jnp.maximum(narrow[3], wide[3]),
            below(1e-6),
        ),
    ]
