"""Calls that a newcomer gets wrong: the message says what was given, what is expected and what to write."""

import functools

import jax
import jax.numpy as jnp
import optax
import pytest

from geojax import optim
from geojax.manifolds import Sphere

X = jnp.array([0.6, 0.8])
W = jnp.eye(2)
PARAMS = {"axis": X, "bias": jnp.zeros((100, 100))}
PLACES = {"axis": Sphere(), "bias": None}
KEY = jax.random.key(0)


def square(x):
    return jnp.sum(x**2)


def started(optimiser, params):
    return optimiser.init(params)


WRONG = {
    "the class of a manifold": (
        lambda: started(optim.riemannian(Sphere, optax.sgd(0.1)), X),
        TypeError,
        r"riemannian: manifolds holds the class Sphere; expected manifolds and None\. Write Sphere\(\)",
    ),
    "a class deep in a tree": (
        lambda: started(optim.riemannian_sgd(0.1, {"axis": Sphere, "bias": None}), PARAMS),
        TypeError,
        r"manifolds holds the class Sphere at 'axis'",
    ),
    "another key in the prefix": (
        lambda: started(optim.riemannian_adam(0.1, {"axes": Sphere(), "bias": None}), PARAMS),
        ValueError,
        r"riemannian: manifolds has a dict with 'axes', 'bias', where the parameters have a dict with 'axis', 'bias'",
    ),
    "a prefix that goes below a leaf": (
        lambda: started(optim.riemannian({"axis": [Sphere()], "bias": None}, optax.sgd(0.1)), PARAMS),
        ValueError,
        r"manifolds has a list with '0' at 'axis', where the parameters have float64\[2\]",
    ),
    "other containers": (
        lambda: started(optim.riemannian([Sphere(), None], optax.sgd(0.1)), PARAMS),
        ValueError,
        r"manifolds has a list with '0', '1', where the parameters have a dict with 'axis', 'bias'",
    ),
    "manifolds and learning rate swapped": (
        lambda: optim.riemannian_adam(Sphere(), 0.1),
        TypeError,
        r"riemannian_adam: learning_rate is a Sphere; expected an array of real numbers",
    ),
    "manifolds and rate swapped, in sgd": (
        lambda: optim.riemannian_sgd({"axis": Sphere()}, 0.1),
        TypeError,
        r"riemannian_sgd: learning_rate is a dict",
    ),
    "a learning rate for the inner transformation": (
        lambda: optim.riemannian(Sphere(), 0.1),
        TypeError,
        r"riemannian: inner is 0\.1; expected an optax transformation\. Call its maker first, as in optax\.adam",
    ),
    "the maker of the inner transformation": (
        lambda: optim.riemannian(Sphere(), optax.adam),
        TypeError,
        r"riemannian: inner is the function adam; expected an optax transformation",
    ),
    "no parameters in update": (
        lambda: optim.riemannian_sgd(0.1, Sphere()).update(X, optim.riemannian_sgd(0.1, Sphere()).init(X)),
        ValueError,
        r"riemannian: params is None",
    ),
    "minimize on the class of a manifold": (
        lambda: optim.minimize(Sphere, square, X),
        TypeError,
        r"minimize: manifold is the class Sphere; expected a manifold\. .* such as Sphere\(\)",
    ),
    "minimize with the function first": (
        lambda: optim.minimize(square, Sphere(), X),
        TypeError,
        r"minimize: manifold is the function square; expected a manifold",
    ),
    "minimize with the point second": (
        lambda: optim.minimize(Sphere(), X, square),
        TypeError,
        r"minimize: f is float64\[2\]; expected a function of a point",
    ),
    "the class of a method": (
        lambda: optim.minimize(Sphere(), square, X, method=optim.LBFGS),
        TypeError,
        r"minimize: method is the class LBFGS; expected a method\. Pass an instance",
    ),
    "the name of a method": (
        lambda: optim.minimize(Sphere(), square, X, method="lbfgs"),
        TypeError,
        r"minimize: method is 'lbfgs'; expected a method",
    ),
    "the class of a norm": (
        lambda: optim.dual_norm(X, optim.MaxNorm),
        TypeError,
        r"dual_norm: norm is the class MaxNorm; expected a norm",
    ),
    "norm and gradient swapped": (
        lambda: optim.steepest_step(optim.MaxNorm(), X),
        TypeError,
        r"steepest_step: norm is float64\[2\]; expected a norm\. Call steepest_step\(g, norm\)",
    ),
    "the class of a norm in a tree": (
        lambda: optim.steepest_descent(0.1, {"w": optim.RowNorm}),
        TypeError,
        r"ModularNorm: norms holds the class RowNorm at 'w'",
    ),
    "norms and learning rate swapped": (
        lambda: optim.steepest_descent(optim.MaxNorm(), 0.1),
        TypeError,
        r"steepest_descent: learning_rate is a MaxNorm",
    ),
    "norms of another tree": (
        lambda: optim.dual_norm({"v": W}, optim.ModularNorm({"w": optim.RowNorm()})),
        ValueError,
        r"ModularNorm: norms has a dict with 'w', where the parameters have a dict with 'v'",
    ),
    "the class of a group": (
        lambda: optim.scale_by_psgd(optim.DiagonalGroup, key=KEY),
        TypeError,
        r"scale_by_psgd: groups holds the class DiagonalGroup; expected groups",
    ),
    "an old key": (
        lambda: optim.scale_by_psgd(optim.DiagonalGroup(), key=jax.random.PRNGKey(0)),
        TypeError,
        r"scale_by_psgd: key is uint32\[2\]; expected a typed random key\. Make one with jax\.random\.key\(0\)",
    ),
    "a number for a key": (
        lambda: optim.small_init(0, (3, 2), scale=0.1),
        TypeError,
        r"small_init: key is 0; expected a typed random key",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_says_what_to_write(name):
    call, error, message = WRONG[name]
    with pytest.raises(error, match=message) as caught:
        call()
    assert len(str(caught.value)) < 500  # no array is printed


TRANSFORMATIONS = {
    "riemannian": lambda: optim.riemannian(None, optax.sgd(0.1)),
    "riemannian_sgd": lambda: optim.riemannian_sgd(0.1, None),
    "riemannian_adam": lambda: optim.riemannian_adam(0.1, None),
    "scale_by_adamp": optim.scale_by_adamp,
    "scale_by_sgdp": optim.scale_by_sgdp,
    "scale_by_scaled_gd": optim.scale_by_scaled_gd,
    "scale_by_psgd": functools.partial(optim.scale_by_psgd, optim.DiagonalGroup(), key=KEY),
    "scale_by_inverse_free_kfac": optim.scale_by_inverse_free_kfac,
}


@pytest.mark.parametrize("leaf", [jnp.tanh, "relu", jax.random.key(0)], ids=["function", "text", "key"])
@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_leaf_that_is_no_array_of_numbers_is_refused_with_its_path(name, leaf):
    with pytest.raises(TypeError, match=r"leaf 'layer/act' of params is .*; expected arrays of numbers"):
        TRANSFORMATIONS[name]().init({"layer": {"act": leaf, "w": W}})


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_none_is_an_empty_place(name):
    TRANSFORMATIONS[name]().init({"none": None, "w": W})


def test_every_transformation_is_in_the_table():
    made = {name for name in optim.__all__ if name.startswith(("riemannian", "scale_by_"))}
    assert made == set(TRANSFORMATIONS)
