"""Norms of weights, and the direction of steepest ascent for each of them."""

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe, tree
from geojax._core.precision import rounded_once
from geojax._core.struct import static, struct


@runtime_checkable
class Norm(Protocol):
    """A norm of an array (or a tree), and the step t that maximises <g, t> over |t| <= 1."""

    @rounded_once
    def norm(self, d: Any) -> Array:
        """Length of a step."""
        ...

    @rounded_once
    def steepest(self, g: Any) -> Any:
        """The step of length 1 that maximises <g, t>; zero if g is zero."""
        ...


@struct
class MaxNorm:
    """Largest absolute entry, under which the steepest direction is the sign of the gradient.

    |d| = max_i |d_i|,  dual sum_i |g_i|,  steepest sign(g): that of Adam without averages.

    Args:
        (none): There are no parameters.

    Returns:
        A norm of arrays of any shape.

    Differentiation: exact, with the signs held constant.

    Complexity: O(number of entries).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import MaxNorm, dual_norm
        >>> float(dual_norm(jnp.array([3.0, -4.0]), MaxNorm()))
        7.0

    References: [BernsteinNewhouse2024].
    """

    @rounded_once
    def norm(self, d):
        """Largest absolute entry."""
        return jnp.max(jnp.abs(d), initial=0)

    @rounded_once
    def steepest(self, g):
        """Signs."""
        return jnp.sign(g)


@struct
class ColumnNorm:
    """Largest Euclidean norm of a column, the operator norm from l1 to l2: for inputs that are one-hot.

    |D| = max_j |D e_j|_2,  dual sum_j |G e_j|_2,  steepest: every column of G divided by its norm.

    Args:
        (none): There are no parameters. For a table with one row for each symbol, as in flax, use `RowNorm`.

    Returns:
        A norm of matrices.

    Differentiation: exact if no column is zero.

    Complexity: O(number of entries).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import ColumnNorm, dual_norm
        >>> float(dual_norm(jnp.array([[3.0, 0.0], [4.0, 2.0]]), ColumnNorm()))
        7.0

    References: [BernsteinNewhouse2024], embedding layers.
    """

    @rounded_once
    def norm(self, d):
        """Norm of the longest column."""
        return jnp.max(jax.vmap(safe.norm, in_axes=1)(_matrix("ColumnNorm", d)), initial=0)

    @rounded_once
    def steepest(self, g):
        """Columns of length 1, or 0."""
        return jax.vmap(_unit, in_axes=1, out_axes=1)(_matrix("ColumnNorm", g))


@struct
class RowNorm:
    """Largest Euclidean norm of a row: `ColumnNorm` of the transpose, for tables with a row for each symbol.

    |D| = max_i |D^T e_i|_2,  dual sum_i |G^T e_i|_2,  steepest: every row of G divided by its norm.

    Args:
        (none): There are no parameters.

    Returns:
        A norm of matrices.

    Differentiation: exact if no row is zero.

    Complexity: O(number of entries).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import RowNorm, dual_norm
        >>> float(dual_norm(jnp.array([[3.0, 4.0], [0.0, 2.0]]), RowNorm()))
        7.0

    References: [BernsteinNewhouse2024], embedding layers.
    """

    @rounded_once
    def norm(self, d):
        """Norm of the longest row."""
        return jnp.max(jax.vmap(safe.norm)(_matrix("RowNorm", d)), initial=0)

    @rounded_once
    def steepest(self, g):
        """Rows of length 1, or 0."""
        return jax.vmap(_unit)(_matrix("RowNorm", g))


@struct
class SpectralNorm:
    """Largest singular value, the operator norm from l2 to l2: for inner linear layers.

    |D| = max singular value,  dual sum of the singular values of G,  steepest U V^T for G = U S V^T: that of Shampoo
    without accumulation.

    Args:
        num_steps: Newton-Schulz steps, as in `newton_schulz`; a Python integer.

    Returns:
        A norm of matrices. Singular values of G below its Frobenius norm times 3.4^(4 - num_steps) count only partly.

    Differentiation: exact, through the steps.

    Complexity: Three products of matrices in each step.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import SpectralNorm, dual_norm
        >>> round(float(dual_norm(jnp.array([[3.0, 0.0], [0.0, -4.0]]), SpectralNorm())), 4)
        7.0

    References: [BernsteinNewhouse2024].
    """

    num_steps: int = static(default=14)

    @rounded_once
    def norm(self, d):
        """Largest singular value."""
        return jnp.linalg.norm(_matrix("SpectralNorm", d), 2)

    @rounded_once
    def steepest(self, g):
        """Orthogonal factor."""
        return newton_schulz(g, num_steps=self.num_steps)


@struct
class ModularNorm:
    """Largest norm of the parts of a tree, where each part has a norm of its own.

    |d| = max_l |d_l|_l,  dual sum_l |g_l|*_l,  steepest: for each part the steepest step under its own norm.

    Args:
        norms: A prefix tree of norms; a norm is applied to every leaf below it.

    Returns:
        A norm of trees.

    Raises:
        TypeError: If something in `norms` is not a norm.
        ValueError: If `norms` is not a prefix of the tree that it is applied to.

    Differentiation: as the parts.

    Complexity: The sum of the parts.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import MaxNorm, ModularNorm, RowNorm, dual_norm
        >>> norm = ModularNorm({"table": RowNorm(), "bias": MaxNorm()})
        >>> float(dual_norm({"table": jnp.array([[3.0, 4.0]]), "bias": jnp.ones(2)}, norm))
        7.0

    References: [BernsteinNewhouse2024].
    """

    norms: Any

    def __post_init__(self) -> None:
        for path, norm in jax.tree_util.tree_flatten_with_path(self.norms, is_leaf=_is_norm)[0]:
            if not _is_norm(norm):
                at = f" at {tree.path_name(path)!r}" if path else ""
                raise TypeError(
                    f"ModularNorm: norms holds {checks.described(norm)}{at}; expected norms. "
                    "Give every part an instance, such as MaxNorm()."
                )

    @rounded_once
    def norm(self, d):
        """Largest norm of a part."""
        norms = self._each(lambda norm, leaf: norm.norm(leaf), d)
        return jnp.max(jnp.stack(jax.tree.leaves(norms)))

    @rounded_once
    def steepest(self, g):
        """Steepest in every part."""
        return self._each(lambda norm, leaf: norm.steepest(leaf), g)

    def _each(self, function, value):
        checks.prefix_tree("ModularNorm", "norms", self.norms, _is_norm, "norms", value)
        checks.arrays_only("ModularNorm", "the tree", value)
        return jax.tree.map(
            lambda norm, part: jax.tree.map(lambda leaf: function(norm, leaf), part),
            self.norms,
            value,
            is_leaf=_is_norm,
        )


@rounded_once
def newton_schulz(matrix: Float[Array, "m n"], *, num_steps: int = 14) -> Float[Array, "m n"]:
    """Approximate U V^T of a matrix U S V^T by products of matrices alone.

    X <- X (a + b X^T X + c (X^T X)^2),  from X = G / |G|_F. The first steps multiply small singular values by 3.4, the
    last four converge to 1. Singular values above |G|_F 3.4^(4 - num_steps) become 1 up to 1e-5; zero stays zero.

    Args:
        matrix: G, [m, n], of any rank.
        num_steps: Steps, a Python integer >= 4.

    Returns:
        Matrix [m, n]; zero for zero.

    Raises:
        ValueError: At trace time, if the argument is not a matrix, or num_steps is below 4.

    Differentiation: exact, through the steps.

    Complexity: Three products with the smaller square matrix in each step; without factorisations it is fast on
        accelerators.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.optim import newton_schulz
        >>> jnp.round(newton_schulz(jnp.array([[0.0, 3.0], [-2.0, 0.0]])) + 0.0, 3).tolist()
        [[0.0, 1.0], [-1.0, 0.0]]

    References: [BernsteinNewhouse2024]; [Higham2008], ch. 8.
    """
    num_steps = checks.count("newton_schulz", "num_steps", num_steps, minimum=4)
    matrix = _matrix("newton_schulz", matrix)
    wide = matrix.shape[0] < matrix.shape[1]
    x = matrix.T if wide else matrix
    size = safe.norm(x)
    x = x / jnp.where(size == 0, 1, size)
    # The first polynomial maps (0, 1] into (0, 1.14]; the second has 1 as a fixed point of order three.
    coefficients = [(3.4445, -4.7750, 2.0315)] * (num_steps - 4) + [(1.875, -1.25, 0.375)] * 4

    def step(x: Array, abc: Array) -> tuple[Array, None]:
        square = x.T @ x
        return abc[0] * x + x @ (abc[1] * square + abc[2] * (square @ square)), None

    x, _ = jax.lax.scan(step, x, jnp.asarray(coefficients, x.dtype))
    return x.T if wide else x


def _unit(x: Array) -> Array:
    size = safe.norm(x)
    return x / jnp.where(size == 0, 1, size)


def _matrix(where: str, value: Any) -> Array:
    (value,) = checks.floats(where, matrix=value)
    checks.shapes(where, matrix=(value, "_ _"))
    return value


def _is_norm(value: Any) -> bool:
    return isinstance(value, Norm) and not isinstance(value, type)
