"""How similar the outcomes of a learning rule are on two samples of the same data."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import widened
from geojax._core.struct import struct
from geojax.transport.laws.couplings import shared_randomness_coupling, total_variation
from geojax.typing import Key

Learner = Callable[[Any], Float[Array, " n"]]


@struct
class EstimateResult:
    """A mean over random draws, and its standard error."""

    value: Float[Array, ""]
    std_error: Float[Array, ""]


def tv_indistinguishability(
    learner: Learner, sampler: Callable[[Key], Any], *, key: Key, num_pairs: int = 256
) -> EstimateResult:
    """Expected total variation between a learner's output laws on two independent samples.

    E TV(learner(S), learner(S'))  for S, S' independent, estimated from `num_pairs` pairs. If it is rho, the learner is
    called rho-TV indistinguishable; with `shared_randomness_coupling` its two outputs then differ with probability at
    most 2 rho / (1 + rho).

    Args:
        learner: Sample -> law over n hypotheses, [n], nonnegative, of sum 1.
        sampler: Key -> sample, any pytree of arrays.
        key: Random key.
        num_pairs: Number of pairs of samples to draw; static.

    Returns:
        EstimateResult.

    Raises:
        TypeError: At trace time, if key is not a typed key.

    Differentiation: exact for the drawn samples, in what `learner` closes over.

    Complexity: 2 num_pairs samples and laws, in memory at once.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport.laws import tv_indistinguishability
        >>> sampler = lambda key: jax.random.normal(key, (20,))
        >>> constant = lambda sample: jnp.full(3, 1 / 3)
        >>> float(tv_indistinguishability(constant, sampler, key=jax.random.key(0)).value)
        0.0

    References: [Kalavasis2023].
    """
    first, second, _ = _laws("tv_indistinguishability", learner, sampler, key, num_pairs)
    return _estimate(jax.vmap(total_variation)(first, second))


def replicability(
    learner: Learner, sampler: Callable[[Key], Any], *, key: Key, num_pairs: int = 256
) -> EstimateResult:
    """Probability that a learner draws the same hypothesis on two samples when it uses the same random numbers.

    P(A(S; r) = A(S'; r))  for S, S' independent, where A draws from learner(S) by `shared_randomness_coupling` with the
    shared key r. It is at least 1 - 2 rho / (1 + rho) if the expected total variation is rho.

    Args:
        learner: Sample -> law over n hypotheses, [n], nonnegative, of sum 1.
        sampler: Key -> sample, any pytree of arrays.
        key: Random key.
        num_pairs: Number of pairs of samples to draw; static.

    Returns:
        EstimateResult.

    Raises:
        TypeError: At trace time, if key is not a typed key.

    Differentiation: none; draws are integers.

    Complexity: 2 num_pairs samples and laws, in memory at once.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.transport.laws import replicability
        >>> sampler = lambda key: jax.random.normal(key, (20,))
        >>> constant = lambda sample: jnp.full(3, 1 / 3)
        >>> float(replicability(constant, sampler, key=jax.random.key(0)).value)
        1.0

    References: [Kalavasis2023].
    """
    first, second, keys = _laws("replicability", learner, sampler, key, num_pairs)

    def same(p: Array, q: Array, key: Key) -> Array:
        i, j = shared_randomness_coupling(jnp.stack([p, q]), key=key)
        # A law with a NaN has no draws.
        return jnp.where(jnp.isfinite(jnp.sum(p + q)), (i == j).astype(p.dtype), jnp.nan)

    return _estimate(jax.vmap(same)(first, second, keys))


def _laws(
    where: str, learner: Learner, sampler: Callable[[Key], Any], key: Key, num_pairs: int
) -> tuple[Array, Array, Array]:
    """The learner's laws on `num_pairs` pairs of samples, and a key for each pair."""
    checks.typed_key(where, key)
    checks.count(where, "num_pairs", num_pairs, minimum=2)
    keys = jax.random.split(key, (num_pairs, 3))
    law = jax.vmap(lambda key: learner(sampler(key)))
    first, second = law(keys[:, 0]), law(keys[:, 1])
    checks.shapes(where, **{"learner(sample)": (first, "_ n")})
    return *widened((first, second)), keys[:, 2]


def _estimate(draws: Array) -> EstimateResult:
    return EstimateResult(jnp.mean(draws), jnp.std(draws, ddof=1) / draws.size**0.5)
