"""Fields: signals as functions of a coordinate, whose weights stand for the signal."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks
from geojax._core.precision import rounded_once
from geojax.typing import Key, Params, Scalar


@rounded_once
def coordinate_field_init(
    sizes: Sequence[int], *, key: Key, num_frequencies: int = 0, scale: Scalar = 1.0
) -> Params:
    """Random weights of `coordinate_field`: Fourier features and a perceptron, or a sine network.

    frequencies ~ N(0, scale^2),  weights ~ U(-sqrt(6/n), sqrt(6/n)) for n inputs

    Without frequencies the first layer is drawn from U(-scale/n, scale/n), as sine networks have it.

    Args:
        sizes: Lengths of the coordinate, of the hidden layers and of the value.
        key: A random key.
        num_frequencies: Number of random Fourier features; 0 for none.
        scale: Spread of the frequencies, in cycles per unit of the coordinate; or the frequency of a sine network's
            first layer. The weights have its dtype.

    Returns:
        {"frequencies": [coordinate, num_frequencies], "layers": [{"w": [n, m], "b": [m]}, ...]}.

    Raises:
        TypeError: If the key is no random key, or a size no integer.
        ValueError: If there are fewer than two sizes, or one is below 1.

    Differentiation: exact in scale.
    Complexity: O(number of weights).

    Example:
        >>> import jax
        >>> import geojax as gj
        >>> theta = gj.metanets.coordinate_field_init((2, 16, 1), key=jax.random.key(0), num_frequencies=8, scale=4.0)
        >>> theta["frequencies"].shape, theta["layers"][0]["w"].shape
        ((2, 8), (16, 16))

    References: [Tancik2021], [Sitzmann2020]
    """
    where = "coordinate_field_init"
    checks.typed_key(where, key)
    checks.count(where, "num_frequencies", num_frequencies)
    sizes = [checks.count(where, f"sizes[{k}]", size, minimum=1) for k, size in enumerate(sizes)]
    if len(sizes) < 2:
        raise ValueError(
            f"{where}: sizes is {tuple(sizes)}; expected the coordinate's and the value's, at least."
        )
    (scale,) = checks.floats(where, scale=scale)
    first, *rest = jax.random.split(key, len(sizes))
    frequencies = scale * jax.random.normal(first, (sizes[0], num_frequencies), scale.dtype)
    widths = [2 * num_frequencies or sizes[0], *sizes[1:]]
    layers = []
    for number, (one, (n, m)) in enumerate(zip(rest, pairwise(widths), strict=True)):
        bound = scale / n if number == 0 and num_frequencies == 0 else (6 / n) ** 0.5
        layers.append(
            {"w": bound * jax.random.uniform(one, (n, m), scale.dtype, -1, 1), "b": jnp.zeros(m, scale.dtype)}
        )
    return {"frequencies": frequencies, "layers": layers}


@rounded_once
def coordinate_field(
    theta: Params, x: Float[Array, " d"], *, nonlinearity: Callable[[Array], Array] = jax.nn.relu
) -> Float[Array, " values"]:
    """The value of a field at a coordinate: a perceptron, behind Fourier features if theta has frequencies.

    features = (cos(2 pi B^T x), sin(2 pi B^T x)),  or x without frequencies B

    Args:
        theta: Weights, from `coordinate_field_init`.
        x: A coordinate, [d].
        nonlinearity: Elementwise, between the layers; jnp.sin makes a sine network.

    Returns:
        The value, [values].

    Raises:
        ValueError: If x has another length than the field's coordinates.

    Differentiation: exact in theta and x.
    Complexity: O(number of weights).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> theta = gj.metanets.coordinate_field_init((2, 16, 3), key=jax.random.key(0), scale=30.0)
        >>> gj.metanets.coordinate_field(theta, jnp.array([0.1, 0.2]), nonlinearity=jnp.sin).shape
        (3,)

    References: [Tancik2021], [Sitzmann2020]
    """
    frequencies, layers = theta["frequencies"], theta["layers"]
    checks.shapes("coordinate_field", frequencies=(frequencies, "d m"), x=(x, "d"))
    if frequencies.shape[1]:
        angles = 2 * jnp.pi * (x @ frequencies)
        x = jnp.concatenate([jnp.cos(angles), jnp.sin(angles)])
    for layer in layers[:-1]:
        x = nonlinearity(x @ layer["w"] + layer["b"])
    return x @ layers[-1]["w"] + layers[-1]["b"]


def _gaussian(u: Float[Array, " d"]) -> Array:
    return jnp.exp(-jnp.dot(u, u) / 2)


@rounded_once
def rbf_field(
    theta: Params, x: Float[Array, " d"], *, kernel: Callable[[Array], Array] = _gaussian
) -> Float[Array, " values"]:
    """The value of a field of radial basis functions, each with a place and a shape of its own.

    f(x) = sum_j features_j k(L_j (x - c_j))

    Multilinear interpolation on a grid is the kernel prod_i max(0, 1 - |u_i|) with L_j = identity / spacing. A kernel
    may return several numbers, such as sin(m exp(-|u|^2 / 2)) for frequencies m; then each has features of its own.

    Args:
        theta: {"centers": [m, d], "shapes": [m, d, d], "features": [m, *kernel values, values]}.
        x: A coordinate, [d].
        kernel: A function of the offset in units of the shape, [d]; a Gaussian by default.

    Returns:
        The value, [values].

    Raises:
        ValueError: If the arrays do not fit together.

    Differentiation: exact in theta and x.
    Complexity: O(m d^2).

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> theta = {"centers": jnp.zeros((1, 2)), "shapes": jnp.eye(2)[None], "features": jnp.array([[3.0]])}
        >>> gj.metanets.rbf_field(theta, jnp.zeros(2)).tolist()
        [3.0]

    References: [ChenLi2023]
    """
    centers, shapes, features = theta["centers"], theta["shapes"], theta["features"]
    checks.shapes("rbf_field", centers=(centers, "m d"), shapes=(shapes, "m d d"), x=(x, "d"))
    weights = jax.vmap(lambda center, shape: kernel(shape @ (x - center)))(centers, shapes)
    if jnp.shape(features)[:-1] != weights.shape:
        raise ValueError(
            f"rbf_field: features has shape {jnp.shape(features)}; expected {(*weights.shape, 'values')}, a row for "
            "each center and each number that the kernel returns."
        )
    return jnp.tensordot(weights, features, axes=weights.ndim)
