"""A Characterization Theorem for Equivariant Networks with Point-wise Activations [Pacini2024].

Claim: a point-wise activation commutes with a representation only if this is made of monomial matrices (one entry in
    each row and column), with entries that the activation allows: ReLU positive ones, odd functions signs, a generic
    function ones; only affine functions commute with more. So a network that commutes with a connected compact group,
    such as rotations, and has point-wise activations, is invariant.

Differs: the theorem is about all representations and bases; here the groups of seven activations are read off their
    programs, which is a proof for each of them, and drawn matrices of each class are tried on them.
"""

import jax
import jax.numpy as jnp
import numpy as np

import geojax as gj
from examples.papers.harness import Between, Claim, Size, above, below

ALLOWED = {
    "relu": (jax.nn.relu, {"permutation", "scaling"}),
    "leaky relu": (jax.nn.leaky_relu, {"permutation", "scaling"}),
    "tanh": (jnp.tanh, {"permutation", "sign"}),
    "sine": (jnp.sin, {"permutation", "sign"}),
    "cube": (lambda x: x**3, {"permutation", "scaling", "sign"}),
    "gelu": (jax.nn.gelu, {"permutation"}),
    "linear": (lambda x: 0.5 * x, {"permutation", "general_linear"}),
}


def groups(f, *shape):
    """The equivariance of a function of one array, from its shape alone."""
    return gj.symmetry.equivariance(f, jax.ShapeDtypeStruct(shape, jnp.float32))


def kinds(f):
    """The kinds of the groups that move the output of a function of five numbers with its input."""
    found = groups(f, 5)
    return {found.groups[name].kind for name in found.equivariant}


def rotations(found, names):
    """How many of these groups are orthogonal."""
    return sum(found.groups[name].kind == "orthogonal" for name in names)


def defects(key):
    """How far activations are from commuting with matrices of each class, relative to their values."""
    keys = jax.random.split(key, 5)
    x = jax.random.normal(keys[0], (32, 4))
    order = jnp.eye(4)[jax.random.permutation(keys[1], 4)]
    scales = jnp.exp(jax.random.normal(keys[2], (4,)))
    signs = jnp.array([-1.0, 1.0, -1.0, 1.0])
    dense = jnp.abs(jax.random.normal(keys[3], (4, 4)))
    angle = jax.random.uniform(keys[4], minval=0.4, maxval=1.2)
    turn = jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]])
    turn = jnp.kron(jnp.eye(2), turn)

    def of(name, rho):
        act = ALLOWED[name][0]
        return jnp.max(jnp.abs(act(x @ rho.T) - act(x) @ rho.T)) / jnp.max(jnp.abs(act(x)))

    curved = [name for name in ALLOWED if name != "linear"]
    return {
        "relu, positive monomial": of("relu", order * scales),
        "relu, signed permutation": of("relu", order * signs),
        "relu, positive matrix": of("relu", dense),
        "tanh, signed permutation": of("tanh", order * signs),
        "tanh, positive monomial": of("tanh", order * scales),
        "curved, rotation": jnp.min(jnp.stack([of(name, turn) for name in curved])),
        "linear, rotation": of("linear", turn),
    }


def admissible(key):
    """Dimension of the linear maps of vectors, and of matrices, that rotations of space leave as they are."""
    turns = jax.random.orthogonal(key, 3, (2,))
    turns *= jnp.linalg.det(turns)[:, None, None]
    pairs = jax.vmap(jnp.kron)(turns, turns)

    def invariant(moves):
        rows = jnp.concatenate(list(moves - jnp.eye(moves.shape[-1])))
        return jnp.sum(jnp.linalg.svd(rows, compute_uv=False) < 1e-4)

    return invariant(turns), invariant(pairs)


def run(size: Size) -> list[Claim]:
    """Groups read off programs, defects of drawn matrices, and networks on points of space."""
    right = sum(kinds(act) == allowed for act, allowed in ALLOWED.values())
    w = np.linspace(-1, 1, 12).reshape(3, 4)
    dense = groups(lambda x: jax.nn.relu(x @ w), 6, 3)
    gram = groups(lambda x: jax.nn.relu(x @ x.T).sum(1), 6, 3)
    gated = groups(lambda x: x * jax.nn.relu(jnp.sum(x**2, 1, keepdims=True) - 1), 6, 3)
    found = size.seeds(defects)
    vectors, matrices = size.seeds(admissible)
    ours = {
        "relu, positive monomial": ("0", below(1e-5)),
        "relu, signed permutation": ("above 0", above(0.1)),
        "relu, positive matrix": ("above 0", above(0.1)),
        "tanh, signed permutation": ("0", below(1e-5)),
        "tanh, positive monomial": ("above 0", above(0.05)),
        "curved, rotation": ("above 0", above(0.01)),
        "linear, rotation": ("0", below(1e-5)),
    }
    return [
        Claim(
            "activations of seven whose groups, read off the program, are the theorem's",
            "7",
            right,
            above(6.5),
        ),
        *(Claim(f"defect: {name}", paper, found[name], holds) for name, (paper, holds) in ours.items()),
        Claim("linear maps of vectors that may stand before a point-wise layer", "0", vectors, below(0.5)),
        Claim("the same of second moments: the trace alone", "1", matrices, Between(0.5, 1.5)),
        Claim("rotation groups of relu(x W)", "0", rotations(dense, dense.groups), below(0.5)),
        Claim(
            "rotation groups of relu on inner products, that move the output",
            "0",
            rotations(gram, gram.equivariant),
            below(0.5),
        ),
        Claim(
            "the same, that leave it as it is: invariant",
            "1",
            rotations(gram, gram.invariant),
            above(0.5),
        ),
        Claim(
            "rotation groups of a gate, which is no point-wise activation",
            "1",
            rotations(gated, gated.equivariant),
            above(0.5),
        ),
    ]
