"""Small programs that solve linear systems, directly or step by step, and functions of matrices built on them."""

import jax
import jax.numpy as jnp
from jax import lax

from tests.symmetry.inference.rules.rule_programs import PAIR, Program, n, program


def near_identity(a):
    return jnp.eye(len(a)) + 0.1 * a


def by_hand(a, b):
    """The same system, solved as `lax.custom_linear_solve` is told to."""
    solve = lambda multiply, side: jnp.linalg.inv(a) @ side
    return lax.custom_linear_solve(lambda x: a @ x, b, solve, transpose_solve=solve)


def solves() -> list[Program]:
    square, sides = n(3, 3), n(3, 2)
    both = ((0, 0), (0, 1), (1, 0), (1, 1))
    return [
        program("solve", jnp.linalg.solve, square, sides, free=both),
        program(
            "solve a vector", lambda a, b: jnp.linalg.solve(a, b), square, n(3), free=((0, 0), (0, 1), (1, 0))
        ),
        program(
            "solve many",
            lambda a, b: jnp.linalg.solve(a, b),
            n(2, 3, 3),
            n(2, 3, 4),
            free=((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)),
        ),
        program(
            "solve, and itself", lambda a, b: jnp.tanh(jnp.linalg.solve(a, b) + b), square, sides, free=PAIR
        ),
        program(
            "solve near the identity",
            lambda a, b: jnp.linalg.solve(near_identity(a), b),
            square,
            sides,
            free=both,
        ),
        program("inverse of a matrix", jnp.linalg.inv, square, free=((0, 0), (0, 1))),
        program(
            "inverse, and itself", lambda a: jnp.tanh(jnp.linalg.inv(a) + a), square, free=((0, 0), (0, 1))
        ),
        program(
            "solve with the factors as well",
            lambda a, b: jnp.linalg.solve(a, b) * jnp.linalg.det(a),
            square,
            sides,
        ),
        program("solve a triangle", lambda a, b: jax.scipy.linalg.solve_triangular(a, b), square, sides),
        program(
            "conjugate gradients",
            lambda a, b: jax.scipy.sparse.linalg.cg(lambda x: x + a.T @ (a @ x), b, maxiter=5)[0],
            square,
            n(3),
            free=((0, 0), (0, 1), (1, 0)),
        ),
        program("exponential", lambda a: jax.scipy.linalg.expm(0.3 * a), square, free=((0, 0), (0, 1))),
        program("solve by hand", by_hand, square, n(3)),
    ]
