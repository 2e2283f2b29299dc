"""Means modulo a group: templates by registration and averaging, and the bias of such templates."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.loops import iterate, reachable, vary_with
from geojax._core.precision import rounded_once
from geojax.manifolds.base.doors import check_function
from geojax.manifolds.statistics.mean import MeanResult
from geojax.typing import Key, Scalar


@rounded_once
def quotient_frechet_mean(
    points: Float[Array, "n d"],
    align: Callable[[Array, Array], Array],
    *,
    tol: Scalar = 1e-6,
    max_steps: int = 100,
) -> MeanResult:
    """Fréchet mean of vectors up to a group of isometries, by registering to a template and averaging in turn.

    Minimises  sum_i min_g |m - g x_i|^2 / n:  x_i -> align(x_i, m), then m -> their mean, which never increases it.

    Args:
        points: Sample, [n, d].
        align: align(x, m) -> the element of the orbit of x that is nearest to m; static.
        tol: Change of the template to reach, in parts of the root mean square of the lengths of the points; or what
            rounding allows, if that is more.
        max_steps: Most rounds; static.

    Returns:
        MeanResult; a local minimum, one element of its orbit. As an estimate of the template of noisy data it is
        biased: see `consistency_bias`.

    Raises:
        ValueError: At trace time, if points is not [n, d] or is empty.
        TypeError: If align is no function.

    Status: CONVERGED, MAX_STEPS; NONFINITE if the data hold a NaN.

    Differentiation: of the last average, with the registrations held; exact for finite groups.

    Complexity: n registrations a round.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import quotient_frechet_mean
        >>> flip = lambda x, m: jnp.where(jnp.vdot(x, m) < 0, -x, x)
        >>> float(quotient_frechet_mean(jnp.array([[1.0], [-3.0]]), flip).point[0])
        2.0

    References: [Devilliers2017].
    """
    where = "quotient_frechet_mean"
    check_function(where, "align", align, "quotient_frechet_mean(points, align)")
    (points,) = checks.floats(where, points=points)
    n = checks.shapes(where, points=(points, "n d"))["n"]
    if n == 0:
        raise ValueError(f"{where}: points holds no point; expected at least one. Leave the empty set out.")
    held = jax.lax.stop_gradient(points)

    def average(template: Array, sample: Array) -> Array:
        return jnp.mean(jax.vmap(lambda x: align(x, template))(sample), axis=0)

    def step(template: Array) -> tuple[Array, Array]:
        following = average(template, held)
        return following, jnp.linalg.norm(following - template) / unit

    unit = safe.norm(held) / n**0.5
    unit = jnp.where(unit == 0, 1, unit)
    start = vary_with(held[0], held)
    end = iterate(
        step, start, tol=reachable(tol, 0, unit), max_steps=checks.count(where, "max_steps", max_steps)
    )
    point = jnp.where(jnp.all(jnp.isfinite(end.state)), average(end.state, points), end.state)
    return MeanResult(point, end.error, end.num_steps, end.status)


@rounded_once
def consistency_bias(
    template: Float[Array, " d"],
    sigma: Scalar,
    align: Callable[[Array, Array], Array],
    *,
    key: Key,
    num_samples: int = 1000,
    max_steps: int = 100,
) -> Float[Array, ""]:
    """Distance modulo a group between a template and the Fréchet mean of noisy copies of it, by simulation.

    |align(m, template) - template|,  m the `quotient_frechet_mean` of template + sigma e_i, e_i standard normal.
    (Moving the copies by elements of the group would change nothing, as these are isometries.) It is 0 without noise,
    and of the order of sigma if the noise is as large as the distance from the template to the group's fixed points.

    Args:
        template: The true template, [d].
        sigma: Standard deviation of each coordinate of the noise, in units of the template.
        align: align(x, m) -> the element of the orbit of x nearest to m; static.
        key: Random key.
        num_samples: Number of noisy copies, static.
        max_steps: Most rounds of the mean; static.

    Returns:
        Scalar, in units of the template; its own random error is of order sigma sqrt(d / num_samples).

    Raises:
        ValueError or TypeError: At trace time, if template is no vector, or key no key.

    Differentiation: through the last average, in template and sigma.

    Complexity: num_samples registrations a round.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from geojax.manifolds import consistency_bias
        >>> flip = lambda x, m: jnp.where(jnp.vdot(x, m) < 0, -x, x)
        >>> bool(consistency_bias(jnp.array([0.1]), 1.0, flip, key=jax.random.key(0)) > 0.5)
        True

    References: [Devilliers2017].
    """
    where = "consistency_bias"
    check_function(where, "align", align, "consistency_bias(template, sigma, align, key=key)")
    checks.typed_key(where, key)
    template, sigma = checks.floats(where, template=template, sigma=sigma)
    d = checks.shapes(where, template=(template, "d"), sigma=(sigma, ""))["d"]
    num_samples = checks.count(where, "num_samples", num_samples, minimum=1)
    sample = template + sigma * jax.random.normal(key, (num_samples, d), template.dtype)
    mean = quotient_frechet_mean(sample, align, tol=1e-6, max_steps=max_steps).point
    return jnp.linalg.norm(align(mean, template) - template)
