"""Convolutions over shifts of a periodic grid and turns of it, computed in frequency space."""

import functools
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.typing import Key, Params

Turns: TypeAlias = tuple[tuple[int, ...], ...]
"""The elements of a group, each as the entries of its matrix."""


def spectral_group_init(
    features: int, features_out: int, *, modes: int, group: Int[np.ndarray, "g 2 2"], key: Key
) -> dict[str, Any]:
    """Random parameters of `spectral_group_conv`, in the default floating dtype.

    A kernel on the coarsest grid that has these frequencies, normal with variance 1 / numbers that are summed.

    Args:
        features: Number of features that come in, c >= 1; static.
        features_out: Number of features that go out, k; static.
        modes: Largest frequency M along an axis, in periods over the grid; static.
        group: Turns and reflections of the grid, [g, 2, 2], as in `spectral_group_conv`; static.
        key: Typed random key.

    Returns:
        {"kernel": [2 M + 1, 2 M + 1, g, c, k]}.

    Raises:
        TypeError, ValueError: If a size is not a positive integer, group is no group, or key is no typed key.

    Differentiation: none; the key is the only argument that is no size.

    Complexity: O(M^2 g c k) numbers.

    Example:
        >>> import jax, numpy as np
        >>> from geojax.equivariant import spectral_group_init
        >>> p2 = np.array([np.eye(2, dtype=int), -np.eye(2, dtype=int)])
        >>> spectral_group_init(1, 3, modes=2, group=p2, key=jax.random.key(0))["kernel"].shape
        (5, 5, 2, 1, 3)

    References: [Helwig2023].
    """
    where = "spectral_group_init"
    checks.typed_key(where, key)
    c = checks.count(where, "features", features, minimum=1)
    k = checks.count(where, "features_out", features_out, minimum=1)
    q = 2 * checks.count(where, "modes", modes) + 1
    g = len(_turns(where, group))
    return {"kernel": jax.random.normal(key, (q, q, g, c, k)) / (q * q * g * c) ** 0.5}


@rounded_once
def spectral_group_conv(
    theta: Params, f: Float[Array, "n n g c"], *, group: Int[np.ndarray, "g 2 2"], modes: int | None = None
) -> Float[Array, "n n g k"]:
    """Convolution over the shifts, turns and reflections of a periodic grid, by Fourier coefficients of a real kernel.

    f'(x, h) = sum over y and t of kernel(h^-1 (x - y), h^-1 t) f(y, t), which in frequencies is
    F'(w, h) = sum_t K(h^-1 w, h^-1 t) F(w, t), kept for frequencies |w_1|, |w_2| <= M.
    It commutes with every shift, and with every element r of the group: x -> r x, h -> r h.

    Args:
        theta: Parameters, as `spectral_group_init` makes them: the values of the kernel on a grid of 2 M + 1 points an
            axis. On that grid this is the sum above as it stands; on finer ones that of the function of the same
            frequencies, so that a change of resolution changes nothing.
        f: Features at each place and group element, [n, n, g, c]; `lift_field` makes them from an image.
        group: Integer matrices that take the grid to itself, [g, 2, 2], all products among them: the identity
            alone (a Fourier layer without symmetry), the four quarter turns (p4), or those and their reflections
            (p4m); static.
        modes: Largest frequency that is kept, at most M; by default M; static. The grid needs n >= 2 modes + 1.

    Returns:
        Features [n, n, g, k] without frequencies above `modes`. `project_field` makes an image of them.

    Raises:
        ValueError: At trace time, if shapes disagree, the grid is too coarse, or group is not a group of such matrices.
        TypeError: At trace time, if group is traced.

    Differentiation: exact.

    Complexity: O(n^2 log(n) g (c + k) + M^2 g^2 c k).

    Example:
        >>> import jax, jax.numpy as jnp, numpy as np
        >>> from geojax.equivariant import lift_field, project_field, spectral_group_conv, spectral_group_init
        >>> turn = np.array([[0, -1], [1, 0]])
        >>> p4 = np.stack([np.linalg.matrix_power(turn, k) for k in range(4)])
        >>> theta = spectral_group_init(1, 1, modes=1, group=p4, key=jax.random.key(0))
        >>> layer = lambda u: project_field(spectral_group_conv(theta, lift_field(u, group=p4), group=p4))
        >>> image = jnp.arange(16.0).reshape(4, 4, 1) ** 0.5
        >>> bool(jnp.allclose(layer(jnp.rot90(image)), jnp.rot90(layer(image)), atol=1e-5))
        True

    References: [Helwig2023].
    """
    where = "spectral_group_conv"
    kernel = theta.get("kernel") if isinstance(theta, dict) else None
    if kernel is None:
        raise ValueError(f"{where}: theta has no 'kernel'; expected what spectral_group_init makes.")
    f, kernel = checks.floats(where, f=f, kernel=kernel)
    turns = _turns(where, group)
    checks.shapes(where, f=(f, f"n n {len(turns)} c"), kernel=(kernel, f"q q {len(turns)} c k"))
    most = (jnp.shape(kernel)[0] - 1) // 2
    kept = most if modes is None else checks.count(where, "modes", modes)
    if kept > most:
        raise ValueError(f"{where}: modes is {kept}; expected at most {most}, the frequencies of theta.")
    n = len(f)
    if n < 2 * kept + 1:
        raise ValueError(
            f"{where}: f has {n} points an axis; expected at least {2 * kept + 1} for frequencies up to {kept}. "
            f"Pass modes={(n - 1) // 2}."
        )
    turned, relative = _tables(turns, kept, jnp.shape(kernel)[0])
    spectrum = jnp.fft.fft2(kernel, axes=(0, 1))
    # K(h^-1 w, h^-1 t) for all h, w and t.
    factors = spectrum[turned[0], turned[1]][np.arange(len(turns))[:, None], :, :, relative]
    places = np.arange(-kept, kept + 1) % n
    square = np.ix_(places, places)
    there = jnp.fft.fft2(f, axes=(0, 1))[square]
    there = jnp.einsum("htvwck,vwtc->vwhk", factors, there, precision=jax.lax.Precision.HIGHEST)
    whole = jnp.zeros((n, n, *there.shape[2:]), there.dtype).at[square].set(there)
    return jnp.real(jnp.fft.ifft2(whole, axes=(0, 1))).astype(f.dtype)


@rounded_once
def lift_field(u: Float[Array, "n n c"], *, group: Int[np.ndarray, "g 2 2"]) -> Float[Array, "n n g c"]:
    """Image as a function on places and group elements, the same at each element.

    f(x, h) = u(x). A convolution after it sees the image with a kernel turned by each element.

    Args:
        u: Image, [n, n, c].
        group: Turns and reflections of the grid, [g, 2, 2], as in `spectral_group_conv`; static.

    Returns:
        Features [n, n, g, c].

    Raises:
        ValueError: At trace time, if u is not square, or group is no group.

    Differentiation: exact.

    Complexity: O(n^2 g c).

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> from geojax.equivariant import lift_field
        >>> lift_field(jnp.ones((4, 4, 3)), group=np.array([np.eye(2, dtype=int)])).shape
        (4, 4, 1, 3)

    References: [Helwig2023].
    """
    (u,) = checks.floats("lift_field", u=u)
    checks.shapes("lift_field", u=(u, "n n c"))
    size = len(_turns("lift_field", group))
    return jnp.broadcast_to(u[:, :, None], (*u.shape[:2], size, u.shape[2]))


@rounded_once
def project_field(f: Float[Array, "n n g c"]) -> Float[Array, "n n c"]:
    """Mean of a function on places and group elements over the elements: an image that turns as the function does.

    u(x) = mean over h of f(x, h).

    Args:
        f: Features, [n, n, g, c].

    Returns:
        Image [n, n, c].

    Raises:
        ValueError: At trace time, if f has another rank or is not square.

    Differentiation: exact.

    Complexity: O(n^2 g c).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.equivariant import project_field
        >>> project_field(jnp.arange(4.0).reshape(1, 1, 4, 1)).tolist()
        [[[1.5]]]

    References: [Helwig2023].
    """
    (f,) = checks.floats("project_field", f=f)
    checks.shapes("project_field", f=(f, "n n g c"))
    return jnp.mean(f, axis=2)


def _turns(where: str, group: Any) -> Turns:
    """The matrices of a group, checked."""
    if isinstance(group, Tracer):
        raise TypeError(
            f"{where}: group is a traced value; expected integer matrices known at trace time. Close over them."
        )
    matrices = np.asarray(group)
    checks.shapes(where, group=(matrices, "g 2 2"))
    turns = tuple(tuple(int(entry) for entry in matrix.ravel()) for matrix in matrices)
    signed = np.all(matrices == np.round(matrices)) and np.all(np.abs(matrices).sum(axis=(1, 2)) == 2)
    if not signed or not np.all(np.abs(np.linalg.det(matrices)) == 1):
        raise ValueError(
            f"{where}: group holds a matrix that does not take the square grid to itself; expected quarter turns and "
            "reflections, with entries 0, 1 and -1."
        )
    products = {tuple(int(entry) for entry in (a @ b).ravel()) for a in matrices for b in matrices}
    if products != set(turns) or len(products) != len(turns):
        raise ValueError(
            f"{where}: group has {len(turns)} matrices and {len(products)} products of two; expected the same "
            "matrices, each once. Add the products that are missing."
        )
    return turns


@functools.cache
def _tables(turns: Turns, kept: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the frequency h^-1 w in a spectrum, [2, h, w, w], and of the element h^-1 t, [h, t]."""
    matrices = np.asarray(turns).reshape(-1, 2, 2)
    axis = np.arange(-kept, kept + 1)
    frequencies = np.stack(np.meshgrid(axis, axis, indexing="ij"))
    # The matrices are orthogonal, so that h^-1 is the transpose.
    turned = np.einsum("hji,jvw->ihvw", matrices, frequencies) % size
    relative = [[turns.index(tuple((h.T @ t).ravel())) for t in matrices] for h in matrices]
    return turned.astype(np.int32), np.asarray(relative, np.int32)
