"""The laws that every manifold obeys, and the grid on which nothing may be NaN. Each space's test module calls these.

`check_laws(manifold, shape, radius=...)` checks what the mathematics says of exp, log, dist, transports, retraction,
gradient and geodesics at random points; `check_finite` differentiates everything at points chosen to be awkward.
Neither knows how a space computes. Points within `radius` of each other have unique logarithms.
"""

import jax
import jax.numpy as jnp
import numpy as np

KEYS = 16


def _flat(tree):
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def _scaled(c, tree):
    return jax.tree.map(lambda leaf: c * leaf, tree)


def _gap(a, b):
    return jnp.max(jnp.abs(_flat(a) - _flat(b)))


def at_random(manifold, shape, radius, transports=True):
    """The law's terms as a function of a key: each is zero up to rounding, or at most zero."""

    def terms(key):
        k1, k2, k3, k4, k5 = jax.random.split(key, 5)
        x = manifold.random_point(k1, shape, dtype=jnp.float64)
        u, v, w = (manifold.random_tangent(k, x) for k in (k2, k3, k4))
        u = _scaled(radius * jax.random.uniform(k5, minval=0.1) / manifold.norm(x, u), u)
        y = manifold.exp(x, u)
        dist, log = manifold.dist(x, y), manifold.log(x, y)
        length = manifold.norm(x, v) * manifold.norm(x, w)
        half = manifold.geodesic(x, y, 0.5)
        found = {
            "exp stays on the manifold": manifold.constraint_error(y),
            "log undoes exp": _gap(log, u),
            "exp undoes log": _gap(manifold.exp(x, log), y),
            "log is tangent": manifold.tangent_error(x, log),
            "dist is the length of log": jnp.abs(dist - manifold.norm(x, u)),
            "dist is symmetric": jnp.abs(dist - manifold.dist(y, x)),
            "squared_dist is dist squared": jnp.abs(dist**2 - manifold.squared_dist(x, y)),
            "half way is half way": jnp.abs(manifold.dist(x, half) - dist / 2),
            "inner is symmetric": jnp.abs(manifold.inner(x, v, w) - manifold.inner(x, w, v)) / length,
            "norm squared is inner": jnp.abs(manifold.norm(x, v) ** 2 - manifold.inner(x, v, v))
            / manifold.inner(x, v, v),
            "projections change nothing": manifold.tangent_error(x, v) + manifold.constraint_error(x),
        }
        if not transports:
            return found
        moved_v, moved_w = manifold.parallel_transport(x, y, v), manifold.parallel_transport(x, y, w)
        return found | {
            "parallel transport keeps inner products": jnp.abs(
                manifold.inner(y, moved_v, moved_w) - manifold.inner(x, v, w)
            )
            / length,
            "parallel transport stays tangent": manifold.tangent_error(y, moved_v),
            "parallel transport carries the velocity": _gap(
                manifold.parallel_transport(x, y, u), _scaled(-1, manifold.log(y, x))
            ),
        }

    return terms


def check_laws(manifold, shape, *, radius, tolerance=1e-9, without=(), transports=True):
    """Assert the laws at 16 random pairs; `without` names those that a space states it does not have.

    A space that has no parallel transport says `transports=False`.
    """
    terms = at_random(manifold, shape, radius, transports)
    found = jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), KEYS))
    assert set(without) <= set(found)
    worst = {name: float(jnp.max(values)) for name, values in found.items() if name not in without}
    # A comparison with NaN is false, so this asks for what holds.
    broken = {name: value for name, value in worst.items() if not value < tolerance}
    assert not broken, broken


def check_first_order(manifold, shape, *, tolerance=1e-5):
    """Retraction and vector transport agree with exp and with the identity to first order; d^2 has Hessian 2g."""
    x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
    u, v = (manifold.random_tangent(jax.random.key(k), x) for k in (2, 3))

    def along(move):
        return jax.jvp(lambda t: _flat(move(x, _scaled(t, u))), (0.0,), (1.0,))

    at_zero, velocity = jax.jit(lambda: along(manifold.retract))()
    np.testing.assert_allclose(at_zero, _flat(x), atol=1e-12)
    np.testing.assert_allclose(velocity, _flat(u), atol=tolerance)
    for t in (1e-2, 1e-3):
        step = _scaled(t, u)
        y = manifold.retract(x, step)
        carried = manifold.vector_transport(x, step, v)
        assert float(manifold.tangent_error(y, carried)) < 1e-9
        assert float(_gap(carried, v)) <= 20 * t * (1 + float(jnp.max(jnp.abs(_flat(v)))))


def check_gradient(manifold, shape, *, tolerance=1e-8):
    """<riemannian_gradient, v> is the derivative along v, for a random linear function."""
    x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
    ambient = jax.tree.map(
        lambda leaf: jnp.asarray(np.random.default_rng(3).normal(size=leaf.shape), leaf.dtype), x
    )
    gradient = manifold.riemannian_gradient(x, ambient)
    assert float(manifold.tangent_error(x, gradient)) < tolerance
    for seed in range(3):
        v = manifold.random_tangent(jax.random.key(seed), x)
        got = float(manifold.inner(x, gradient, v))
        want = float(jnp.vdot(_flat(ambient), _flat(v)))
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def check_gradient_of_invariant(manifold, shape, f, *, tolerance=1e-8):
    """<grad f, v> is the derivative of f along v, for a function that does not see what the quotient forgets."""
    x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
    gradient = manifold.riemannian_gradient(x, jax.grad(f)(x))
    assert float(manifold.tangent_error(x, gradient)) < tolerance
    for seed in range(3):
        v = manifold.random_tangent(jax.random.key(seed), x)
        slope = jax.jvp(lambda t, v=v: f(manifold.retract(x, _scaled(t, v))), (0.0,), (1.0,))[1]
        np.testing.assert_allclose(
            float(manifold.inner(x, gradient, v)), float(slope), rtol=tolerance, atol=tolerance
        )


def check_hessian_of_squared_dist(manifold, shape, *, tolerance=1e-6, twice="exp"):
    """The second derivative of squared_dist(x, .) along a geodesic from x is 2 |u|^2 at x, in forward over reverse."""
    x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
    u = manifold.random_tangent(jax.random.key(2), x)

    def squared(t):
        return manifold.squared_dist(x, getattr(manifold, twice)(x, _scaled(t, u)))

    want = 2 * float(manifold.inner(x, u, u))
    for second in (jax.grad(jax.grad(squared)), jax.jacfwd(jax.grad(squared))):
        np.testing.assert_allclose(float(jax.jit(second)(0.0)), want, rtol=tolerance)


OPERATIONS = ("exp", "log", "dist", "squared_dist", "parallel_transport")


def check_finite(manifold, points, *, operations=OPERATIONS):
    """No NaN and no infinity: values, jvp and vjp of every operation and the Hessian of squared_dist.

    points(dtype) -> {name: (x, y, u)}: awkward pairs with a tangent at x; all of one shape, so that each precision
    compiles once.
    """

    def everything(x, y, u):
        calls = {
            "exp": (lambda x, u: manifold.exp(x, u), (x, u)),
            "log": (lambda x, y: manifold.log(x, y), (x, y)),
            "dist": (lambda x, y: manifold.dist(x, y), (x, y)),
            "squared_dist": (lambda x, y: manifold.squared_dist(x, y), (x, y)),
            "parallel_transport": (lambda x, y, u: manifold.parallel_transport(x, y, u), (x, y, u)),
        }
        found = {}
        for name in operations:
            function, arguments = calls[name]
            ones = jax.tree.map(jnp.ones_like, arguments)
            value, forward = jax.jvp(function, arguments, ones)
            _, pull = jax.vjp(function, *arguments)
            found[name] = value, forward, pull(jax.tree.map(jnp.ones_like, value))
        if "squared_dist" in operations:
            gradient = jax.grad(manifold.squared_dist, argnums=1)
            found["Hessian of squared_dist"] = jax.jvp(
                lambda y: gradient(x, y), (y,), (jax.tree.map(jnp.ones_like, y),)
            )[1]
        return {
            name: jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(value)]))
            for name, value in found.items()
        }

    for dtype in (jnp.float32, jnp.float64):
        grid = points(dtype)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *grid.values())
        found = jax.jit(jax.vmap(everything))(*stacked)
        broken = [
            f"{operation} at {name}, {dtype.__name__}"
            for operation, finite in found.items()
            for name, good in zip(grid, finite)
            if not bool(good)
        ]
        assert not broken, broken
