"""How a manifold becomes a Case: all its operations at one pair of points, in one program."""

import jax
import jax.numpy as jnp

from tests.conformance.case import Case

PAIR = ("exp", "log", "dist", "squared_dist", "parallel_transport")
EVERY = (
    "project",
    "to_tangent",
    "inner",
    "norm",
    "retract",
    "vector_transport",
    "riemannian_gradient",
    *PAIR,
)
# dist is the root of squared_dist, and the laws of each space look at all operations: these are the ones compiled here.
DEFAULT = tuple(name for name in EVERY if name not in ("project", "norm", "dist"))

GRID = "laws.check_finite has every operation at equal points and more awkward ones, in both precisions"


def case(
    manifold,
    shape,
    *,
    operations=DEFAULT,
    radius=1.0,
    variant="",
    grid=True,
    tolerance=1e-9,
    exemptions=None,
):
    """A Case of the class of `manifold`, whose fields are the first of its arguments and traced.

    The arguments are (manifold, x, y, u, v) with y within `radius` of x. Derivatives are by the fields and the points,
    along directions that the points can take. `grid` says that the tests of the space call laws.check_finite.
    """
    cls = type(manifold)

    def arguments(key, dtype):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        x = manifold.random_point(k1, shape, dtype=dtype)
        u, v, w = (manifold.random_tangent(k, x) for k in (k2, k3, k4))
        w = jax.tree.map(lambda leaf: radius * leaf / manifold.norm(x, w), w)
        fields = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), manifold)
        return fields, x, manifold.retract(x, w), u, v

    def call(m, x, y, u, v):
        calls = {
            "project": lambda: m.project(x),
            "to_tangent": lambda: m.to_tangent(x, u),
            "inner": lambda: m.inner(x, u, v),
            "norm": lambda: m.norm(x, u),
            "retract": lambda: m.retract(x, u),
            "vector_transport": lambda: m.vector_transport(x, u, v),
            "riemannian_gradient": lambda: m.riemannian_gradient(x, u),
            "exp": lambda: m.exp(x, u),
            "log": lambda: m.log(x, y),
            "dist": lambda: m.dist(x, y),
            "squared_dist": lambda: m.squared_dist(x, y),
            "parallel_transport": lambda: m.parallel_transport(x, y, u),
        }
        return {name: calls[name]() for name in operations}

    def directions(key, item):
        """Along the manifold for points, ambient for tangents, as their functions are linear."""
        m, x, y, _, _ = item
        k1, k2, k3, k4 = jax.random.split(key, 4)
        return (
            jax.tree.map(lambda leaf: 0.1 * jnp.ones_like(leaf), m),
            m.random_tangent(k1, x),
            m.random_tangent(k2, y),
            m.random_tangent(k3, x),
            m.random_tangent(k4, x),
        )

    def equal(dtype):
        m, x, _, _, v = arguments(jax.random.key(0), dtype)
        return m, x, x, jax.tree.map(jnp.zeros_like, v), v

    return Case(
        cls.__name__,
        cls,
        arguments,
        call=call,
        variant=variant,
        differentiable=(0, 1, 2, 3, 4),
        directions=directions,
        edges={"x = y, u = 0": equal},
        # Without these operations the second point is not read.
        nan_arguments=None if set(operations) & (set(PAIR) - {"exp"}) else (0, 1, 3, 4),
        tolerance=tolerance,
        exemptions={**({"gradient_finite_at_edges": GRID} if grid else {}), **(exemptions or {})},
    )
