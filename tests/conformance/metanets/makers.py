"""Cases of what makes parameters, and of bounds on what parameters do."""

import jax
import jax.numpy as jnp

from geojax import metanets
from tests.conformance.case import Case

SMOOTH = {"gradient_finite_at_edges": "it is smooth everywhere, without edges"}


def boxes(key, dtype):
    """A box of weights, and an input."""
    low, wide, x = jax.random.split(key, 3)
    lower = jax.random.normal(low, (2, 3), dtype)
    return (
        {"w": lower},
        {"w": lower + jax.random.uniform(wide, (2, 3), dtype)},
        jax.random.normal(x, (3,), dtype),
    )


def flat(dtype):
    """A box of width zero at a zero input."""
    return {"w": jnp.ones((2, 3), dtype)}, {"w": jnp.ones((2, 3), dtype)}, jnp.zeros(3, dtype)


def linear(phi, code):
    """A linear hypernetwork."""
    return {"w": phi @ code}


def hyper(key, dtype):
    """Weights of a hypernetwork, hyperparameters and base weights."""
    a, b, c = jax.random.split(key, 3)
    base = {"w": jax.random.normal(c, (3,), dtype)}
    return jax.random.normal(a, (3, 4), dtype), jax.random.uniform(b, (2,), dtype), base


def quartic(theta, center):
    """A loss whose curvature is not constant."""
    return jnp.sum((theta["w"] - center) ** 4)


def tasks(key, dtype):
    """Centers of tasks, a start and a rate."""
    a, b = jax.random.split(key)
    start = {"w": jax.random.normal(b, (2,), dtype)}
    return jax.random.normal(a, (3, 2), dtype), start, jnp.asarray(0.01, dtype)


def field(key, dtype):
    """Weights of a field with features, and a coordinate."""
    theta = metanets.coordinate_field_init(
        (2, 3, 1), key=key, num_frequencies=2, scale=jnp.asarray(1.0, dtype)
    )
    return theta, jax.random.normal(key, (2,), dtype)


def basis(key, dtype):
    """Three anisotropic functions in the plane, and a coordinate."""
    a, b, c, d = jax.random.split(key, 4)
    theta = {
        "centers": jax.random.normal(a, (3, 2), dtype),
        "shapes": jax.random.normal(b, (3, 2, 2), dtype),
        "features": jax.random.normal(c, (3, 1), dtype),
    }
    return theta, jax.random.normal(d, (2,), dtype)


def at_centers(dtype):
    """All functions and the coordinate in one place."""
    theta = {"centers": jnp.zeros((3, 2), dtype), "shapes": jnp.ones((3, 2, 2), dtype)}
    return {**theta, "features": jnp.ones((3, 1), dtype)}, jnp.zeros(2, dtype)


CASES = [
    Case(
        "interval",
        metanets.interval,
        boxes,
        call=lambda lower, upper, x: metanets.interval(lambda p, x: jnp.tanh(p["w"] @ x))(lower, upper, x),
        differentiable=(0, 1),
        edges={"width zero": flat},
    ),
    Case(
        "constant_norm_encoding",
        metanets.constant_norm_encoding,
        lambda key, dtype: (jax.random.uniform(key, (3,), dtype),),
        differentiable=(0,),
        exemptions=SMOOTH,
    ),
    Case(
        "hypernetwork",
        metanets.hypernetwork,
        hyper,
        call=lambda phi, gamma, theta0: metanets.hypernetwork(linear, theta0)(phi, gamma),
        differentiable=(0, 1, 2),
        params=(2,),
        exemptions=SMOOTH,
    ),
    Case(
        "meta_init",
        metanets.meta_init,
        tasks,
        call=lambda centers, theta0, rate: metanets.meta_init(
            quartic, centers, theta0, inner_rate=rate, inner_steps=1, rate=0.1, num_steps=1
        ),
        differentiable=(0, 1, 2),
        params=(1,),
        exemptions=SMOOTH,
    ),
    Case(
        "meta_init",
        metanets.meta_init,
        tasks,
        variant="first_order",
        call=lambda centers, theta0, rate: metanets.meta_init(
            quartic, centers, theta0, inner_rate=rate, inner_steps=1, rate=0.1, num_steps=1, first_order=True
        ),
        differentiable=(0, 1, 2),
        params=(1,),
        exemptions=SMOOTH,
    ),
    Case(
        "coordinate_field_init",
        metanets.coordinate_field_init,
        lambda key, dtype: (key, jnp.asarray(2.0, dtype)),
        call=lambda key, scale: metanets.coordinate_field_init(
            (1, 1), key=key, num_frequencies=1, scale=scale
        ),
        differentiable=(1,),
        exemptions=SMOOTH,
    ),
    Case(
        "coordinate_field",
        metanets.coordinate_field,
        field,
        call=lambda theta, x: metanets.coordinate_field(theta, x, nonlinearity=jnp.tanh),
        differentiable=(0, 1),
        params=(),
        exemptions=SMOOTH,
    ),
    Case(
        "rbf_field",
        metanets.rbf_field,
        basis,
        differentiable=(0, 1),
        edges={"at centers": at_centers},
        params=(),
    ),
]
