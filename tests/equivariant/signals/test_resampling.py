"""Resampling against scipy and known functions; what it does to shifts and aliases, beside what is usual."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from geojax.equivariant import bandlimited_resample

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
resample = jax.jit(bandlimited_resample, static_argnums=1)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(8, 12), (8, 11), (7, 12), (7, 5), (8, 6), (8, 5), (8, 8), (8, 1), (1, 3)])
def test_matches_scipy(sizes, dtype):
    n, m = sizes
    x = RNG.normal(size=(n, 3)).astype(dtype)
    got = resample(x, m)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, scipy.signal.resample(x.astype(float), m), atol=TOLERANCE[dtype])


def function(t, s):
    """A function of two periodic variables with frequencies up to 2 and 1."""
    return np.sin(2 * t + 1) + np.cos(t - s) * np.sin(s + 0.3) + 0.5


def sampled(n, m, shift=(0.0, 0.0)):
    t, s = (2 * np.pi * (np.arange(k) - d) / k for k, d in zip((n, m), shift))
    return function(t[:, None], s[None, :])[..., None]


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_law_functions_of_few_frequencies_are_exact(dtype):
    coarse, fine = sampled(6, 5).astype(dtype), sampled(16, 9)
    np.testing.assert_allclose(resample(coarse, (16, 9)), fine, atol=TOLERANCE[dtype])
    np.testing.assert_allclose(resample(resample(coarse, (16, 9)), (6, 5)), coarse, atol=TOLERANCE[dtype])
    # Shifts by parts of a step: of the coarse grid before, of the fine grid after.
    shifted = sampled(6, 5, (0.3, -0.7)).astype(dtype)
    want = sampled(16, 9, (0.3 * 16 / 6, -0.7 * 9 / 5))
    np.testing.assert_allclose(resample(shifted, (16, 9)), want, atol=TOLERANCE[dtype])


def usual(kind):
    """Upsampling by two of a periodic signal: nearest, and transposed convolutions with a kernel."""
    if kind == "nearest":
        return lambda x: np.repeat(x, 2)
    kernel = RNG.normal(size=kind)
    return lambda x: np.sum(
        [np.roll(w * np.stack([x, 0 * x], axis=1).ravel(), k) for k, w in enumerate(kernel)], axis=0
    )


def alias_energy(y, highest):
    """The part of the energy of a signal in frequencies that its source does not have."""
    energy = np.abs(np.fft.fft(y)) ** 2
    frequency = np.abs(np.fft.fftfreq(len(y), 1 / len(y)))
    return np.sum(energy[frequency > highest]) / np.sum(energy)


def shift_error(upsample, n):
    """How far the upsampled shift by a half step is from the shift by one step of the upsampled."""
    t = lambda d: 2 * np.pi * (np.arange(n) - d) / n
    signal = lambda d: np.cos(t(d)) + np.sin(2 * t(d) + 0.4)
    there, back = np.asarray(upsample(signal(0.5))), np.roll(np.asarray(upsample(signal(0.0))), 1)
    return np.linalg.norm(there - back) / np.linalg.norm(back)


@pytest.mark.full
def test_law_no_aliases_and_no_shift_error_where_the_usual_has_both():
    n = 12
    x = np.cos(2 * np.pi * np.arange(n) / n) + np.sin(4 * np.pi * np.arange(n) / n + 0.4)
    ours = lambda x: resample(x, 2 * n)
    assert alias_energy(ours(x), 2) < 1e-28
    assert shift_error(ours, n) < 1e-14
    for kind in ("nearest", 2, 3):
        assert alias_energy(usual(kind)(x), 2) > 1e-3
        assert shift_error(usual(kind), n) > 1e-2


@pytest.mark.full
def test_law_what_a_coarse_grid_cannot_hold_is_taken_out():
    t = 2 * np.pi * np.arange(16) / 16
    x = np.cos(t) + np.cos(7 * t)
    np.testing.assert_allclose(resample(x, 8), np.cos(t[::2]), atol=1e-14)
    assert np.max(np.abs(x[::2] - np.cos(t[::2]))) > 0.9  # every second point alone: an alias


def test_wrong_calls_say_what_to_do():
    with pytest.raises(ValueError, match=r"x has shape \[4\]; expected 2 leading axes"):
        bandlimited_resample(jnp.ones(4), (8, 8))
    with pytest.raises(ValueError, match="size is 0"):
        bandlimited_resample(jnp.ones(4), 0)
    with pytest.raises(TypeError, match=r"size is 1\.5"):
        bandlimited_resample(jnp.ones(4), 1.5)
    with pytest.raises(ValueError, match="leading axes with points"):
        bandlimited_resample(jnp.ones((0, 2)), 3)
