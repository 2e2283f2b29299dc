"""Wrong calls are answered at the door: what was given, what is expected, and what to write."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.manifolds import (
    Euclidean,
    FixedRank,
    Flag,
    Power,
    Product,
    SPDAffineInvariant,
    SPDPower,
    Sphere,
    SymmetricPower,
    accumulated_unexplained_variance,
    barycentric_subspace_analysis,
    barycentric_subspace_project,
    bezier_curve,
    consistency_bias,
    frechet_mean,
    frechet_median,
    geodesic_regression,
    haar_sample,
    pole_ladder,
    quotient_frechet_mean,
    riemannian_grad,
    riemannian_hvp,
    schild_ladder,
    tangent_pca,
)
from geojax.manifolds.normalization import BatchNormState, batch_norm, batch_norm_eval, frechet_variance
from geojax.manifolds.spd import KernelMetric, hamiltonian_geodesic

SPHERE = Sphere()
POINTS = np.eye(3)
X, U = POINTS[0], POINTS[1]
STATE = BatchNormState(X, 1.0)

# Every public function that takes a manifold, with the manifold left out.
TAKE_A_MANIFOLD = {
    "accumulated_unexplained_variance": lambda m: accumulated_unexplained_variance(m, POINTS[:2], POINTS),
    "barycentric_subspace_analysis": lambda m: barycentric_subspace_analysis(m, POINTS, 1),
    "barycentric_subspace_project": lambda m: barycentric_subspace_project(m, POINTS[:2], X),
    "batch_norm": lambda m: batch_norm(m, POINTS, STATE, X, 1.0),
    "batch_norm_eval": lambda m: batch_norm_eval(m, POINTS, STATE, X, 1.0),
    "bezier_curve": lambda m: bezier_curve(m, POINTS, 0.5),
    "frechet_mean": lambda m: frechet_mean(m, POINTS),
    "frechet_median": lambda m: frechet_median(m, POINTS),
    "frechet_variance": lambda m: frechet_variance(m, POINTS, X),
    "geodesic_regression": lambda m: geodesic_regression(m, np.arange(3.0), POINTS),
    "pole_ladder": lambda m: pole_ladder(m, X, U, U),
    "riemannian_grad": lambda m: riemannian_grad(jnp.sum, m),
    "riemannian_hvp": lambda m: riemannian_hvp(jnp.sum, m),
    "schild_ladder": lambda m: schild_ladder(m, X, U, U),
    "tangent_pca": lambda m: tangent_pca(m, X, POINTS),
}


@pytest.mark.parametrize("name", TAKE_A_MANIFOLD)
def test_a_class_or_something_else_in_place_of_a_manifold(name):
    call = TAKE_A_MANIFOLD[name]
    with pytest.raises(
        TypeError, match=rf"{name}: manifold is the class Sphere; expected a manifold. Write Sphere\(\)"
    ):
        call(Sphere)
    with pytest.raises(
        TypeError, match=rf"{name}: manifold is 'sphere'; expected a manifold. Pass an instance"
    ):
        call("sphere")


@pytest.mark.parametrize("name", sorted(set(TAKE_A_MANIFOLD) - {"riemannian_grad", "riemannian_hvp"}))
def test_a_space_without_the_operation(name):
    wanted = {
        "batch_norm": "parallel_transport",
        "batch_norm_eval": "parallel_transport",
        "frechet_variance": "squared_dist",
    }
    operation = wanted.get(name, "log")
    with pytest.raises(
        TypeError, match=rf"{name}: manifold needs {operation}. Flag has no {operation}.*Every space but"
    ):
        TAKE_A_MANIFOLD[name](Flag((1,)))


WRONG = {
    "swapped arguments of frechet_mean": (
        lambda: frechet_mean(POINTS, SPHERE),
        TypeError,
        r"frechet_mean: manifold is float64\[3, 3\]; expected a manifold. Pass manifold first, such as Sphere\(\)",
    ),
    "several manifolds in a dict": (
        lambda: frechet_mean({"a": SPHERE, "b": SPHERE}, {"a": POINTS, "b": POINTS}),
        TypeError,
        "manifold is a dict; expected a manifold. Join several spaces in Product",
    ),
    "a manifold in place of points": (
        lambda: bezier_curve(SPHERE, SPHERE, 0.5),
        TypeError,
        "bezier_curve: points is a Sphere; expected points",
    ),
    "points of another rank": (
        lambda: frechet_mean(SPHERE, np.ones((2, 3, 3))),
        ValueError,
        r"each of points has shape \[3, 3\], rank 2; expected \[n\]",
    ),
    "one point in place of several": (
        lambda: frechet_mean(SPHERE, X),
        ValueError,
        r"each of points has shape \[\], rank 0; expected \[n\]",
    ),
    "points that do not stack": (
        lambda: frechet_mean(SPHERE, [X, X[:2]]),
        ValueError,
        r"leaf '' of a point of points has shape \[2\]; expected \[3\]",
    ),
    "an empty list": (
        lambda: frechet_mean(SPHERE, []),
        ValueError,
        "points holds no point; expected at least one",
    ),
    "complex points": (
        lambda: frechet_mean(SPHERE, 1j * POINTS),
        TypeError,
        "each of points has dtype complex128; expected real numbers",
    ),
    "weights of another length": (
        lambda: frechet_mean(SPHERE, POINTS, np.ones(2)),
        ValueError,
        r"weights has shape \[2\]; expected real numbers \[3\], one for each point",
    ),
    "complex weights": (
        lambda: frechet_mean(SPHERE, POINTS, 1j * np.ones(3)),
        TypeError,
        "weights has dtype complex128; expected real numbers",
    ),
    "a base point of another shape": (
        lambda: tangent_pca(SPHERE, X[:2], POINTS),
        ValueError,
        r"tangent_pca: x has shape \[2\]; expected \[n\] with n = 3 as in each of points",
    ),
    "a tangent of another shape": (
        lambda: SPHERE.exp(X, U[:2]),
        ValueError,
        r"Sphere.exp: u has shape \[2\]; expected \[n\] with n = 3 as in x",
    ),
    "a list in place of a point": (
        lambda: SPHERE.exp([1.0, 0.0], [0.0, 1.0]),
        TypeError,
        "Sphere.exp: x is a list; expected an array of real numbers. Convert it with jax.numpy.asarray",
    ),
    "swapped arguments of riemannian_grad": (
        lambda: riemannian_grad(SPHERE, jnp.sum),
        TypeError,
        r"riemannian_grad: f is a Sphere; expected a function. Swap the arguments",
    ),
    "the value of a function in place of it": (
        lambda: riemannian_hvp(jnp.sum(X), SPHERE),
        TypeError,
        r"riemannian_hvp: f is float64\[\]; expected a function. Pass it uncalled",
    ),
    "riemannian_hvp without exp": (
        lambda: riemannian_hvp(jnp.sum, FixedRank(1)),
        TypeError,
        "riemannian_hvp: manifold needs exp. FixedRank has no exp.*hamiltonian_geodesic",
    ),
    "a gradient at a point of another rank": (
        lambda: riemannian_grad(jnp.sum, SPHERE)(POINTS),
        ValueError,
        r"Sphere.riemannian_grad: x has shape \[3, 3\], rank 2",
    ),
    "classes in a product": (
        lambda: Product({"a": Sphere}),
        TypeError,
        r"Product: tree has the class Sphere at 'a'; expected a manifold. Write Sphere\(\)",
    ),
    "a class in a power": (
        lambda: Power(Sphere),
        TypeError,
        r"Power: manifold is the class Sphere; expected a manifold. Write Sphere\(\)",
    ),
    "a class in a power of a metric": (
        lambda: SPDPower(SPDAffineInvariant, theta=0.5),
        TypeError,
        r"SPDPower: manifold is the class SPDAffineInvariant",
    ),
    "a class in a symmetric power": (
        lambda: SymmetricPower(Sphere, lambda costs: costs),
        TypeError,
        "SymmetricPower: manifold is the class Sphere",
    ),
    "a number in place of the dimensions of a flag": (
        lambda: Flag(3),
        ValueError,
        "Flag: dims is 3; expected increasing positive integers",
    ),
    "an old key": (
        lambda: SPHERE.random_point(jax.random.PRNGKey(0), (3,)),
        TypeError,
        "Sphere.random_point: key is uint32.*expected a typed random key",
    ),
    "a seed in place of a key": (
        lambda: haar_sample(0, Euclidean(), 3),
        TypeError,
        "haar_sample: key is 0; expected a typed random key",
    ),
    "another space in place of a group": (
        lambda: haar_sample(jax.random.key(0), Euclidean(), 3),
        TypeError,
        r"haar_sample: group is a Euclidean; expected SpecialOrthogonal\(\)",
    ),
    "a space that is no kernel metric": (
        lambda: hamiltonian_geodesic(SPDAffineInvariant(), jnp.eye(2), jnp.eye(2), 1.0),
        TypeError,
        "hamiltonian_geodesic: manifold is an SPDAffineInvariant; expected a KernelMetric",
    ),
    "a kernel that cannot be called": (
        lambda: KernelMetric("affine"),
        TypeError,
        "KernelMetric: kernel is 'affine'; expected a function",
    ),
    "points in place of the alignment": (
        lambda: quotient_frechet_mean(POINTS, POINTS),
        TypeError,
        r"quotient_frechet_mean: align is float64\[3, 3\]; expected a function",
    ),
    "no function to align with": (
        lambda: consistency_bias(X, 0.1, None, key=jax.random.key(0)),
        TypeError,
        "consistency_bias: align is None; expected a function",
    ),
    "a fraction of a step": (
        lambda: frechet_mean(SPHERE, POINTS, max_steps=10.0),
        TypeError,
        "frechet_mean: max_steps is 10.0",
    ),
    "no rung": (
        lambda: pole_ladder(SPHERE, X, U, U, num_rungs=0),
        ValueError,
        "pole_ladder: num_rungs is 0; expected at least 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call(name):
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message):
        call()


@pytest.mark.full
def test_lists_of_points_and_integer_points_are_taken():
    want = frechet_mean(SPHERE, POINTS).point
    np.testing.assert_array_equal(frechet_mean(SPHERE, list(POINTS)).point, want)
    np.testing.assert_array_equal(frechet_mean(SPHERE, tuple(jnp.asarray(POINTS))).point, want)
    np.testing.assert_array_equal(frechet_mean(SPHERE, POINTS.astype(int)).point, want)
    pair = Product([SPHERE, Euclidean()])
    one, two = [X, jnp.zeros(2)], [U, jnp.ones(2)]
    stacked = [jnp.stack([X, U]), jnp.stack([jnp.zeros(2), jnp.ones(2)])]
    for points in ([one, two], (one, two), stacked):
        mean = frechet_mean(pair, points).point
        np.testing.assert_allclose(mean[1], 0.5, atol=1e-6)
        np.testing.assert_allclose(mean[0], [0.5**0.5, 0.5**0.5, 0], atol=1e-6)


def test_a_batch_may_be_a_list():
    points = [jnp.eye(2), 2 * jnp.eye(2)]
    state = BatchNormState(jnp.eye(2), 1.0)
    metric = SPDAffineInvariant()
    one, two = (batch_norm(metric, batch, state, jnp.eye(2), 1.0) for batch in (points, jnp.stack(points)))
    np.testing.assert_array_equal(one.points, two.points)
