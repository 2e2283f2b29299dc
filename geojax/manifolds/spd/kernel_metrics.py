"""The family of rotation-invariant kernel metrics on symmetric positive definite matrices, and its geodesics."""

import jax
import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.matrices import divided, linalg, multipliers
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.base.doors import check_function
from geojax.manifolds.spd.cone import SPDCone
from geojax.results import Status
from geojax.typing import Scalar

Matrix = Float[Array, "n n"]


@struct
class KernelMetric(SPDCone):
    """Symmetric positive definite matrices with the rotation-invariant metric of a kernel.

    <u, v>_x = sum_ij u_ij v_ij / kernel(l_i, l_j),  u and v in an eigenbasis of x, l its eigenvalues.

    Args:
        kernel: kernel(a, b) > 0 for a, b > 0, symmetric and smooth, elementwise on arrays. A pytree, such as a
            `jax.tree_util.Partial`, may carry traced parameters. Named ones are `euclidean_kernel` (1),
            `affine_invariant_kernel` (a b), `log_euclidean_kernel`, `bures_wasserstein_kernel` (2 (a + b)),
            `bogoliubov_kubo_mori_kernel` and the families `power_euclidean_kernel(theta)` and
            `power_affine_kernel(theta)`.

    Returns:
        A manifold whose points are matrices [n, n], symmetric and positive definite, with `inner`, `norm` and
        `riemannian_gradient`; `retract` is x + u, which may leave the cone. A kernel alone gives no closed form of exp,
        log and dist: for geodesics see `hamiltonian_geodesic`, for the spaces that have closed forms their own classes.

    Differentiation: exact, in the kernel's parameters too, at repeated eigenvalues too; second derivatives with respect
        to x need distinct eigenvalues.

    Complexity: O(n^3), one symmetric eigenvalue problem an operation.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.spd import KernelMetric, affine_invariant_kernel
        >>> x = 2 * jnp.eye(2)
        >>> float(KernelMetric(affine_invariant_kernel).inner(x, jnp.eye(2), jnp.eye(2)))
        0.5

    References: [Thanwerdas2023]; [Hiai2009].
    """

    kernel: multipliers.Kernel

    def __post_init__(self):
        check_function("KernelMetric", "kernel", self.kernel, "KernelMetric(affine_invariant_kernel)")
        object.__setattr__(self, "kernel", multipliers.as_tree(self.kernel))

    @property
    def cometric(self) -> "KernelMetric":
        """The inverse metric, on covectors: that of the kernel 1 / kernel."""
        return KernelMetric(Partial(_reciprocal, self.kernel))

    def _inner(self, x, u, v):
        return jnp.vdot(u, multipliers.multiply(x, v, Partial(_reciprocal, self.kernel)))

    def _retract(self, x, u):
        return x + u

    def _riemannian_gradient(self, x, gradient):
        return multipliers.multiply(x, linalg.symmetric(gradient), self.kernel)


_STAGES = ((0, 1 / 6), (1 / 2, 1 / 3), (1 / 2, 1 / 3), (1, 1 / 6))
"""The Runge-Kutta method of order four: how far each stage goes along the last stage's slope, and its weight."""


def _reciprocal(kernel, a, b):
    return 1 / kernel(a, b)


def euclidean_kernel(a: Array, b: Array) -> Array:
    """1: the metric of the space of matrices."""
    return jnp.ones_like(a * b)


def affine_invariant_kernel(a: Array, b: Array) -> Array:
    """The product a b: the metric of `SPDAffineInvariant`."""
    return a * b


def log_euclidean_kernel(a: Array, b: Array) -> Array:
    """Square of the logarithmic mean (a - b) / (log a - log b): the metric of `SPDLogEuclidean`."""
    return 1 / jnp.square(divided.log(a, b))


def bures_wasserstein_kernel(a: Array, b: Array) -> Array:
    """2 (a + b): the metric of `SPDBuresWasserstein`."""
    return 2 * (a + b)


def bogoliubov_kubo_mori_kernel(a: Array, b: Array) -> Array:
    """Logarithmic mean of a and b: the metric that relative entropy has as its Hessian."""
    return 1 / divided.log(a, b)


def power_euclidean_kernel(theta: Scalar) -> Partial:
    """(theta (a - b) / (a^theta - b^theta))^2: Euclidean at theta = 1, log-Euclidean at 0; theta may be traced."""
    return Partial(_power_euclidean, *checks.floats("power_euclidean_kernel", theta=theta))


def power_affine_kernel(theta: Scalar) -> Partial:
    """(theta (a - b) / (a^theta - b^theta))^2 (a b)^theta: affine-invariant at theta = 1, log-Euclidean at 0."""
    return Partial(_power_affine, *checks.floats("power_affine_kernel", theta=theta))


def _power_euclidean(theta, a, b):
    return 1 / jnp.square(divided.power(theta.astype(a.dtype), a, b))


def _power_affine(theta, a, b):
    theta = theta.astype(a.dtype)
    return jnp.exp(theta * (jnp.log(a) + jnp.log(b))) / jnp.square(divided.power(theta, a, b))


@struct
class HamiltonianResult:
    """A point of a geodesic, by numerical integration.

    Attributes:
        point: The matrix, [n, n].
        momentum: The covector there, [n, n]; the kernel's multiplier takes it to the velocity.
        error: Relative change of the Hamiltonian, which a geodesic keeps.
        num_steps: Steps taken.
        status: CONVERGED if `error` is within `tol`, else MAX_STEPS; NONFINITE if the geodesic left the cone.
    """

    point: Matrix
    momentum: Matrix
    error: Float[Array, ""]
    num_steps: Int[Array, ""]
    status: Int[Array, ""]


@rounded_once
def hamiltonian_geodesic(
    manifold: KernelMetric, x: Matrix, momentum: Matrix, t: Scalar, *, num_steps: int = 64, tol: Scalar = 1e-6
) -> HamiltonianResult:
    """Approximate geodesic of a kernel metric from a point and a momentum, by integrating Hamilton's equations.

    H(x, p) = sum_ij kernel(l_i, l_j) p_ij^2 / 2,  x' = dH/dp,  p' = -dH/dx,  with the Runge-Kutta method of order four:
    the error is O((t / num_steps)^4), and shows in H.

    Args:
        manifold: The metric; the parameters of its kernel are traced.
        x: Start, [n, n], symmetric positive definite.
        momentum: Covector at the start, [n, n], symmetric: kernel^-1 applied to the velocity u, that is
            `manifold.cometric.riemannian_gradient(x, u)`.
        t: Time.
        num_steps: Steps; static.
        tol: Relative change of H that counts as converged.

    Returns:
        HamiltonianResult.

    Raises:
        ValueError: At trace time, if shapes disagree.

    Status: CONVERGED, MAX_STEPS, NONFINITE.

    Differentiation: unrolled in x, momentum, t and the kernel's parameters; exact for the integrator, if the
        eigenvalues along the way are distinct.

    Complexity: O(num_steps n^3): four symmetric eigenvalue problems a step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.spd import KernelMetric, affine_invariant_kernel, hamiltonian_geodesic
        >>> result = hamiltonian_geodesic(KernelMetric(affine_invariant_kernel), jnp.eye(1), jnp.eye(1), 1.0)
        >>> round(float(result.point[0, 0]), 4)
        2.7183

    References: [Thanwerdas2023].
    """
    where = "hamiltonian_geodesic"
    if not isinstance(manifold, KernelMetric):
        raise TypeError(
            f"{where}: manifold is {checks.described(manifold)}; expected a KernelMetric. Wrap the metric's kernel in "
            "one, such as KernelMetric(affine_invariant_kernel)."
        )
    num_steps = checks.count(where, "num_steps", num_steps, minimum=1)
    x, momentum, t = checks.floats(where, x=x, momentum=momentum, t=t)
    checks.shapes(where, x=(x, "n n"), momentum=(momentum, "n n"), t=(t, ""))
    manifold, x, momentum, t = vary_with((manifold, x, momentum, t), manifold, x, momentum, t)
    x, momentum = linalg.symmetric(x), linalg.symmetric(momentum)
    kernel, step = manifold.kernel, t / num_steps

    def slope(state):
        x, p = state
        velocity, pull = jax.vjp(lambda x: multipliers.multiply(x, p, kernel), x)
        # H = <p, T(x) p> / 2, so its derivative with respect to x is half that of <q, T(x) p> at q = p.
        return velocity, -pull(p)[0] / 2

    def ahead(state, slopes, share):
        return jax.tree.map(lambda leaf, slope: leaf + share * step * slope, state, slopes)

    def advance(state, _):
        # The four stages as a loop: the slope is compiled once.
        def stage(carry, coefficients):
            total, last = carry
            share, weight = coefficients
            slopes = slope(ahead(state, last, share))
            return (ahead(total, slopes, weight), slopes), None

        zero = jax.tree.map(lambda leaf: 0 * leaf, state)
        return jax.lax.scan(stage, (state, zero), jnp.asarray(_STAGES, x.dtype))[0][0], None

    def energy(x, p):
        return jnp.vdot(p, multipliers.multiply(x, p, kernel))

    start = energy(x, momentum)
    (point, momentum), _ = jax.lax.scan(advance, (x, momentum), length=num_steps)
    drift = jnp.abs(energy(point, momentum) - start)
    error = drift / jnp.where(start > 0, start, 1)
    verdict = jnp.where(error <= tol, Status.CONVERGED, Status.MAX_STEPS)
    finite = jnp.isfinite(error) & jnp.all(jnp.isfinite(point)) & jnp.all(jnp.isfinite(momentum))
    status = jnp.where(finite, verdict, Status.NONFINITE).astype(jnp.int32)
    return HamiltonianResult(point, momentum, error, jnp.asarray(num_steps, jnp.int32), status)
