"""Laplacians of triangle meshes, and energies of matches between meshes from them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from geojax._core import checks, safe
from geojax._core.precision import rounded_once
from geojax._core.struct import struct

Vertices = Float[Array, "n 3"]
Faces = Int[Array, "m 3"]


@struct
class MeshLaplacian:
    """The Laplacian of a mesh by linear finite elements.

    Attributes:
        stiffness: L, [n, n], symmetric, rows of sum 0; positive semidefinite; without units.
        mass: Area of each vertex, [n]: a third of its triangles.
    """

    stiffness: Float[Array, "n n"]
    mass: Float[Array, " n"]


@rounded_once
def cotan_laplacian(vertices: Vertices, faces: Faces) -> MeshLaplacian:
    """Cotangent Laplacian of a triangle mesh, with lumped masses.

    L_ij = -(cot a_ij + cot b_ij) / 2  for the angles opposite the edge ij;  L u = l M u approaches  -div grad u = l u.

    Args:
        vertices: Vertices, [n, 3].
        faces: Triangles, integer [m, 3], indices of vertices; no triangle is degenerate.

    Returns:
        MeshLaplacian. NaN or infinite if a triangle has no area.

    Raises:
        ValueError: At trace time, if the shapes are not these. TypeError: If faces are not integers.

    Differentiation: exact, in the vertices.

    Complexity: O(m + n^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import cotan_laplacian
        >>> corner = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> (3 * cotan_laplacian(corner, jnp.array([[0, 1, 2]])).mass).tolist()
        [0.5, 0.5, 0.5]

    References: [Pinkall1993].
    """
    vertices, faces = _mesh("cotan_laplacian", vertices, faces)
    n = vertices.shape[0]
    corners = vertices[faces]
    twice_area = jax.vmap(safe.norm)(_face_normals(corners))
    stiffness = jnp.zeros((n, n), vertices.dtype)
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        u, v = corners[:, b] - corners[:, a], corners[:, c] - corners[:, a]
        half = jnp.sum(u * v, axis=1) / (2 * twice_area)
        i, j = faces[:, b], faces[:, c]
        stiffness = stiffness.at[i, j].add(-half).at[j, i].add(-half).at[i, i].add(half).at[j, j].add(half)
    mass = jnp.zeros(n, vertices.dtype).at[faces].add(twice_area[:, None] / 6)
    return MeshLaplacian(stiffness, mass)


@rounded_once
def projected_laplacian(vertices: Vertices, faces: Faces) -> Float[Array, "n n 3"]:
    """Laplacian of vector fields on a mesh, projected on the normals: the part of it that measures bending.

    (P X)_i = sum_j P_ij . X_j,  P_ij = L_ij n_i / M_i,  for the cotangent Laplacian L, the masses M and unit normals n.
    On the vertices themselves, P V is twice the mean curvature, positive if the surface bends away from its normal.

    Args:
        vertices: Vertices, [n, 3].
        faces: Triangles, integer [m, 3], consistently oriented.

    Returns:
        P, [n, n, 3], in 1 / squared units of the vertices; turns with the mesh.

    Raises:
        ValueError: At trace time, if the shapes are not these. TypeError: If faces are not integers.

    Differentiation: exact, in the vertices.

    Complexity: O(m + n^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import projected_laplacian
        >>> corner = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> flat = projected_laplacian(corner, jnp.array([[0, 1, 2]]))
        >>> jnp.einsum("ijc,jc->i", flat, corner).tolist()
        [0.0, 0.0, 0.0]

    References: [GaoRoetzer2023].
    """
    vertices, faces = _mesh("projected_laplacian", vertices, faces)
    laplacian = cotan_laplacian(vertices, faces)
    normals = _vertex_normals(vertices, faces)
    return (laplacian.stiffness / laplacian.mass[:, None])[:, :, None] * normals[:, None]


@rounded_once
def deformation_energy(
    match: Float[Array, "n k"], vertices_a: Vertices, faces_a: Faces, vertices_b: Vertices, faces_b: Faces
) -> Float[Array, ""]:
    """How much a match between two meshes bends and stretches one into the other.

    (|D|^2 + |N D|^2) / 2,  D = sqrt(M_a) (M_a^-1 L_a C V_b - C M_b^-1 L_b V_b),  N the projection on the matched
    normals, both meshes scaled to area 1: the Laplacian of the matched positions is compared with the matched
    Laplacian.

    Args:
        match: C, [n, k]: row i says which vertex of b (or which mixture, of sum 1) vertex i of a goes to.
        vertices_a: Vertices of a, [n, 3].
        faces_a: Triangles of a, integer [., 3].
        vertices_b: Vertices of b, [k, 3].
        faces_b: Triangles of b, integer [., 3].

    Returns:
        Scalar >= 0, without units, unchanged by rigid motions and scalings of either mesh. It is 0 if the
        match takes vertices to vertices and keeps the Laplacian, as the true match of an isometric copy does; so does
        that of a mirror image, which `orientation_penalty` tells apart.

    Raises:
        ValueError: At trace time, if the shapes disagree. TypeError: If faces are not integers.

    Differentiation: exact.

    Complexity: O(n k + n^2 + k^2).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import deformation_energy
        >>> v = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        >>> f = jnp.array([[0, 1, 2]])
        >>> float(deformation_energy(jnp.eye(3), v, f, v, f))
        0.0

    References: [GaoRoetzer2023].
    """
    where = "deformation_energy"
    match, vertices_a, faces_a, vertices_b, faces_b = _pair(
        where, match, vertices_a, faces_a, vertices_b, faces_b
    )
    one, two = cotan_laplacian(vertices_a, faces_a), cotan_laplacian(vertices_b, faces_b)
    area_a, area_b = jnp.sum(one.mass), jnp.sum(two.mass)
    positions = vertices_b / jnp.sqrt(area_b)
    bent = one.stiffness @ (match @ positions) / (one.mass / area_a)[:, None]
    kept = match @ (two.stiffness @ positions / (two.mass / area_b)[:, None])
    gap = bent - kept
    shares = one.mass / area_a
    normal = jnp.sum(gap * (match @ _vertex_normals(vertices_b, faces_b)), axis=1)
    return jnp.sum(shares * (jnp.sum(jnp.square(gap), axis=1) + jnp.square(normal))) / 2


@rounded_once
def orientation_penalty(
    match: Float[Array, "n k"], vertices_a: Vertices, faces_a: Faces, vertices_b: Vertices, faces_b: Faces
) -> Float[Array, ""]:
    """Share of a mesh that a match turns inside out.

    sum_i M_i (1 - <n_i, (C n_b)_i>) / 2,  n the normals of the triangles of a at the matched positions C V_b, n_b those
    of b, and M the masses of a with sum 1.

    Args:
        match: C, [n, k], as in `deformation_energy`.
        vertices_a: Vertices of a, [n, 3].
        faces_a: Triangles of a, integer [., 3], consistently oriented.
        vertices_b: Vertices of b, [k, 3].
        faces_b: Triangles of b, integer [., 3], consistently oriented.

    Returns:
        Scalar between 0 and 1: 0 for a match that keeps the orientation, 1 for a mirror image of one. NaN if all
        triangles around a vertex are matched to one point.

    Raises:
        ValueError: At trace time, if the shapes disagree. TypeError: If faces are not integers.

    Differentiation: exact.

    Complexity: O(n k).

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.manifolds.meshes import orientation_penalty
        >>> v = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        >>> f = jnp.array([[0, 1, 2]])
        >>> float(orientation_penalty(jnp.eye(3)[jnp.array([1, 0, 2])], v, f, v, f))
        1.0

    References: [GaoRoetzer2023].
    """
    where = "orientation_penalty"
    match, vertices_a, faces_a, vertices_b, faces_b = _pair(
        where, match, vertices_a, faces_a, vertices_b, faces_b
    )
    placed = _vertex_normals(match @ vertices_b, faces_a)
    expected = match @ _vertex_normals(vertices_b, faces_b)
    mass = cotan_laplacian(vertices_a, faces_a).mass
    return jnp.sum(mass * (1 - jnp.sum(placed * expected, axis=1))) / (2 * jnp.sum(mass))


def _mesh(where: str, vertices: Array, faces: Array) -> tuple[Array, Array]:
    (vertices,) = checks.floats(where, vertices=vertices)
    faces = jnp.asarray(faces)
    if not jnp.issubdtype(faces.dtype, jnp.integer):
        raise TypeError(
            f"{where}: faces has dtype {faces.dtype}; expected integers. Cast it with .astype(int)."
        )
    checks.shapes(where, vertices=(vertices, "n 3"), faces=(faces, "m 3"))
    return vertices, faces


def _pair(where: str, match: Array, vertices_a: Array, faces_a: Array, vertices_b: Array, faces_b: Array):
    match, vertices_a, vertices_b = checks.floats(
        where, match=match, vertices_a=vertices_a, vertices_b=vertices_b
    )
    checks.shapes(where, match=(match, "n k"), vertices_a=(vertices_a, "n 3"), vertices_b=(vertices_b, "k 3"))
    return match, *_mesh(where, vertices_a, faces_a), *_mesh(where, vertices_b, faces_b)


def _face_normals(corners: Float[Array, "m 3 3"]) -> Float[Array, "m 3"]:
    """Normals of triangles, of length twice their area."""
    return jnp.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _vertex_normals(vertices: Array, faces: Array) -> Vertices:
    """Unit normals at the vertices: the sum of the normals of the triangles around, weighted by area."""
    normals = _face_normals(vertices[faces])
    total = jnp.zeros_like(vertices).at[faces].add(normals[:, None])
    return total / jax.vmap(safe.norm)(total)[:, None]
