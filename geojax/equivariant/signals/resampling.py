"""Resampling of periodic signals through their Fourier series."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once


@rounded_once
def bandlimited_resample(
    x: Float[Array, "*shape"], size: int | tuple[int, ...]
) -> Float[Array, "*resampled"]:
    """Periodic signal on a grid of another size, through its Fourier series.

    x(t) = sum over |k| <= n / 2 of c_k exp(2 pi i k t / n) is evaluated at m equal steps, after the frequencies above
    m / 2 are left out. The frequency n / 2 of an even n is a cosine.

    Args:
        x: Signal, real; the leading axes are those of the grid, as many as `size` has numbers: [n], [n, ...],
            [h, w, c].
        size: Points m of each of these axes in the result; static.

    Returns:
        Signal with `size` points along the leading axes, the other axes as they are. If it has no frequency of half the
        smaller grid or more, this is exact: it commutes with shifts, also by parts of a step, and there and back is the
        same signal. Nothing aliases: frequencies that a coarse grid cannot hold are taken out.

    Raises:
        ValueError: At trace time, if x has fewer axes than size has numbers, an empty axis, or a size is not positive.
        TypeError: At trace time, if a size is not an integer.

    Differentiation: exact; it is linear.

    Complexity: O(N log N) for N numbers in or out.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import bandlimited_resample
        >>> coarse, fine = (jnp.cos(2 * jnp.pi * jnp.arange(n) / n) for n in (4, 6))
        >>> bool(jnp.allclose(bandlimited_resample(coarse, 6), fine, atol=1e-6))
        True

    References: [Agnihotri2024].
    """
    where = "bandlimited_resample"
    (x,) = checks.floats(where, x=x)
    sizes = size if isinstance(size, tuple) else (size,)
    sizes = [checks.count(where, "size", each, minimum=1) for each in sizes]
    if x.ndim < len(sizes) or 0 in x.shape[: len(sizes)]:
        raise ValueError(
            f"{where}: x has shape {list(x.shape)}; expected {len(sizes)} leading axes with points, as size has "
            f"{len(sizes)} numbers. Pass one signal; use jax.vmap over batches."
        )
    for axis, each in enumerate(sizes):
        x = _along(x, axis, each)
    return x


def _along(x: Array, axis: int, m: int) -> Array:
    n = x.shape[axis]
    if n == m:
        return x
    x = jnp.moveaxis(x, axis, -1)
    least = min(n, m)
    spectrum = jnp.fft.rfft(x)[..., : least // 2 + 1]
    if least % 2 == 0:
        # The frequency of half the coarse grid stands once there and twice, at k and -k, on the fine grid.
        spectrum = spectrum.at[..., -1].multiply(2 if m < n else 0.5)
    return jnp.moveaxis((jnp.fft.irfft(spectrum, m) * (m / n)).astype(x.dtype), -1, axis)
