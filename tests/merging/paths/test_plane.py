"""The plane through three models: closed forms, and the models at their corners."""

import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import plane

RANDOM = np.random.default_rng(0)


def draw():
    return {"w": RANDOM.normal(size=(3, 4)), "n": jnp.int32(3), "f": jnp.tanh}


def test_a_quadratic_on_the_plane_is_the_squared_distance():
    """|theta|^2 = |a|^2 + x^2 + y^2 + terms linear in x and y: second differences are constant."""
    a, b, c = draw(), draw(), draw()
    found = plane(lambda p: jnp.sum(p["w"] ** 2), a, b, c, num=5)
    step = found.x[1] - found.x[0], found.y[1] - found.y[0]
    np.testing.assert_allclose(np.diff(found.values, 2, axis=1), 2 * step[0] ** 2, rtol=1e-9)
    np.testing.assert_allclose(np.diff(found.values, 2, axis=0), 2 * step[1] ** 2, rtol=1e-9)


def test_the_corners_are_the_models_and_their_distances():
    a, b, c = draw(), draw(), draw()
    found = plane(lambda p: jnp.sum(jnp.sin(p["w"])), a, b, c, num=3, margin=0.0)
    distances = [np.linalg.norm(u["w"] - v["w"]) for u, v in ((a, b), (a, c), (b, c))]
    places = [np.linalg.norm(found.corners[i] - found.corners[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    np.testing.assert_allclose(places, distances, rtol=1e-12)
    np.testing.assert_allclose(found.values[0, 0], np.sum(np.sin(a["w"])), rtol=1e-12)
    if found.corners[2, 0] < found.corners[1, 0]:
        np.testing.assert_allclose(found.values[0, -1], np.sum(np.sin(b["w"])), rtol=1e-12)


def test_models_on_a_line_and_bad_input():
    a, b = draw(), draw()
    middle = {**a, "w": (a["w"] + b["w"]) / 2}
    found = plane(lambda p: jnp.sum(p["w"] ** 2), a, b, middle, num=3)
    np.testing.assert_allclose(found.values, np.broadcast_to(found.values[:1], (3, 3)), rtol=1e-9)
    with pytest.raises(ValueError, match="plane: loss"):
        plane(lambda p: p["w"], a, b, b)
    with pytest.raises(ValueError, match="params_c"):
        plane(lambda p: 0.0, a, b, {"w": jnp.ones(2)})
    with pytest.raises(ValueError, match="plane: num"):
        plane(lambda p: 0.0, a, b, b, num=1)
