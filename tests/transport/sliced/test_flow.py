"""The sliced flow: closed forms of its first step, and where it goes."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

from geojax.transport import lower_control, random_directions, sliced_flow, sliced_wasserstein

N, D = 30, 2


def clouds():
    random = np.random.default_rng(0)
    return random.normal(size=(N, D)), 0.5 * random.normal(size=(N, D)) + 2


@pytest.mark.full
def test_a_step_is_that_of_the_gradient():
    x, y = clouds()
    key = jax.random.key(1)
    theta = random_directions(jax.random.split(key, 1)[0], (16, D))
    gradient = jax.grad(lambda z: sliced_wasserstein(z, y, projections=theta).value)(x)
    got = sliced_flow(x, y, key=key, step_size=0.3, num_steps=1, num_projections=16)
    np.testing.assert_allclose(got, x - 0.3 * N * D / 2 * gradient, rtol=1e-12)


def test_matches_exact_transport_at_the_end():
    """Exact transport, by POT, says how far the cloud still is."""
    x, y = clouds()
    end = sliced_flow(x, y, key=jax.random.key(2), step_size=0.7, num_steps=150, num_projections=16)
    before, after = (ot.emd2([], [], ot.dist(np.asarray(z), y)) for z in (x, end))
    assert after < 1e-3 * before


def test_law_control_makes_a_translation_exact():
    x, _ = clouds()
    c = np.asarray([3.0, -1.0])
    run = lambda control: sliced_flow(
        x, x + c, key=jax.random.key(3), step_size=1.0, num_steps=1, num_projections=16, control=control
    )
    np.testing.assert_allclose(run(lower_control), x + c, atol=1e-9)
    assert np.max(np.abs(run(None) - (x + c))) > 0.01


@pytest.mark.full
@pytest.mark.parametrize("control", [None, lower_control])
def test_single_precision_stays_finite_after_arrival(control):
    x = jax.random.normal(jax.random.key(4), (20, D), jnp.float32)
    end = sliced_flow(x, x + 3, key=jax.random.key(1), step_size=1.0, num_steps=20, control=control)
    np.testing.assert_allclose(end, x + 3, atol=1e-5)


def test_errors_say_how_to_mend_the_call():
    x, y = clouds()
    with pytest.raises(ValueError, match="num_projections is 0"):
        sliced_flow(x, y, key=jax.random.key(0), step_size=1.0, num_steps=1, num_projections=0)
    with pytest.raises(ValueError, match="d = 2"):
        sliced_flow(x, y[:, :1], key=jax.random.key(0), step_size=1.0, num_steps=1)
    x[0, 0] = np.nan
    moved = sliced_flow(x, y, key=jax.random.key(0), step_size=1.0, num_steps=1)
    assert np.all(np.isnan(np.asarray(moved)[0]))
