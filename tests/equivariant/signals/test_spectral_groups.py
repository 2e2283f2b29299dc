"""Spectral group convolutions against sums over the grid, turned and shifted fields, and other resolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from geojax.equivariant import lift_field, project_field, spectral_group_conv, spectral_group_init

RNG = np.random.default_rng(0)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
TURN, MIRROR = np.asarray([[0, -1], [1, 0]]), np.asarray([[1, 0], [0, -1]])
P4 = np.stack([np.linalg.matrix_power(TURN, k) for k in range(4)])
P4M = np.concatenate([P4, P4 @ MIRROR])
GROUPS = {"p4": P4, "p4m": P4M, "p2": P4[::2], "p1": P4[:1]}
M, C, K = 2, 2, 3


def parameters(group, dtype=np.float64):
    theta = spectral_group_init(C, K, modes=M, group=group, key=jax.random.key(0))
    return {"kernel": np.asarray(theta["kernel"], dtype)}


def conv(theta, f, group, **options):
    return np.asarray(jax.jit(lambda f: spectral_group_conv(theta, f, group=group, **options))(f))


def place(group, matrix):
    return next(i for i, each in enumerate(group) if np.array_equal(each, matrix))


def moved(f, group, turn, shift):
    """The field x -> f(turn^-1 (x - shift)), at the element turn^-1 h."""
    n = len(f)
    x = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    a, b = np.einsum("ji,jxy->ixy", turn, x - np.asarray(shift)[:, None, None]) % n
    return f[a, b][:, :, [place(group, turn.T @ h) for h in group]]


@pytest.mark.full
@pytest.mark.parametrize("name", GROUPS)
def test_matches_the_sum_over_the_group_on_a_small_grid(name):
    group, n = GROUPS[name], 2 * M + 1
    theta, f = parameters(group), RNG.normal(size=(n, n, len(group), C))
    want = np.zeros((n, n, len(group), K))
    grid = [np.asarray(x) for x in np.ndindex(n, n)]
    for i, h in enumerate(group):
        for j, t in enumerate(group):
            kernel = theta["kernel"][:, :, place(group, h.T @ t)]
            for x in grid:
                for y in grid:
                    a, b = h.T @ (x - y) % n
                    want[x[0], x[1], i] += f[y[0], y[1], j] @ kernel[a, b]
    np.testing.assert_allclose(conv(theta, f, group), want, atol=1e-11)


@pytest.mark.full
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["p4", "p4m"])
def test_law_turns_and_shifts_commute_with_the_convolution(name, dtype):
    group = GROUPS[name]
    theta = parameters(group, dtype)
    for n in (5, 8):
        f = RNG.normal(size=(n, n, len(group), C)).astype(dtype)
        want = conv(theta, f, group)
        for turn in group:
            shift = RNG.integers(n, size=2)
            got = conv(theta, moved(f, group, turn, shift), group)
            np.testing.assert_allclose(got, moved(want, group, turn, shift), atol=3 * TOLERANCE[dtype])


@pytest.mark.full
def test_law_images_turn_with_images():
    image = RNG.normal(size=(8, 8, C))

    def whole(group, u):
        return np.asarray(project_field(conv(parameters(group), lift_field(u, group=group), group)))

    turns = [lambda u: np.rot90(u), lambda u: u[:, ::-1], lambda u: u.swapaxes(0, 1)]
    for turn in turns:
        np.testing.assert_allclose(whole(P4M, turn(image)), turn(whole(P4M, image)), atol=1e-12)
    np.testing.assert_allclose(whole(P4, np.rot90(image)), np.rot90(whole(P4, image)), atol=1e-12)
    assert np.max(np.abs(whole(P4, image[:, ::-1]) - whole(P4, image)[:, ::-1])) > 1e-2
    assert np.max(np.abs(whole(GROUPS["p1"], np.rot90(image)) - np.rot90(whole(GROUPS["p1"], image)))) > 1e-2


@pytest.mark.full
def test_law_a_finer_grid_has_the_same_output():
    f = RNG.normal(size=(5, 5, 4, C))
    for axis in (0, 1):
        f = scipy.signal.resample(f, 8, axis=axis)
    fine = f
    for axis in (0, 1):
        fine = scipy.signal.resample(fine, 16, axis=axis)
    theta = parameters(P4)
    want = conv(theta, f, P4)
    assert np.max(np.abs(want)) > 0.1
    np.testing.assert_allclose(conv(theta, fine, P4)[::2, ::2], want, atol=1e-12)


@pytest.mark.full
def test_law_the_trivial_group_is_a_fourier_layer():
    group = GROUPS["p1"]
    theta, f = parameters(group), RNG.normal(size=(8, 8, 1, C))
    for modes in (M, 1):
        kernel = np.fft.fft2(theta["kernel"][:, :, 0], axes=(0, 1))
        spectrum, want = np.fft.fft2(f[:, :, 0], axes=(0, 1)), np.zeros((8, 8, K), complex)
        for a in range(-modes, modes + 1):
            for b in range(-modes, modes + 1):
                want[a, b] = spectrum[a, b] @ kernel[a, b]
        got = conv(theta, f, group, modes=modes)[:, :, 0]
        np.testing.assert_allclose(got, np.fft.ifft2(want, axes=(0, 1)).real, atol=1e-13)
    assert conv(theta, f[:3, :3], group, modes=1).shape == (3, 3, 1, K)


@pytest.mark.full
def test_wrong_calls_say_what_to_do():
    theta, f = parameters(P4), jnp.ones((8, 8, 4, C))
    with pytest.raises(ValueError, match="f has 4 points an axis; expected at least 5"):
        spectral_group_conv(theta, f[:4, :4], group=P4)
    with pytest.raises(ValueError, match="modes is 3; expected at most 2"):
        spectral_group_conv(theta, f, group=P4, modes=3)
    with pytest.raises(ValueError, match="f has shape"):
        spectral_group_conv(theta, f, group=P4[::2])
    with pytest.raises(ValueError, match="group has 3 matrices and 4 products"):
        lift_field(f[:, :, 0], group=P4[:3])
    with pytest.raises(ValueError, match="does not take the square grid to itself"):
        lift_field(f[:, :, 0], group=np.asarray([[[1, 1], [0, 0]]]))
    with pytest.raises(TypeError, match="group is a traced value"):
        jax.jit(lambda group: lift_field(f[:, :, 0], group=group))(P4)
    with pytest.raises(ValueError, match="theta has no 'kernel'"):
        spectral_group_conv({}, f, group=P4)
