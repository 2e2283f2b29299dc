"""Products and powers: the laws over a nested tree, sums over the parts, and what bad input says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.manifolds import Euclidean, Power, Product, Sphere
from tests.manifolds import laws

SPACE = Product({"a": Euclidean(), "b": (Power(Sphere()),)})
SHAPE = {"a": (2,), "b": ((2, 3),)}


def test_law_manifold():
    laws.check_laws(SPACE, SHAPE, radius=2.0)


@pytest.mark.full
def test_law_hessian_of_squared_dist():
    laws.check_hessian_of_squared_dist(SPACE, SHAPE)


@pytest.mark.parametrize("dtype, order", laws.PRECISIONS)
def test_nothing_is_nan_where_parts_coincide(dtype, order):
    def points(dtype):
        @jax.jit
        def draw():
            x = SPACE.random_point(jax.random.key(0), SHAPE, dtype=dtype)
            return x, SPACE.random_tangent(jax.random.key(1), x)

        x, u = jax.tree.map(np.asarray, draw())
        zero = jax.tree.map(np.zeros_like, u)
        partly = {"a": zero["a"], "b": u["b"]}
        opposite = {"a": x["a"], "b": (x["b"][0] * np.asarray([[-1], [1]], dtype),)}
        return {
            "x = y": (x, x, zero),
            "one part equal": (x, SPACE.exp(x, partly), partly),
            "antipodal rows": (x, opposite, u),
        }

    laws.check_finite(SPACE, points, dtype, order)


def test_matches_the_parts():
    """Every operation is that of the parts, and distances add up as squares."""

    @jax.jit
    def draw():
        x, y = (SPACE.random_point(jax.random.key(k), SHAPE) for k in (0, 1))
        return x, y, *(SPACE.random_tangent(jax.random.key(k), x) for k in (2, 3))

    x, y, u, v = jax.tree.map(np.asarray, draw())
    sphere, (p,), (q,) = Sphere(), x["b"], y["b"]
    want = float(sphere.squared_dist(p[0], q[0]) + sphere.squared_dist(p[1], q[1]))
    want += float(np.sum((x["a"] - y["a"]) ** 2))
    np.testing.assert_allclose(SPACE.squared_dist(x, y), want, rtol=1e-14)
    np.testing.assert_allclose(SPACE.log(x, y)["b"][0][1], sphere.log(p[1], q[1]), rtol=1e-14)
    np.testing.assert_allclose(
        SPACE.inner(x, u, v), sum(np.vdot(*pair) for pair in zip(*map(jax.tree.leaves, (u, v)))), rtol=1e-13
    )
    assert SPACE.dimension(x) == 2 + 4


def test_curvature_of_mixed_planes():
    """0 for a plane across two parts; of two spheres, the share of the area that each carries."""
    space = Product((Sphere(), Sphere()))
    x = space.random_point(jax.random.key(0), ((3,), (3,)))
    u, v = (space.random_tangent(jax.random.key(k), x) for k in (1, 2))
    across = (u[0], jnp.zeros(3)), (jnp.zeros(3), v[1])
    assert float(space.sectional_curvature(x, *across)) == 0
    inside = (u[0], jnp.zeros(3)), (v[0], jnp.zeros(3))
    np.testing.assert_allclose(space.sectional_curvature(x, *inside), 1, rtol=1e-12)

    def area(a, b):
        return (a @ a) * (b @ b) - (a @ b) ** 2

    whole = [jnp.concatenate(w) for w in (u, v)]
    want = (area(u[0], v[0]) + area(u[1], v[1])) / area(*whole)
    np.testing.assert_allclose(space.sectional_curvature(x, u, v), want, rtol=1e-12)
    rows = Power(Sphere())
    stacked = [jnp.stack(w) for w in (x, u, v)]
    np.testing.assert_allclose(rows.sectional_curvature(*stacked), want, rtol=1e-12)
    assert float(rows.sectional_curvature(stacked[0], *(jnp.stack(w) for w in across))) == 0


def test_log_with_info_is_that_of_the_worst_part():
    x = SPACE.random_point(jax.random.key(0), SHAPE)
    y = {"a": x["a"], "b": (x["b"][0].at[1].multiply(-1),)}
    assert not SPACE.log_with_info(x, y).unique
    assert SPACE.log_with_info(x, x).unique
    broken = {"a": x["a"].at[0].set(jnp.nan), "b": x["b"]}
    assert int(SPACE.log_with_info(x, broken).status) == gj.Status.NONFINITE


def test_parts_keep_their_dtypes():
    space = Product((Sphere(), Euclidean()))
    x = (jnp.asarray([1.0, 0.0], jnp.float32), jnp.zeros(2))
    moved = space.exp(x, (jnp.asarray([0.0, 1.0], jnp.float32), jnp.ones(2)))
    assert [leaf.dtype for leaf in moved] == [jnp.float32, jnp.float64]


def test_parameters_of_the_parts_are_leaves():
    """A product of powers of products is still one pytree, and changing nothing but values compiles nothing."""
    space = Power(Product((Euclidean(), Sphere())))
    x = jax.eval_shape(lambda: space.random_point(jax.random.key(0), ((4, 2), (4, 3))))
    assert x[0].shape == (4, 2) and x[1].shape == (4, 3)
    assert space.dimension((np.zeros((4, 2)), np.ones((4, 3)) / np.sqrt(3))) == 16
    assert jax.tree.structure(space) == jax.tree.structure(Power(Product((Euclidean(), Sphere()))))


def test_bad_input_says_what_is_wrong():
    x = SPACE.random_point(jax.random.key(0), SHAPE)
    with pytest.raises(TypeError, match=r"Product: tree has 1.0 at 'a'.*manifold"):
        Product({"a": 1.0})
    with pytest.raises(TypeError, match=r"Power: manifold is the class Sphere.*Write Sphere\(\)"):
        Power(Sphere)
    with pytest.raises(ValueError, match=r"Product.dist: y is .*expected the containers"):
        SPACE.dist(x, {"a": x["a"]})
    with pytest.raises(ValueError, match=r"Euclidean.dist: y at 'a' has shape \[3\]"):
        SPACE.dist(x, {"a": jnp.zeros(3), "b": x["b"]})
    with pytest.raises(ValueError, match=r"Power.dist: y has 3 rows where x has 2"):
        Power(Sphere()).dist(jnp.ones((2, 2)), jnp.ones((3, 2)))
    with pytest.raises(ValueError, match=r"leaf of rank 0"):
        Power(Sphere()).project(1.0)
    with pytest.raises(ValueError, match=r"off the manifold by 0.5"):
        SPACE.check_point({"a": x["a"], "b": (2 * x["b"][0],)})
