"""Approximate parallel transport from exp and log alone, for spaces without a closed form."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.manifolds.base.doors import check_manifold
from geojax.manifolds.base.geodesics import WithLog
from geojax.manifolds.base.stacked import real_dtype, scaled
from geojax.typing import PyTree

_Carry = tuple[Any, Any]
Rung = Callable[[_Carry, Any, Any], Any]


@rounded_once
def pole_ladder(manifold: WithLog, x: PyTree, y: PyTree, u: PyTree, *, num_rungs: int = 1) -> Any:
    """Approximate parallel transport along the shortest geodesic, by reflections at its midpoints.

    A rung from x to y carries p = exp_x(u) to q, its reflection at the midpoint m of x and y, and u to -log_y(q).
    On symmetric spaces that is parallel transport exactly, with one rung; elsewhere the error is O(1 / num_rungs^2).

    Args:
        manifold: The space; only its exp and log are used.
        x: Where the tangent vector is.
        y: Where it is carried, off the cut locus of x.
        u: Tangent vector at x.
        num_rungs: Number of equal pieces of the geodesic, static. On the way the vector is divided by this number.

    Returns:
        A tangent vector at y.

    Raises:
        ValueError: At trace time, if shapes disagree or num_rungs is below 1.
        TypeError: If the manifold is none, or has no logarithm.

    Differentiation: exact, of the scheme.

    Complexity: three exp and one log a rung.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Sphere, pole_ladder
        >>> x, y, u = jnp.eye(3)
        >>> bool(jnp.allclose(pole_ladder(Sphere(), x, y, u), u, atol=1e-4))
        True

    References: [Lorenzi2014]; [Guigui2022] for the order.
    """

    def rung(carry: _Carry, ahead: Any, half: Any) -> Any:
        return _between(manifold, carry[1], half, 2.0)

    num_rungs = checks.count("pole_ladder", "num_rungs", num_rungs, minimum=1)
    sign = -1.0 if num_rungs % 2 else 1.0
    return _climb("pole_ladder", manifold, x, y, u, num_rungs, 1, rung, sign)


@rounded_once
def schild_ladder(manifold: WithLog, x: PyTree, y: PyTree, u: PyTree, *, num_rungs: int = 8) -> Any:
    """Approximate parallel transport along the shortest geodesic, by Schild's geodesic parallelograms.

    A rung from x to y takes the midpoint m of p = exp_x(u) and y, the point q = exp_x(2 log_x(m)) beyond it, and u to
    log_y(q). The error is O(1 / num_rungs^2). `pole_ladder` is exact on symmetric spaces and costs no more.

    Args:
        manifold: The space; only its exp and log are used.
        x: Where the tangent vector is.
        y: Where it is carried, off the cut locus of x.
        u: Tangent vector at x.
        num_rungs: Number of equal pieces of the geodesic, static. On the way the vector is divided by its square.

    Returns:
        A tangent vector at y.

    Raises:
        ValueError: At trace time, if shapes disagree or num_rungs is below 1.
        TypeError: If the manifold is none, or has no logarithm.

    Differentiation: exact, of the scheme.

    Complexity: four exp and two log a rung.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds import Euclidean, schild_ladder
        >>> schild_ladder(Euclidean(), jnp.zeros(2), jnp.ones(2), jnp.array([1.0, 2.0])).tolist()
        [1.0, 2.0]

    References: [Ehlers1972]; [Guigui2022] for the order.
    """

    def rung(carry: _Carry, ahead: Any, half: Any) -> Any:
        behind, p = carry
        return _between(manifold, behind, _between(manifold, p, ahead, 0.5), 2.0)

    return _climb("schild_ladder", manifold, x, y, u, num_rungs, 2, rung, 1.0)


def _between(manifold: WithLog, x: Any, y: Any, t: float) -> Any:
    return manifold._geodesic(x, y, jnp.asarray(t, real_dtype(x)))


def _climb(
    where: str,
    manifold: WithLog,
    x: PyTree,
    y: PyTree,
    u: PyTree,
    num_rungs: int,
    power: int,
    rung: Rung,
    sign: float,
) -> Any:
    """Carry the end of u from rung to rung, u made so small that the error of each rung is of high order."""
    check_manifold(where, manifold, "log")
    x, y, u = manifold._arrays(where, x=x, y=y, u=u)
    num_rungs = checks.count(where, "num_rungs", num_rungs, minimum=1)
    dtype = real_dtype(x)
    velocity = manifold._log(x, y)

    def step(carry: _Carry, k: Any) -> tuple[_Carry, None]:
        times = jnp.stack([k + 1, k + 0.5]) / num_rungs
        both = jax.vmap(lambda t: manifold._exp(x, scaled(t, velocity)))(times)
        ahead, half = (jax.tree.map(lambda leaf, i=i: leaf[i], both) for i in (0, 1))
        return (ahead, rung(carry, ahead, half)), None

    small = manifold._exp(x, scaled(jnp.asarray(1 / num_rungs**power, dtype), u))
    (_, end), _ = jax.lax.scan(step, (x, small), jnp.arange(num_rungs, dtype=dtype))
    return scaled(jnp.asarray(sign * num_rungs**power, dtype), manifold._log(y, end))
