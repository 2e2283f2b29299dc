"""The laws that every manifold obeys, and the points at which nothing may be NaN. Each space's test module calls these.

`check_laws(manifold, shape, radius=...)` draws 64 random points with tangents and checks what the mathematics says of
every operation that the space has: all residuals come from one compiled program. `check_finite` differentiates the
operations at points chosen to be awkward. Neither knows how a space computes. Points within `radius` of each other have
unique logarithms.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

KEYS = 64
DERIVATIVE = 1e-7  # relative error of what is compared with a derivative
CURVATURE = 2e-3  # of a curvature from two steps of length 0.02 and 0.04, extrapolated


def _flat(tree):
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def _scaled(c, tree):
    return jax.tree.map(lambda leaf: c * leaf, tree)


def _stack(*trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _row(tree, index):
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _ones(tree):
    return jax.tree.map(jnp.ones_like, tree)


def _gap(a, b):
    return jnp.max(jnp.abs(_flat(a) - _flat(b)))


def _ambient(x):
    """Fixed random coefficients of a linear function of ambient coordinates."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(np.random.default_rng(3).normal(size=leaf.shape), leaf.dtype), x
    )


def _of_every_space(m, x, u, v, w):
    """Laws of the metric, the projections, the retraction, the transport along it and the gradient.

    With them come the inner products: {"uu": ..., "vv": ..., "ww": ..., "uv": ..., "vw": ...}.
    """

    def f(y):
        return jnp.real(jnp.vdot(_flat(_ambient(x)), _flat(y)))

    def curve(t, vector):
        return jax.jvp(lambda t: m.retract(x, _scaled(t, vector)), (t,), (1.0,))

    gradient = m.riemannian_gradient(x, jax.grad(f)(x))
    products = jax.vmap(m.inner, (None, 0, 0))(
        x, _stack(u, v, w, u, v, w, gradient), _stack(u, v, w, v, w, v, v)
    )
    uu, vv, ww, uv, vw, wv, gradient_v = products
    curves, velocities = jax.vmap(curve)(jnp.asarray([0.0, 0.1, 0.0]), _stack(u, u, v))
    start, velocity, ahead = _row(curves, 0), _row(velocities, 0), _row(curves, 1)
    slope = f(_row(velocities, 2))  # f is linear
    moved = jax.vmap(lambda t: m.vector_transport(x, _scaled(t, u), v))(jnp.asarray([1e-3, 0.1]))
    near, carried = _row(moved, 0), _row(moved, 1)
    errors = jax.vmap(m.tangent_error)(_stack(ahead, x, x), _stack(carried, u, gradient))
    return {"uu": uu, "vv": vv, "ww": ww, "uv": uv, "vw": vw}, {
        "inner is symmetric": jnp.abs(vw - wv) / jnp.sqrt(vv * ww),
        "norm squared is inner": jnp.abs(m.norm(x, v) ** 2 - vv) / vv,
        "projections change nothing": errors[1] + m.constraint_error(x),
        "retract starts at x": _gap(start, x),
        "retract starts with velocity u": (_gap(velocity, u) / (1 + jnp.sqrt(uu)), DERIVATIVE),
        "vector transport ends at the retraction": errors[0],
        "vector transport starts as the identity": (_gap(near, v) / (1 + jnp.max(jnp.abs(_flat(v)))), 0.02),
        "the gradient is tangent": errors[2],
        "the gradient gives the slope": (
            jnp.abs(gradient_v - slope) / (1 + jnp.sqrt(vv) + jnp.abs(slope)),
            DERIVATIVE,
        ),
    }


def _of_exp(m, x, u, v, products):
    """Geodesics stay on the manifold and bend towards each other as the curvature says. With them comes exp of u at x.

    The field J(t) of exp(t (u + e v)) has |J|^2 = t^2 |v|^2 - t^4 K area / 3 + odd terms + O(t^6).
    """

    def spread(t):
        def ray(e):
            return m.exp(x, jax.tree.map(lambda a, b: t * (a + e * b), u, v))

        ahead, field = jax.jvp(ray, (0.0,), (1.0,))
        field = m.to_tangent(ahead, field)
        return ahead, m.inner(ahead, field, field) / t**2

    uu, vv = products["uu"], products["vv"]
    area = uu * vv - products["uv"] ** 2
    h = 0.02 / jnp.sqrt(uu)
    points, spreads = jax.vmap(spread)(jnp.concatenate([h * jnp.asarray([1, -1, 2, -2]), jnp.ones(1)]))
    y = _row(points, 4)
    ahead, back, far, far_back, _ = spreads
    near = 3 * (vv - (ahead + back) / 2) / (h**2 * area)
    wide = 3 * (vv - (far + far_back) / 2) / (4 * h**2 * area)
    curvature = m.sectional_curvature(x, u, v)
    # A curvature is known to the rounding of |J|^2 over the area: planes that are nearly a line tell nothing.
    gap = jnp.abs((4 * near - wide) / 3 - curvature) * jnp.minimum(1, area / (uu * vv))
    return y, {
        "exp stays on the manifold": m.constraint_error(y),
        "curvature spreads geodesics": (gap / (1 + jnp.abs(curvature)), CURVATURE),
    }


def _of_log(m, x, u, log):
    """Logarithms undo exp."""
    return {"log undoes exp": _gap(log, u), "log is tangent": m.tangent_error(x, log)}


def _of_distances(m, x, y, length, t):
    """Distances and geodesics agree with exp, with each other, and in both directions."""
    between = m.geodesic(x, y, t)
    dist, back, part = jax.vmap(m.dist)(_stack(x, y, x), _stack(y, x, between))
    return {
        "dist is the length of exp": jnp.abs(dist - length),
        "dist is symmetric": jnp.abs(dist - back),
        "squared_dist is dist squared": jnp.abs(dist**2 - m.squared_dist(x, y)),
        "a geodesic has constant speed": jnp.abs(part - t * dist),
    }


def _of_transport(m, x, y, u, v, w, products, back):
    """Parallel transport is a linear isometry that keeps the velocity of the geodesic, minus the way `back`."""
    moved = jax.vmap(lambda vector: m.parallel_transport(x, y, vector))(_stack(v, w, u))
    after = m.inner(y, _row(moved, 0), _row(moved, 1))
    lengths = jnp.sqrt(products["vv"] * products["ww"])
    return {
        "parallel transport keeps inner products": jnp.abs(after - products["vw"]) / lengths,
        "parallel transport stays tangent": m.tangent_error(y, _row(moved, 0)),
        "parallel transport carries the velocity": _gap(_row(moved, 2), _scaled(-1, back)),
    }


def residuals(manifold, shape, radius, skip=()):
    """(key -> {law: residual}, {law: its own tolerance, if that is not the one for rounding}).

    An operation is called once, for a stack of arguments, where it can be: each call compiles anew.
    """
    limits: dict[str, float] = {}

    def terms(key):
        k1, k2, k3, k4, k5, k6 = jax.random.split(key, 6)
        x = manifold.random_point(k1, shape, dtype=jnp.float64)
        tangents = jax.vmap(lambda k: manifold.random_tangent(k, x))(jnp.stack([k2, k3, k4]))
        u, v, w = (_row(tangents, i) for i in range(3))
        u = _scaled(radius * jax.random.uniform(k5, minval=0.1) / manifold.norm(x, u), u)
        found: dict[str, Any]
        products, found = _of_every_space(manifold, x, u, v, w)
        if hasattr(manifold, "exp"):
            y, more = _of_exp(manifold, x, u, v, products)
            found |= more
        if hasattr(manifold, "log"):
            logs = jax.vmap(manifold.log)(_stack(x, y), _stack(y, x))
            found |= _of_log(manifold, x, u, _row(logs, 0))
        if hasattr(manifold, "log") and "distances" not in skip:
            found |= _of_distances(manifold, x, y, jnp.sqrt(products["uu"]), jax.random.uniform(k6))
        if hasattr(manifold, "parallel_transport") and "parallel transport" not in skip:
            found |= _of_transport(manifold, x, y, u, v, w, products, _row(logs, 1))
        for name, value in found.items():
            if isinstance(value, tuple):
                found[name], limits[name] = value
        return found

    return terms, limits


def check_laws(manifold, shape, *, radius, tolerance=1e-9, without=(), num=KEYS):
    """Assert the laws at random points; `without` names those that a space says it does not keep.

    It may name the groups "distances" and "parallel transport", which are then not computed at all.
    """
    terms, limits = residuals(manifold, shape, radius, without)
    found = jax.jit(jax.vmap(terms))(jax.random.split(jax.random.key(0), num))
    assert set(without) <= {*found, "distances", "parallel transport"}
    worst = {name: float(jnp.max(values)) for name, values in found.items() if name not in without}
    # A comparison with NaN is false, so this asks for what holds.
    broken = {name: value for name, value in worst.items() if not value < limits.get(name, tolerance)}
    assert not broken, broken


def check_hessian_of_squared_dist(manifold, shape, *, tolerance=1e-6):
    """The second derivative of squared_dist(x, .) along a curve from x with velocity u is 2 |u|^2 at x.

    In forward over reverse mode. Of the curve, a retraction, only two derivatives matter.
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

        return 2 * manifold.inner(x, u, u), jax.jvp(jax.grad(squared), (0.0,), (1.0,))[1]

    want, got = seconds()
    np.testing.assert_allclose(got, want, rtol=tolerance)


# For check_finite: dtypes, each with the order of the derivatives of squared_dist.
PRECISIONS = [
    (jnp.float32, 1),
    pytest.param(jnp.float32, 2, marks=pytest.mark.full),
    pytest.param(jnp.float64, 2, marks=pytest.mark.full),
]
OPERATIONS = ("exp", "log", "dist", "squared_dist", "parallel_transport")


def check_finite(manifold, points, dtype, order, *, operations=OPERATIONS):
    """No NaN and no infinity: values and derivatives of every operation, and at order 2 the Hessian of squared_dist.

    points(dtype) -> {name: (x, y, u)}: awkward pairs with a tangent at x, all of one shape, go through one program.
    Derivatives are in forward mode, along directions that see every entry of the Jacobian; the gradient of
    squared_dist is in reverse mode, and its derivative in forward mode.
    """
    operations = [name for name in operations if hasattr(manifold, name)]

    def everything(x, y, u):
        calls = {
            "exp": (manifold.exp, (x, u)),
            "log": (manifold.log, (x, y)) if hasattr(manifold, "log") else None,
            "dist": (manifold.dist, (x, y)) if hasattr(manifold, "log") else None,
            "parallel_transport": (lambda *a: manifold.parallel_transport(*a), (x, y, u)),
        }
        found = {}
        for name in operations:
            if name == "squared_dist":
                # The value, both gradients, and the derivatives of all three.
                all_of_it = jax.value_and_grad(manifold.squared_dist, argnums=(0, 1))
                if order == 1:
                    found[name] = all_of_it(x, y)
                    continue
                found[name], found["Hessian of squared_dist"] = jax.jvp(all_of_it, (x, y), _ones((x, y)))
                continue
            function, arguments = calls[name]
            found[name] = jax.jvp(function, arguments, _ones(arguments))
        return {
            name: jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(value)]))
            for name, value in found.items()
        }

    grid = points(dtype)
    found = jax.jit(jax.vmap(everything))(*_stack(*grid.values()))
    broken = [
        f"{operation} at {name}"
        for operation, finite in found.items()
        for name, good in zip(grid, finite)
        if not bool(good)
    ]
    assert not broken, broken
