"""Registration of point clouds by moments of functions that rigid motions do not change.

The rows of a moment matrix are [mass, first moments] of non-negative functions on the cloud. Under x -> R x + t each
row (m, p) becomes (m, R p + m t): all rows are multiplied by the same matrix, and the column space stays.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax._core.struct import struct
from geojax.manifolds.groups.special_orthogonal import nearest_rotation


@struct
class RigidMotion:
    """The motion x -> rotation @ x + translation.

    Attributes:
        rotation: [3, 3], orthogonal of determinant 1.
        translation: [3].
    """

    rotation: Float[Array, "3 3"]
    translation: Float[Array, " 3"]


@rounded_once
def ume_matrix(
    points: Float[Array, "n 3"],
    features: Float[Array, " n"],
    levels: Float[Array, " k"],
    weights: Float[Array, " n"] | None = None,
) -> Float[Array, "k 4"]:
    """Moments of a cloud, weighted by functions of a feature that a rigid motion does not change.

    Row j is  sum_i w_i h((f_i - l_j) / s) (1, x_i),  h(z) = exp(-z^2 / 2),  and s the mean gap between levels.

    Args:
        points: Points, [n, 3].
        features: An invariant number for each point, [n], such as its distance from the mean, or a learned one.
        levels: Values of the feature about which to weigh, [k], increasing, k >= 4.
        weights: Mass w of each point, [n], nonnegative, as from `sampling_equalizer`; 1 / n each if left out.

    Returns:
        Moment matrix [k, 4]: mass, then first moments in units of the points.

    Raises:
        ValueError: At trace time, if shapes disagree, there is no point, or k < 4.

    Differentiation: exact.

    Complexity: O(n k).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import ume_matrix
        >>> ume_matrix(jnp.eye(3), jnp.ones(3), jnp.arange(4.0)).shape
        (4, 4)

    References: [Efraim2019]; [Haitman2024].
    """
    where = "ume_matrix"
    points, features, levels = checks.floats(where, points=points, features=features, levels=levels)
    size = checks.shapes(where, points=(points, "n 3"), features=(features, "n"), levels=(levels, "k"))
    if size["n"] == 0 or size["k"] < 4:
        raise ValueError(
            f"{where}: got {size['n']} points and {size['k']} levels; expected at least one point and four levels, as "
            "a moment matrix has four columns. Add levels."
        )
    width = (levels[-1] - levels[0]) / (size["k"] - 1)
    mass = jnp.full(size["n"], 1 / size["n"], points.dtype) if weights is None else weights
    points, mass = checks.floats(where, points=points, weights=mass)
    checks.shapes(where, points=(points, "n 3"), weights=(mass, "n"))
    near = jnp.exp(-jnp.square((features - levels[:, None]) / width) / 2)
    return (near * mass) @ jnp.concatenate([jnp.ones_like(points[:, :1]), points], axis=1)


@rounded_once
def ume_register(m1: Float[Array, "k 4"], m2: Float[Array, "k 4"]) -> RigidMotion:
    """Rigid motion that takes one cloud to another, from their moment matrices.

    Least squares over rotations and translations of the centres of mass of the rows (m_j, p_j), weighted by masses:
    sum_j m1_j m2_j |p2_j / m2_j - R p1_j / m1_j - t|^2.

    Args:
        m1: Moment matrix of the cloud before the motion, [k, 4], k >= 4, positive masses.
        m2: Moment matrix after it.

    Returns:
        RigidMotion; exact if the second cloud is the first one moved. With a row of mass one for each point it is
        Kabsch's solution for known correspondences.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact if the best rotation is unique.

    Complexity: O(k), and a singular value decomposition of order 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import ume_register
        >>> rows = jnp.concatenate([jnp.ones((4, 1)), jnp.eye(4)[:, :3]], axis=1)
        >>> ume_register(rows, rows.at[:, 1:].add(2.0)).translation.round(4).tolist()
        [2.0, 2.0, 2.0]

    References: [Efraim2019]; [Kabsch1976].
    """
    where = "ume_register"
    m1, m2 = checks.floats(where, m1=m1, m2=m2)
    checks.shapes(where, m1=(m1, "k 4"), m2=(m2, "k 4"))
    # The rows of two samples of one surface differ in mass, but their centres of mass correspond.
    mass = m1[:, 0] * m2[:, 0]
    centres1, centres2 = m1[:, 1:] / m1[:, :1], m2[:, 1:] / m2[:, :1]
    weights = mass / jnp.sum(mass)
    mean1, mean2 = weights @ centres1, weights @ centres2
    covariance = (centres2 - mean2).T @ (weights[:, None] * (centres1 - mean1))
    rotation = nearest_rotation(covariance)
    return RigidMotion(rotation, mean2 - rotation @ mean1)


@rounded_once
def ume_subspace_distance(m1: Float[Array, "k 4"], m2: Float[Array, "k 4"]) -> Float[Array, ""]:
    """Projection distance between the column spaces of two moment matrices.

    |P1 - P2|_F / sqrt(2),  P the orthogonal projectors: the root of the sum of squared sines of principal angles.

    Args:
        m1: Moment matrix, [k, 4], of rank 4.
        m2: Moment matrix, [k, 4].

    Returns:
        Number between 0 and 2; 0 for a cloud and the same cloud moved rigidly.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact; derivative 0 if the subspaces are equal to the last bit.

    Complexity: O(k).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import ume_subspace_distance
        >>> float(ume_subspace_distance(jnp.eye(8)[:, :4], jnp.eye(8)[:, 4:]))
        2.0

    References: [Efraim2019].
    """
    where = "ume_subspace_distance"
    m1, m2 = checks.floats(where, m1=m1, m2=m2)
    checks.shapes(where, m1=(m1, "k 4"), m2=(m2, "k 4"))
    basis1, basis2 = (jnp.linalg.qr(m / jnp.max(jnp.abs(m), axis=0))[0] for m in (m1, m2))
    # |(I - P1) Q2|_F, without the difference of two numbers near 4.
    return safe.norm(basis2 - basis1 @ (basis1.T @ basis2))


@rounded_once
def ume_contrastive_loss(
    m1: Float[Array, "b k 4"], m2: Float[Array, "b k 4"], *, temperature: float = 0.1
) -> Float[Array, ""]:
    """Contrastive loss that makes the moment matrices of one cloud near and those of different clouds far.

    mean_i -log( exp(-d_ii / T) / sum_j exp(-d_ij / T) ),  d_ij the `ume_subspace_distance` of m1_i and m2_j.

    Args:
        m1: Moment matrices of b clouds, [b, k, 4].
        m2: Moment matrices of the same clouds, moved or sampled anew, [b, k, 4].
        temperature: T > 0, in units of the distance.

    Returns:
        Scalar >= 0.

    Raises:
        ValueError: At trace time, if the shapes disagree.

    Differentiation: exact; see `ume_subspace_distance`.

    Complexity: O(b^2 k).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import ume_contrastive_loss
        >>> m = jnp.eye(8).reshape(8, 2, 4).transpose(1, 0, 2)
        >>> float(ume_contrastive_loss(m, m)) < 1e-6
        True

    References: [Haitman2024].
    """
    where = "ume_contrastive_loss"
    m1, m2 = checks.floats(where, m1=m1, m2=m2)
    checks.shapes(where, m1=(m1, "b k 4"), m2=(m2, "b k 4"))
    pairs = jax.vmap(lambda x: jax.vmap(lambda y: ume_subspace_distance(x, y))(m2))(m1)
    scores = -pairs / jnp.asarray(temperature, m1.dtype)
    return -jnp.mean(jnp.diagonal(jax.nn.log_softmax(scores, axis=1)))


@rounded_once
def sampling_equalizer(points: Float[Array, "n 3"], *, voxel: float) -> Float[Array, " n"]:
    """Weights that give each cube of a grid the same mass, however densely it was sampled.

    w_i = 1 / (number of points in the cube of point i), divided by the sum.

    Args:
        points: Points, [n, 3].
        voxel: Edge of the cubes, > 0, in units of the points.

    Returns:
        Weights [n], nonnegative, of sum 1.

    Raises:
        ValueError: At trace time, if points is not [n, 3].

    Differentiation: none; the weights are piecewise constant.

    Complexity: O(n^2) comparisons.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.poses import sampling_equalizer
        >>> sampling_equalizer(jnp.array([[0.1, 0, 0], [0.2, 0, 0], [5.1, 0, 0]]), voxel=1.0).tolist()
        [0.25, 0.25, 0.5]

    References: [Haitman2024].
    """
    (points,) = checks.floats("sampling_equalizer", points=points)
    checks.shapes("sampling_equalizer", points=(points, "n 3"))
    cell = jnp.floor(jax.lax.stop_gradient(points) / jnp.asarray(voxel, points.dtype))
    same = jnp.all(cell[:, None] == cell, axis=-1)
    share = 1 / jnp.sum(same, axis=1).astype(points.dtype)
    return share / jnp.sum(share)
