"""An optimiser whose step a network on weights computes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from geojax._core import checks, safe
from geojax._core.tree import is_numeric, leaf_pairs
from geojax.metanets.maps.channels import features
from geojax.symmetry.action.door import check_spec
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.orbits.leaves import with_leaves
from geojax.typing import Params, PyTree, Scalar

__all__ = ["learned_optimizer"]


class LearnedState(NamedTuple):
    """Means of past gradients, one tree for each decay."""

    momenta: tuple[Params, ...]


def learned_optimizer(
    spec: SymmetrySpec,
    apply: Callable[[Any, PyTree], PyTree],
    theta: Any,
    *,
    learning_rate: Scalar = 1e-2,
    decays: tuple[float, ...] = (0.9, 0.5, 0.99),
) -> optax.GradientTransformation:
    """An optimiser that steps where a network on gradients, momenta and parameters says.

    m_k <- d_k m_k + (1 - d_k) grad,   update = -learning_rate (m_1 / rms(m_1) + apply(theta, channels))

    with the channels features(spec, grad, m_1, ..., m_K, params), and the root mean square of each leaf by itself.
    A network from `metanet` makes the update commute with the spec: units in another order take the same steps in that
    order. Coefficients theta of zeros leave descent along the normalised mean of gradients. Theta is trained on whole
    runs: by a gradient through a few steps, or by evolution strategies through many.

    Args:
        spec: The symmetry of the function whose parameters are trained, permutations alone.
        apply: A network that returns one channel, such as ``init, apply = metanet(spec, channels_in=...)``. It reads
            two channels for the gradient, each mean and the parameters, and one for each held axis: as many as
            ``features(spec, *[params] * (2 + len(decays)))`` has.
        theta: Its coefficients.
        learning_rate: Scale of the steps.
        decays: Decays d_k of the means of gradients; the first is that of the step without a network.

    Returns:
        An optax.GradientTransformation; ``update(grads, state, params)`` needs the parameters.

    Raises:
        TypeError: If ``spec`` is no SymmetrySpec or ``apply`` no function.
        ValueError: If there are no decays, the trees do not fit the spec, or ``update`` is called without parameters.

    Differentiation: exact in theta, the gradients, the state and the parameters; 0 at leaves of zeros for their size.
    Complexity: one call of the network a step.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> import geojax as gj
        >>> mlp = lambda p, x: jax.nn.gelu(x @ p[0]) @ p[1]
        >>> params = [jnp.ones((3, 4)), jnp.ones((4, 2))]
        >>> spec = gj.symmetry.infer(mlp, params, jnp.ones((5, 3)))
        >>> init, apply = gj.metanets.metanet(spec, width=4, channels_in=11)
        >>> opt = gj.metanets.learned_optimizer(spec, apply, init(jax.random.key(0)))
        >>> grads = jax.grad(lambda p: jnp.sum(mlp(p, jnp.ones((5, 3)))))(params)
        >>> updates, state = opt.update(grads, opt.init(params), params)
        >>> [leaf.shape for leaf in optax.apply_updates(params, updates)]
        [(3, 4), (4, 2)]

    References: [Zhou2024]
    """
    check_spec("learned_optimizer(spec, apply, theta)", spec)
    checks.function(
        "learned_optimizer", "apply", apply, "Pass the second of what metanet(spec, ...) returns."
    )
    if not decays:
        raise ValueError("learned_optimizer: decays is empty; expected at least one. Write decays=(0.9,).")

    def init(params: Params) -> LearnedState:
        zeros = jax.tree.map(lambda leaf: jnp.zeros_like(leaf) if is_numeric(leaf) else leaf, params)
        return LearnedState((zeros,) * len(decays))

    def update(updates: Params, state: Any, params: Params | None = None) -> tuple[Params, LearnedState]:
        if params is None:
            raise ValueError(
                "learned_optimizer: update got no params; expected them, as the network reads them. "
                "Write update(grads, state, params)."
            )
        means = tuple(
            jax.tree.map(lambda m, g, d=decay: (d * m + (1 - d) * g).astype(m.dtype), mean, updates)
            for decay, mean in zip(decays, state.momenta, strict=True)
        )
        image = dict(leaf_pairs(apply(theta, features(spec, updates, *means, params))))
        steps = {
            path: (-learning_rate * (_normalised(mean) + image[path][..., 0])).astype(mean.dtype)
            for path, mean in leaf_pairs(means[0])
            if path in image
        }
        return with_leaves(updates, steps), LearnedState(means)

    return optax.GradientTransformation(init, update)


def _normalised(x: Array) -> Array:
    size = safe.norm(jnp.ravel(x) / max(x.size, 1) ** 0.5)
    return x / jnp.where(size > 0, size, 1)
