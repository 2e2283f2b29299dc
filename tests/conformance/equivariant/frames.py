"""Cases of frames."""

import functools

import jax
import jax.numpy as jnp

from geojax.equivariant import (
    by_energy,
    gram_schmidt_frame,
    laplacian_frame,
    lift_to_group,
    orbit_distance,
    pca_frame,
    piecewise,
    sort_frame,
)
from tests.conformance.case import DERIVATIVES, Case


def cloud(key, dtype):
    """Points whose axes are clearly apart."""
    stretch = jnp.array([3.0, 1.0], dtype)
    return jax.random.normal(key, (4, 2), dtype) / 4 + jnp.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * stretch


def elements(frame):
    return frame.elements


def vectors(key, dtype):
    """Two vectors that clearly span the plane, or its Lorentz metric."""
    return (jnp.array([[3, 1], [1, 2]], dtype) + jax.random.normal(key, (2, 2), dtype) / 4,)


turned = functools.partial(pca_frame, proper=True, translations=False)


def energy(weights):
    return lambda g, x: jnp.sum(jnp.sin(weights * g * x))


def signs(dtype):
    return jnp.array([1, -1], dtype)


CASES = [
    Case(
        "by_energy",
        by_energy,
        lambda key, dtype: (
            jax.random.normal(key, (3,), dtype),
            jnp.arange(1, 4).astype(dtype),
            jnp.asarray(2, dtype),
        ),
        call=lambda x, w, t: by_energy(energy(w), signs(x.dtype), temperature=t)(x),
        differentiable=(0, 1, 2),
        output=lambda frame: frame.weights,
        surrogate=lambda x, w, t: by_energy(energy(w), signs(x.dtype), temperature=t, hard=False)(x),
        edges={
            "a tie": lambda dtype: (jnp.zeros(3, dtype), jnp.ones(3, dtype), jnp.ones((), dtype)),
        },
    ),
    Case(
        "gram_schmidt_frame",
        gram_schmidt_frame,
        vectors,
        call=lambda v: gram_schmidt_frame(v, signature=jnp.array([1, -1], v.dtype)),
        differentiable=(0,),
        output=elements,
        edges={
            "no vectors": lambda dtype: (jnp.zeros((2, 2), dtype),),
            "equal vectors of light": lambda dtype: (jnp.ones((2, 2), dtype),),
        },
    ),
    Case(
        "laplacian_frame",
        laplacian_frame,
        lambda key, dtype: (jax.random.uniform(key, (4, 4), dtype),),
        exemptions=dict.fromkeys(DERIVATIVES, "stop_gradient, as the elements are integers"),
    ),
    Case(
        "lift_to_group",
        lift_to_group,
        lambda key, dtype: (jnp.eye(2, dtype=dtype) + jax.random.normal(key, (2, 2), dtype) / 6,),
        call=lambda m: lift_to_group(m, jnp.diag(jnp.array([1, -1], m.dtype))),
        differentiable=(0,),
        edges={"the identity": lambda dtype: (jnp.eye(2, dtype=dtype),)},
        tolerance=1e-10,
    ),
    Case(
        "orbit_distance",
        orbit_distance,
        lambda key, dtype: (
            *jax.random.normal(key, (2, 3, 2), dtype),
            jnp.diag(jnp.array([1, -1], dtype)),
        ),
        call=lambda x, y, eta: orbit_distance(x, y, eta, oriented=True),
        differentiable=(0, 1, 2),
        edges={
            "equal points": lambda dtype: (jnp.ones((3, 2), dtype),) * 2 + (jnp.eye(2, dtype=dtype),),
            "zeros": lambda dtype: (jnp.zeros((3, 2), dtype),) * 2 + (jnp.eye(2, dtype=dtype),),
        },
    ),
    Case(
        "piecewise",
        piecewise,
        lambda key, dtype: (
            jnp.concatenate([cloud(key, dtype), 2 + cloud(jax.random.fold_in(key, 1), dtype)]),
        ),
        call=lambda x: piecewise(turned, jnp.array([0] * 4 + [1] * 4), 2)(x),
        differentiable=(0,),
        output=elements,
        edges={"one place": lambda dtype: (jnp.ones((8, 2), dtype),)},
    ),
    Case(
        "sort_frame",
        sort_frame,
        lambda key, dtype: (jax.random.normal(key, (5,), dtype),),
        differentiable=(0,),
        output=lambda frame: frame.gap,
        edges={"equal entries": lambda dtype: (jnp.ones(5, dtype),)},
    ),
    Case(
        "pca_frame",
        pca_frame,
        lambda key, dtype: (cloud(key, dtype), jnp.arange(1, 5).astype(dtype)),
        differentiable=(0, 1),
        output=elements,
        edges={
            "tied axes": lambda dtype: (
                jnp.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype),
                jnp.ones(4, dtype),
            ),
            "one point": lambda dtype: (jnp.ones((4, 2), dtype), jnp.ones(4, dtype)),
            "no weight": lambda dtype: (jnp.ones((4, 2), dtype), jnp.zeros(4, dtype)),
        },
    ),
]
