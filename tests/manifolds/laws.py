"""The laws that every manifold obeys, and the points at which nothing may be NaN. Each space's test module calls these.

`check_laws(manifold, shape, radius=...)` draws 64 random points with tangents and checks what the mathematics says of
every operation that the space has. `check_finite` differentiates the
operations at points chosen to be awkward. Neither knows how a space computes. Points within `radius` of each other have
unique logarithms.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

KEYS = 64
DERIVATIVE = 1e-7  # relative error of what is compared with a derivative
LIMITS = {  # of laws that hold to more than rounding
    "retract starts with velocity u": DERIVATIVE,
    "vector transport starts as the identity": 0.02,
    "the gradient gives the slope": DERIVATIVE,
    "curvature spreads geodesics": 2e-3,  # from two steps of length 0.02 and 0.04, extrapolated
}


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
    """Laws of the metric, the retraction, the transport along it and the gradient.

    With them come the inner products, {"uu": ..., "vv": ..., "ww": ..., "uv": ..., "vw": ...}, and {law: (point,
    vector)} of vectors that have to be tangent.
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
    tangents = {
        "vector transport ends at the retraction": (ahead, carried),
        "projections change nothing": (x, u),
        "the gradient is tangent": (x, gradient),
    }
    return (
        {"uu": uu, "vv": vv, "ww": ww, "uv": uv, "vw": vw},
        tangents,
        {
            "inner is symmetric": jnp.abs(vw - wv) / jnp.sqrt(vv * ww),
            "norm squared is inner": jnp.abs(m.norm(x, v) ** 2 - vv) / vv,
            "retract starts at x": _gap(start, x),
            "retract starts with velocity u": _gap(velocity, u) / (1 + jnp.sqrt(uu)),
            "vector transport starts as the identity": _gap(near, v) / (1 + jnp.max(jnp.abs(_flat(v)))),
            "the gradient gives the slope": jnp.abs(gradient_v - slope) / (1 + jnp.sqrt(vv) + jnp.abs(slope)),
        },
    )


def _of_exp(m, x, u, v, products):
    """Geodesics bend towards each other as the curvature says. With the law comes exp of u at x.

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
    ahead, back, far, far_back, _ = spreads
    near = 3 * (vv - (ahead + back) / 2) / (h**2 * area)
    wide = 3 * (vv - (far + far_back) / 2) / (4 * h**2 * area)
    curvature = m.sectional_curvature(x, u, v)
    # A curvature is known to the rounding of |J|^2 over the area: planes that are nearly a line tell nothing.
    gap = jnp.abs((4 * near - wide) / 3 - curvature) * jnp.minimum(1, area / (uu * vv))
    return _row(points, 4), {"curvature spreads geodesics": gap / (1 + jnp.abs(curvature))}


def _of_log(m, x, y, u, length, t, *, distances):
    """Logarithms undo exp; distances and geodesics agree with exp, with each other, and in both directions.

    With the laws come the logarithms of y at x and of x at y. All operations go over one stack of pairs, as the
    compiler then makes once what they have in common.
    """
    starts, ends = (x, y), (y, x)
    if distances:
        starts, ends = (x, y, x), (y, x, m.geodesic(x, y, t))
    starts, ends = _stack(*starts), _stack(*ends)
    logs = jax.vmap(m.log)(starts, ends)
    there, back = _row(logs, 0), _row(logs, 1)
    found = {"log undoes exp": _gap(there, u)}
    if distances:
        dists, squares = jax.vmap(m.dist)(starts, ends), jax.vmap(m.squared_dist)(starts, ends)
        dist, dist_back, part = dists
        found |= {
            "dist is the length of exp": jnp.abs(dist - length),
            "dist is symmetric": jnp.abs(dist - dist_back),
            "squared_dist is dist squared": jnp.max(jnp.abs(dists**2 - squares)),
            "a geodesic has constant speed": jnp.abs(part - t * dist),
        }
    return there, back, found


def _of_transport(m, x, y, u, v, w, products, back):
    """Parallel transport is a linear isometry that keeps the velocity of the geodesic, minus the way `back`.

    With the laws comes v, carried to y.
    """
    moved = jax.vmap(lambda vector: m.parallel_transport(x, y, vector))(_stack(v, w, u))
    carried = _row(moved, 0)
    after = m.inner(y, carried, _row(moved, 1))
    lengths = jnp.sqrt(products["vv"] * products["ww"])
    return carried, {
        "parallel transport keeps inner products": jnp.abs(after - products["vw"]) / lengths,
        "parallel transport carries the velocity": _gap(_row(moved, 2), _scaled(-1, back)),
    }


@functools.cache
def _keys(num):
    """Four random keys for each of `num` points."""
    return jax.jit(jax.vmap(lambda key: jax.random.split(key, 6)[:4]))(
        jax.random.split(jax.random.key(0), num)
    )


def _draw(m, shape, radius, keys, size):
    """A random point with three tangents, of which the first is as long as `size` radii."""
    x = m.random_point(keys[0], shape, dtype=jnp.float64)
    drawn = jax.vmap(lambda k: m.random_tangent(k, x))(keys[1:])
    u, v, w = (_row(drawn, i) for i in range(3))
    return x, _scaled(radius * size / m.norm(x, u), u), v, w


def _errors(m, points, tangents):
    """How far the points {law: x} are off the manifold, and the vectors {law: (x, vector)} off the tangent space."""
    astray = jax.vmap(m.constraint_error)(_stack(*points.values()))
    off = jax.vmap(m.tangent_error)(*(_stack(*side) for side in zip(*tangents.values())))
    return dict(zip(points, astray)), dict(zip(tangents, off))


def residuals(manifold, shape, radius, num, skip=()):
    """{law: its residual at each of `num` random points}.

    A program for each group of laws: one for all would make anew, in every term that needs them, the terms that the
    groups share. An operation is called once in a group, for a stack of arguments, where it can be.
    """

    def run(function, *arguments):
        return jax.jit(jax.vmap(functools.partial(function, manifold)))(*arguments)

    rng = np.random.default_rng(0)
    keys, sizes, times = _keys(num), rng.uniform(0.1, 1, num), rng.uniform(size=num)
    x, u, v, w = run(lambda m, *drawn: _draw(m, shape, radius, *drawn), keys, sizes)
    products, tangents, found = run(_of_every_space, x, u, v, w)
    points = {"projections change nothing": x}
    if hasattr(manifold, "exp"):
        y, more = run(_of_exp, x, u, v, products)
        points["exp stays on the manifold"] = y
        found |= more
    if hasattr(manifold, "log"):
        laws = functools.partial(_of_log, distances="distances" not in skip)
        log, back, more = run(laws, x, y, u, np.sqrt(products["uu"]), times)
        tangents["log is tangent"] = x, log
        found |= more
    if hasattr(manifold, "parallel_transport") and "parallel transport" not in skip:
        carried, more = run(_of_transport, x, y, u, v, w, products, back)
        tangents["parallel transport stays tangent"] = y, carried
        found |= more
    astray, off = run(_errors, points, tangents)
    return found | off | {law: error + off.get(law, 0) for law, error in astray.items()}


def check_laws(manifold, shape, *, radius, tolerance=1e-9, without=(), num=KEYS):
    """Assert the laws at random points; `without` names those that a space says it does not keep.

    It may name the groups "distances" and "parallel transport", which are then not computed at all.
    """
    found = residuals(manifold, shape, radius, num, without)
    assert set(without) <= {*found, "distances", "parallel transport"}
    worst = {name: float(np.max(values)) for name, values in found.items() if name not in without}
    # A comparison with NaN is false, so this asks for what holds.
    broken = {name: value for name, value in worst.items() if not value < LIMITS.get(name, tolerance)}
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
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *grid.values())
    found = jax.jit(jax.vmap(everything))(*stacked)
    broken = [
        f"{operation} at {name}"
        for operation, finite in found.items()
        for name, good in zip(grid, finite)
        if not bool(good)
    ]
    assert not broken, broken
