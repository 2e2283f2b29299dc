"""Heat kernel of SU(n): a series of characters for long times, a sum over closed geodesics for short ones.

Characters are polynomials in the traces of powers, so the series needs no eigenvalues. Each term of the sum over closed
geodesics has poles at equal eigenvalues, which cancel in the sum: it is an entire function of the angles, and so equal
to its mean over a small circle of complex angles, no two of which are equal.
"""

import functools
import math
from itertools import combinations, product

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from geojax._core import checks
from geojax._core.matrices.unitary import balanced_angles
from geojax.manifolds.heat.spheres_and_tori import either, positive_time, three_sphere
from geojax.typing import Scalar

LARGEST = 6  # up to this n the tables of characters are small
LIMIT = 0.2  # between short and long times: below it no geodesic counts that goes round more than once
SMALLEST = 1e-19  # the least term of the series that counts at that time, relative to the value at x = y

Number = Float[Array, ""]
Matrix = Complex[Array, "n n"]


def su_heat_kernel(x: Complex[Array, "n n"], y: Complex[Array, "n n"], time: Scalar) -> Number:
    """Heat kernel of SU(n), a density with respect to Haar's probability measure.

    K_t(x, y) = sum_l dim_l chi_l(x^* y) e^(-c_l t),  c_l = 2 (|l|^2 - |r|^2),

    over the irreducible characters, l their highest weights plus half the sum r of the positive roots, as vectors of n
    numbers that add up to zero. With the angles a of x^* y, which add up to zero, Poisson summation turns it into

    K_t = C e^(2 t |r|^2) t^(-(n^2 - 1) / 2) sum_m prod_(i < j) b_ij / (2 sin(b_ij / 2)) e^(-|b|^2 / 8 t),

    b = a + 2 pi m, b_ij = b_i - b_j, over whole m that add up to zero. The metric is <u, v> = Re tr(u^* v) / 2; SU(2)
    is the unit 3-sphere.

    Args:
        x: Unitary matrix of determinant 1, [n, n], complex, 2 <= n <= 6.
        y: Unitary matrix of determinant 1, [n, n].
        time: t > 0, in squared radians.

    Returns:
        Density at y of the heat that starts at x, a real number. Exact to rounding for every t > 0: relative to the
        largest value for t >= 1/5, to the value itself below, where nearly equal angles at the cut locus cost a digit.

    Raises:
        ValueError: At trace time, if the shapes are not [n, n] with 2 <= n <= 6.

    Differentiation: exact, in x, y and t. For n > 2 and t < 1/5 first derivatives everywhere, further ones where the
        angles are different.

    Complexity: O(1) for n = 2; 60, 300, 1000 and 2700 characters for n = 3, 4, 5 and 6.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.heat import su_heat_kernel
        >>> x = jnp.eye(3) + 0j
        >>> round(float(su_heat_kernel(x, x, 9.0)), 4)
        1.0

    References: [Camporesi1990]; [Fegan1978] for the sum over closed geodesics.
    """
    where = "su_heat_kernel"
    n = checks.shapes(where, x=(x, "n n"), y=(y, "n n"), time=(time, ""))["n"]
    if not 2 <= n <= LARGEST:
        raise ValueError(
            f"{where}: x has shape {list(x.shape)}; expected [n, n] with 2 <= n <= {LARGEST}. "
            "Larger groups have too many characters."
        )
    dtype = jnp.result_type(x, y, jnp.complex64)
    x, y = jnp.asarray(x, dtype), jnp.asarray(y, dtype)
    return _kernel(x, y, jnp.asarray(time, x.real.dtype))


@jax.jit
def _kernel(x: Matrix, y: Matrix, t: Number) -> Number:
    n = len(x)
    if n == 2:
        # The first column holds the four coordinates; both columns halve the rounding.
        apart, together = (jnp.sum(jnp.square(z.real) + jnp.square(z.imag)) / 2 for z in (x - y, x + y))
        return positive_time(2 * math.pi**2 * three_sphere(apart, together, t), t)
    between = x.conj().T @ y
    # If the sum over geodesics is not used, it gets angles that are far apart, so that its derivatives are finite.
    apart = jnp.diag(jnp.exp(0.5j * (jnp.arange(n) - (n - 1) / 2)).astype(x.dtype))
    turned = jnp.where(t >= LIMIT, apart, between)
    return positive_time(either(t, LIMIT, lambda t: _series(between, t), lambda t: _geodesics(turned, t)), t)


def _series(unitary: Matrix, t: Number) -> Number:
    """The characters by the determinants of Jacobi and Trudi, in complete symmetric polynomials of the eigenvalues."""
    weights, dimensions, exponents = _representations(len(unitary))
    n = len(unitary)
    complete = _complete_symmetric(unitary, int(weights.max()) + n)
    index = weights[:, :-1, None] + np.arange(n - 1) - np.arange(n - 1)[:, None]
    entries = jnp.where(index >= 0, complete[np.maximum(index, 0)], 0)
    characters = _determinants(entries).real
    return jnp.sum(
        jnp.asarray(dimensions, t.dtype) * jnp.exp(-jnp.asarray(exponents, t.dtype) * t) * characters
    )


def _geodesics(unitary: Matrix, t: Number) -> Number:
    n = len(unitary)
    angles = jnp.sort(balanced_angles(unitary)[0])
    dtype = unitary.dtype
    turns = jnp.asarray([m for m in product((-1, 0, 1), repeat=n) if sum(m) == 0], t.dtype) * 2 * math.pi
    first, second = (np.asarray(side) for side in zip(*combinations(range(n), 2)))
    direction = np.arange(n) - (n - 1) / 2
    direction = jnp.asarray(direction / np.linalg.norm(direction), t.dtype)
    squared = jnp.sum(jnp.square(angles))
    # On a circle of this radius no exponent that counts moves by more than one. If k pairs of angles meet on the
    # circle, the sum is of order k in their distances, and it is best to let the exponents move by k.
    radius = jax.lax.stop_gradient(4 * t / jnp.sqrt(squared + 96 * t))
    apart = angles[second] - angles[first]
    meeting = (2 * math.pi - apart < 2 * radius * (direction[second] - direction[first])) & (apart > math.pi)
    radius = radius * jnp.maximum(jnp.sum(meeting), 1)
    rises = (2 * (turns @ angles) + jnp.sum(jnp.square(turns), axis=1)).astype(dtype)

    def at(phase: Array) -> Array:
        move = radius * phase * direction
        moved = angles + move
        sines = 2 * jnp.sin((moved[first] - moved[second]) / 2)
        images = turns + moved
        total = rises + 2 * ((turns + angles) @ move) + jnp.sum(move * move)
        # The exponential is shared among the factors, as neither it nor their product need be in range.
        shared = jnp.exp(-total / (8 * t * len(first)))
        return jnp.sum(
            jnp.prod((images[:, first] - images[:, second]) / sines * shared[:, None], axis=1).real
        )

    # Half of the circle's points suffice, by symmetry; the error is (how far exponents move)^(8 n) / (8 n)!.
    phases = jnp.exp(1j * math.pi * (np.arange(4 * n) + 0.5) / (4 * n)).astype(dtype)
    mean = jnp.mean(jax.vmap(at)(phases))
    dimension = n * n - 1
    volume = math.log(n) / 2 + (n * (n + 1) / 2 - 1) * math.log(2 * math.pi) - dimension / 2 * math.log(2)
    volume -= sum(math.lgamma(k + 1) for k in range(1, n))
    logarithm = volume - dimension / 2 * jnp.log(4 * math.pi * t) + n * dimension / 6 * t - squared / (8 * t)
    return jnp.exp(logarithm) * mean


@functools.cache
def _representations(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Highest weights [k, n] that count, one for each pair of duals; dimensions, doubled for a pair; exponents."""
    first, second = (np.asarray(side) for side in zip(*combinations(range(n), 2)))
    shift = np.arange(n)[::-1]
    norm = n * (n * n - 1) / 12
    kept_weights = []
    # One step up the exponents are larger: the search goes up only from weights that count.
    front, seen = [(0,) * n], {(0,) * n}
    while front:
        weight = front.pop()
        raised = np.asarray(weight) + shift
        dimension = np.prod((raised[first] - raised[second]) / (second - first))
        exponent = 2 * (np.sum((raised - raised.mean()) ** 2) - norm)
        if exponent > 0 and 2 * math.log(dimension) - LIMIT * exponent < math.log(SMALLEST):
            continue
        kept_weights.append((weight, dimension, exponent))
        for k in range(1, n):
            higher = tuple(np.add(weight, np.arange(n) < k).tolist())
            if higher not in seen:
                seen.add(higher)
                front.append(higher)
    duals = [tuple(weight[0] - w for w in reversed(weight)) for weight, *_ in kept_weights]
    halved = [(w, d * (1 + (w != dual)), e) for (w, d, e), dual in zip(kept_weights, duals) if w <= dual]
    weights, dimensions, exponents = zip(*halved)
    return np.asarray(weights), np.asarray(dimensions), np.asarray(exponents)


def _complete_symmetric(unitary: Matrix, count: int) -> Complex[Array, " count"]:
    """Complete symmetric polynomials of the eigenvalues, of degrees 0 to count - 1, from traces of powers."""
    n = len(unitary)
    powers, power = [], unitary
    for _ in range(n):
        powers.append(jnp.trace(power))
        power = power @ unitary
    elementary: list[Array] = [jnp.ones((), unitary.dtype)]
    for k in range(1, n + 1):
        terms = [(-1) ** (i - 1) * elementary[k - i] * powers[i - 1] for i in range(1, k + 1)]
        elementary.append(sum(terms[1:], terms[0]) / k)
    signed = jnp.stack([(-1) ** i * e for i, e in enumerate(elementary[1:])])

    def following(last: Array, _: None) -> tuple[Array, Array]:
        return jnp.roll(last, 1).at[0].set(jnp.sum(signed * last)), last[0]

    return jax.lax.scan(following, jnp.zeros_like(signed).at[0].set(1), None, length=count)[1]


def _determinants(matrices: Complex[Array, "k m m"]) -> Complex[Array, " k"]:
    """Determinants without division, as singular matrices are common: minors of the first rows, one row at a time."""
    size = matrices.shape[-1]
    minors = jnp.ones((len(matrices), 1), matrices.dtype)
    columns: dict[tuple[int, ...], int] = {(): 0}
    for row in range(size):
        subsets = list(combinations(range(size), row + 1))
        less = np.asarray([[columns[s[:p] + s[p + 1 :]] for p in range(row + 1)] for s in subsets])
        signs = (-1.0) ** (row + np.arange(row + 1))
        entries = matrices[:, row, np.asarray(subsets)]
        minors = jnp.sum(signs.astype(matrices.real.dtype) * entries * minors[:, less], axis=-1)
        columns = {s: i for i, s in enumerate(subsets)}
    return minors[:, 0]
