"""The laws that every manifold obeys, and the grid on which nothing may be NaN. Each space's test module calls these.

`check_laws(manifold, shape, radius=...)` checks what the mathematics says of exp, log, dist, transports, retraction,
gradient and geodesics at random points; `check_finite` differentiates everything at points chosen to be awkward.
Neither knows how a space computes. Points within `radius` of each other have unique logarithms.
"""

import jax
import jax.numpy as jnp
import numpy as np

KEYS = 16
STEPS = np.asarray([1e-2, 1e-3])


def _flat(tree):
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def _scaled(c, tree):
    return jax.tree.map(lambda leaf: c * leaf, tree)


def _ones(tree):
    return jax.tree.map(jnp.ones_like, tree)


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


def _tangents(manifold, x, seeds):
    return jax.vmap(lambda seed: manifold.random_tangent(jax.random.key(seed), x))(jnp.asarray(seeds))


def check_first_order(manifold, shape, *, tolerance=1e-5):
    """Retraction and vector transport agree with exp and with the identity to first order; d^2 has Hessian 2g."""

    @jax.jit
    def terms():
        x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
        u, v = (manifold.random_tangent(jax.random.key(k), x) for k in (2, 3))
        start, velocity = jax.jvp(lambda t: _flat(manifold.retract(x, _scaled(t, u))), (0.0,), (1.0,))

        def carried(t):
            step = _scaled(t, u)
            y, moved = manifold.retract(x, step), manifold.vector_transport(x, step, v)
            return manifold.tangent_error(y, moved), _gap(moved, v)

        return _flat(x), start, _flat(u), velocity, jnp.max(jnp.abs(_flat(v))), *jax.vmap(carried)(STEPS)

    x, start, u, velocity, size, errors, gaps = terms()
    np.testing.assert_allclose(start, x, atol=1e-12)
    np.testing.assert_allclose(velocity, u, atol=tolerance)
    assert jnp.all(errors < 1e-9)
    assert jnp.all(gaps <= 20 * STEPS * (1 + size))


def check_gradient(manifold, shape, *, tolerance=1e-8):
    """<riemannian_gradient, v> is the derivative along v, for a random linear function."""

    @jax.jit
    def terms():
        x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
        ambient = jax.tree.map(
            lambda leaf: jnp.asarray(np.random.default_rng(3).normal(size=leaf.shape), leaf.dtype), x
        )
        gradient = manifold.riemannian_gradient(x, ambient)
        v = _tangents(manifold, x, range(3))
        got = jax.vmap(lambda v: manifold.inner(x, gradient, v))(v)
        want = jax.vmap(lambda v: jnp.vdot(_flat(ambient), _flat(v)))(v)
        return manifold.tangent_error(x, gradient), got, want

    error, got, want = terms()
    assert float(error) < tolerance
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def check_gradient_of_invariant(manifold, shape, f, *, tolerance=1e-8):
    """<grad f, v> is the derivative of f along v, for a function that does not see what the quotient forgets."""

    @jax.jit
    def terms():
        x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
        gradient = manifold.riemannian_gradient(x, jax.grad(f)(x))
        v = _tangents(manifold, x, range(3))
        slope = jax.vmap(
            lambda v: jax.jvp(lambda t: f(manifold.retract(x, _scaled(t, v))), (0.0,), (1.0,))[1]
        )
        return (
            manifold.tangent_error(x, gradient),
            jax.vmap(lambda v: manifold.inner(x, gradient, v))(v),
            slope(v),
        )

    error, got, want = terms()
    assert float(error) < tolerance
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def check_hessian_of_squared_dist(manifold, shape, *, tolerance=1e-6):
    """The second derivative of squared_dist(x, .) along a curve from x with velocity u is 2 |u|^2 at x.

    In reverse over reverse and in forward over reverse. Of the curve, a retraction, only two derivatives matter.
    """

    @jax.jit
    def seconds():
        x = manifold.random_point(jax.random.key(1), shape, dtype=jnp.float64)
        u = manifold.random_tangent(jax.random.key(2), x)

        def velocity(t):
            return jax.jvp(lambda t: manifold.retract(x, _scaled(t, u)), (t,), (1.0,))[1]

        first, bend = jax.jvp(velocity, (0.0,), (1.0,))

        def squared(t):
            y = jax.tree.map(lambda a, b, c: a + t * b + t**2 / 2 * c, x, first, bend)
            return manifold.squared_dist(x, y)

        slope = jax.grad(squared)
        return 2 * manifold.inner(x, u, u), jax.grad(slope)(0.0), jax.jvp(slope, (0.0,), (1.0,))[1]

    want, *found = seconds()
    for second in found:
        np.testing.assert_allclose(second, want, rtol=tolerance)


OPERATIONS = ("exp", "log", "dist", "squared_dist", "parallel_transport")


def check_finite(manifold, points, *, operations=OPERATIONS):
    """No NaN and no infinity: values, jvp and vjp of every operation and the Hessian of squared_dist.

    points(dtype) -> {name: (x, y, u)}: awkward pairs with a tangent at x; all of one shape, so that each precision
    compiles once.
    """

    def everything(x, y, u):
        calls = {
            "exp": (manifold.exp, (x, u)),
            "log": (manifold.log, (x, y)),
            "dist": (manifold.dist, (x, y)),
            "parallel_transport": (manifold.parallel_transport, (x, y, u)),
        }
        found = {}
        for name in operations:
            if name == "squared_dist":
                # Forward over reverse gives all: the value, both gradients, and the derivatives of all three.
                all_of_it = jax.value_and_grad(manifold.squared_dist, argnums=(0, 1))
                found[name], found["Hessian of squared_dist"] = jax.jvp(all_of_it, (x, y), _ones((x, y)))
                continue
            function, arguments = calls[name]
            value, derivative = jax.linearize(function, *arguments)
            pull = jax.linear_transpose(derivative, *arguments)
            found[name] = value, derivative(*_ones(arguments)), pull(_ones(value))
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
