"""Matching a few vertices of one mesh to a few of another, by the least deformation energy."""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax._core.struct import struct

EXACT = 7  # with at most so many landmarks every assignment is tried


@struct
class SparseMatch:
    """An assignment of landmarks.

    Attributes:
        assignment: Landmark of b for each landmark of a, int32 [k].
        energy: Its energy.
    """

    assignment: Int[Array, " k"]
    energy: Float[Array, ""]


@rounded_once
def match_sparse(
    energy: Callable[[Float[Array, "k k"]], Float[Array, ""]],
    init: Float[Array, "k k"],
    *,
    assign: Callable[[Float[Array, "k k"]], Int[Array, " k"]],
    num_steps: int = 20,
) -> SparseMatch:
    """Assignment of landmarks to landmarks with the least energy; approximate beyond seven of them.

    min over permutation matrices P of energy(P):  up to seven landmarks every one is tried; beyond, Frank and Wolfe's
    steps  C + (P - C) 2 / (s + 2),  P = assign(gradient of the energy at C), from `init`, then the assignment nearest
    to the last C. It is near a stationary point; there is no bound on its energy.

    Args:
        energy: Energy of a matrix with rows of sum 1, permutation or not, such as `deformation_energy` plus a multiple
            of `orientation_penalty` of the match it stands for; static.
        init: Start, [k, k], doubly stochastic; read beyond seven landmarks only.
        assign: cost matrix -> column for each row of least total cost, such as `geojax.transport.assignment`; static.
        num_steps: Number of steps beyond seven landmarks, static.

    Returns:
        SparseMatch; the energy is that of the assignment. NaN energies count as the worst.

    Raises:
        ValueError: At trace time, if init is not square.

    Differentiation: `energy`: exact in what the callable closes over, with the assignment held.

    Complexity: k! energies up to seven landmarks, `num_steps` gradients and assignments beyond.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import match_sparse
        >>> from geojax.transport import assignment
        >>> cost = jnp.array([[1.0, 0.0], [0.0, 1.0]])
        >>> match_sparse(lambda p: jnp.sum(p * cost), jnp.ones((2, 2)) / 2, assign=assignment).assignment.tolist()
        [1, 0]

    References: [GaoRoetzer2023]; [FrankWolfe1956] for the steps.
    """
    where = "match_sparse"
    (init,) = checks.floats(where, init=init)
    k = checks.shapes(where, init=(init, "k k"))["k"]
    eye = jnp.eye(k, dtype=init.dtype)
    if k <= EXACT:
        every = jnp.asarray(_permutations(k))
        energies = jax.lax.map(lambda p: energy(eye[p]), every, batch_size=min(720, len(every)))
        best = every[jnp.argmin(jnp.where(jnp.isnan(energies), jnp.inf, energies))]
        return SparseMatch(best, energy(eye[best]))

    def step(c: Array, s: Array) -> tuple[Array, None]:
        corner = eye[assign(jax.grad(energy)(c))]
        return c + (corner - c) * (2 / (s + 2)), None

    steps = jnp.arange(1, 1 + checks.count(where, "num_steps", num_steps), dtype=init.dtype)
    relaxed, _ = jax.lax.scan(step, init, steps)
    nearest = assign(-relaxed).astype(jnp.int32)
    return SparseMatch(nearest, energy(eye[nearest]))


@functools.cache
def _permutations(k: int) -> np.ndarray:
    return np.asarray(list(itertools.permutations(range(k))), np.int32)
