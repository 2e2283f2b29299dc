"""linear_maps: as many maps as the commutant of random group elements has dimensions, found without diagrams."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import symmetry
from geojax.symmetry import declare, linear_maps
from geojax.symmetry.action.facts import Leaf
from geojax.symmetry.action.layout import Block
from geojax.symmetry.intertwiners.plans.pointwise import check_pointwise

TRIVIAL = symmetry.SymmetrySpec((), (Leaf("", (), Block(())),))


def written(shapes, axes):
    """A spec written by hand and a tree of zeros of its shapes."""
    tree = {name: np.zeros(shape) for name, shape in shapes.items()}
    return declare(tree, axes), tree


# What moves each axis, and the dimension of the commutant, found by `commutant_dimension` below and kept as a number
# where that takes long. Axes shorter than the diagrams need are among all of them.
SPECS = {
    "points and space": ({"x": (3, 3), "h": (3, 2)}, {"x": ("p", "s:orthogonal"), "h": ("p", None)}, 10),
    "rotations": ({"a": (3, 3), "b": (3,)}, {"a": ("s:rotation", "s"), "b": ("s",)}, 6),
    "rotations of a plane": ({"a": (2, 2), "b": (2,)}, {"a": ("s:rotation", "s"), "b": ("s",)}, 8),
    "rotations of two spaces": ({"a": (3, 2)}, {"a": ("s:rotation", "t:rotation")}, 2),
    "short orthogonal": ({"a": (2, 2, 2)}, {"a": ("s:orthogonal", "s", "s")}, 10),
    "linear": (
        {"a": (2, 2), "b": (2,), "c": (2, 2)},
        {"a": ("v:general_linear", "v^-1"), "b": ("v",), "c": ("v", "v")},
        5,
    ),
    "children": (
        {"a": (2, 3, 2), "b": (2, 3), "c": (2,)},
        {"a": ("H", "H/u", None), "b": ("H", "H/u"), "c": ("H",)},
        41,
    ),
    "short children": ({"a": (2, 1), "b": (2, 2, 1)}, {"a": ("H", "H/u"), "b": ("H", None, "H/u")}, 18),
    "turned children": (
        {"a": (2, 2), "b": (2, 2, 2)},
        {"a": ("p", "p/s:orthogonal"), "b": ("p", "p/s", "p/s")},
        5,
    ),
    "held parents": ({"a": (2, 3), "c": (2,)}, {"a": ("L:held", "L/u"), "c": ("L",)}, 18),
    "short children of held parents": (
        {"a": (3, 1), "b": (3, 2, 1)},
        {"a": ("L:held", "L/u:permutation"), "b": ("L", None, "L/u")},
        81,
    ),
    "signs": ({"a": (3, 3), "b": (3,)}, {"a": ("u:sign", "u"), "b": ("u",)}, 24),
    "scalings": ({"a": (3, 3), "b": (3,)}, {"a": ("u:scaling", "u^-1"), "b": ("u",)}, 18),
    "powers": ({"a": (3, 3), "b": (3,)}, {"a": ("u:permutation+scaling^2", "u^-1"), "b": ("u^2",)}, 3),
    "signs in charged parents": (
        {"a": (2, 2), "b": (2,)},
        {"a": ("L:sign", "L/u:permutation"), "b": ("L",)},
        10,
    ),
    "grandchildren": ({"a": (2, 2, 2)}, {"a": ("G", "G/H", "G/H/u")}, 4),
    "short permutations": ({"a": (2, 2), "b": (2,)}, {"a": ("u", "u"), "b": ("u",)}, 18),
}
COMPUTED = (
    "points and space",
    "rotations of a plane",
    "linear",
    "children",
    "short children of held parents",
    "signs",
)


def representations(spec, tree, num):
    """Matrices of random elements on the vector of all entries."""
    flat, unravel = jax.flatten_util.ravel_pytree(tree)

    @jax.jit
    def of(key):
        g = symmetry.random_element(spec, key)
        moved = lambda e: jax.flatten_util.ravel_pytree(symmetry.act(spec, g, unravel(e)))[0]
        return jax.vmap(moved, out_axes=1)(jnp.eye(flat.size))

    return [np.asarray(of(jax.random.key(seed))) for seed in range(num)]


def images(maps, tree, dtype=np.float64):
    """The matrix of every map of the basis of coefficients, [count, n, n], in one program."""
    flat, unravel = jax.flatten_util.ravel_pytree(jax.tree.map(lambda x: x.astype(dtype), tree))
    theta = jax.tree.map(lambda x: x.astype(dtype), maps.init(jax.random.key(0), 1, 1))
    vector, coefficients = jax.flatten_util.ravel_pytree(theta)

    @jax.jit
    @jax.vmap
    def matrix(t):
        mapped = lambda e: maps.apply(coefficients(t), jax.tree.map(lambda x: x[..., None], unravel(e)))
        return jax.vmap(lambda e: jax.flatten_util.ravel_pytree(mapped(e))[0], out_axes=1)(
            jnp.eye(flat.size, dtype=dtype)
        )

    return np.asarray(matrix(jnp.eye(vector.size, dtype=dtype)))


def commutant_dimension(elements):
    """Dimension of {A: r A = A r for all r}, from the singular values of the equations; no diagrams."""
    n = len(elements[0])
    gram = np.zeros((n * n, n * n))
    for r in elements:
        equations = np.kron(r, np.linalg.inv(r).T) - np.eye(n * n)
        gram += equations.T @ equations
    values = np.linalg.eigvalsh(gram)
    return int(np.sum(values < 1e-9 * max(1, values[-1])))


@pytest.mark.parametrize("name", SPECS)
def test_as_many_maps_as_the_commutant_has_dimensions(name):
    shapes, axes, dimension = SPECS[name]
    spec, _ = written(shapes, axes)
    maps = linear_maps(spec)
    assert maps.count == dimension
    assert maps.dropped == 0


@pytest.mark.full
@pytest.mark.parametrize("name", COMPUTED)
def test_maps_commute_and_span_the_commutant(name):
    shapes, axes, dimension = SPECS[name]
    spec, tree = written(shapes, axes)
    elements = representations(spec, tree, 5)
    assert commutant_dimension(elements) == dimension
    basis = images(linear_maps(spec), tree)
    assert np.linalg.matrix_rank(basis.reshape(dimension, -1), tol=1e-8) == dimension
    for r in elements:
        np.testing.assert_allclose(r @ basis, basis @ r, atol=1e-12 * np.abs(r).max() ** 2)
    single = images(linear_maps(spec), tree, np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, basis, atol=1e-6)


def mlp(nonlinearity, bias=True):
    def apply(p, x):
        return nonlinearity(x @ p["a"] + (p["b"] if bias else 0.0)) @ p["c"]

    return apply


def attention(p, x):
    q = jnp.einsum("ne,hed->hnd", x, p["q"])
    k = jnp.einsum("ne,hed->hnd", x, p["k"])
    return jnp.einsum("hnm,me,heo->no", jax.nn.softmax(q @ k.mT), x, p["o"])


def recurrent(p, x):
    step = lambda h, u: (jax.nn.sigmoid(u @ p["i"] + h @ p["w"]), None)
    return jax.lax.scan(step, jnp.full(4, 0.1), x)[0] @ p["o"]


def residual(p, x):
    h = jax.nn.gelu(x @ p["i"])
    return (h + jax.nn.gelu(h @ p["u"]) @ p["v"]) @ p["o"]


def deep(p, x):
    return jax.nn.gelu(jax.nn.gelu(x @ p["a"] + p["b"]) @ p["c"] + p["d"]) @ p["e"]


def gated(p, x):
    a, b = jnp.split(x @ p["w"], 2, axis=-1)
    return (jax.nn.silu(a) * b) @ p["o"]


def convolution(p, x):
    return p["g"] * jnp.stack([jnp.sum(jnp.roll(x[:, 0], i)[:3] * p["k"][:, 0]) for i in range(3)])


def rotary(p, x):
    angle = jnp.arange(len(x))[:, None] * jnp.array([1.0, 0.3])

    def turned(h):
        a, b = jnp.split(h, 2, -1)
        c, s = jnp.cos(angle), jnp.sin(angle)
        return jnp.concatenate([a * c - b * s, a * s + b * c], -1)

    return jax.nn.softmax(turned(x @ p["q"]) @ turned(x @ p["k"]).T) @ x


SMALL = {"a": (2, 4), "b": (4,), "c": (4, 1)}
# (program, shapes of its parameters, dimension of the commutant of random elements of the spec that `infer` reads)
PROGRAMS = {
    "gelu": (mlp(jax.nn.gelu), SMALL, 32),
    "relu": (mlp(jax.nn.relu), SMALL, 10),
    "tanh": (mlp(jnp.tanh), SMALL, 16),
    "linear": (mlp(lambda x: x, bias=False), {"a": (2, 4), "c": (4, 1)}, 5),
    "deep": (deep, {"a": (1, 3), "b": (3,), "c": (3, 4), "d": (4,), "e": (4, 1)}, 44),
    "residual": (residual, {"i": (1, 4), "u": (4, 3), "v": (3, 4), "o": (4, 1)}, 40),
    "recurrent": (recurrent, {"i": (1, 4), "w": (4, 4), "o": (4, 1)}, 43),
    "attention": (attention, {"q": (3, 1, 2), "k": (3, 1, 2), "o": (3, 1, 1)}, 4),
    # Pieces of an axis; a group that multiplies whole leaves; rotations inside an axis that is scaled.
    "gated": (gated, {"w": (1, 6), "o": (3, 1)}, 4),
    "convolution": (convolution, {"k": (3, 1), "g": ()}, 10),
    "rotary": (rotary, {"q": (1, 4), "k": (1, 4)}, 8),
}


@pytest.mark.full
@pytest.mark.parametrize("name", PROGRAMS)
def test_maps_of_the_weights_of_a_program(name):
    apply, shapes, dimension = PROGRAMS[name]
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    width = next(iter(shapes.values()))[-2]
    spec = symmetry.infer(apply, params, rng.normal(size=(9, width)), verify=False)
    maps = linear_maps(spec)
    assert maps.count == dimension
    theta = maps.init(jax.random.key(0), 2, 2)
    g = symmetry.random_element(spec, jax.random.key(1))
    moved = jax.vmap(lambda x: symmetry.act(spec, g, x), in_axes=-1, out_axes=-1)

    @jax.jit
    def both(tree):
        return maps.apply(theta, moved(tree)), moved(maps.apply(theta, tree))

    left, right = both({name: rng.normal(size=(*shape, 2)) for name, shape in shapes.items()})
    for name in shapes:
        np.testing.assert_allclose(left[name], right[name], rtol=1e-11, atol=1e-11)
        assert np.max(np.abs(left[name])) > 1e-3


def test_groups_of_one_name_are_one_group():
    domain, _ = written({"a": (3, 2)}, {"a": ("u", None)})
    codomain, _ = written({"b": (3, 3), "c": (), "d": (2,)}, {"b": ("u", "u"), "c": (), "d": (None,)})
    # A matrix from a vector with 2 held entries: 5 partitions; a number and 2 held entries from a mean.
    assert linear_maps(domain, codomain).count == 2 * 5 + 2 + 2 * 2
    other, _ = written({"b": (3, 3)}, {"b": ("v", "v")})
    assert linear_maps(domain, other).count == 2 * 2
    longer, _ = written({"b": (4,)}, {"b": ("u",)})
    with pytest.raises(ValueError, match=r"group 'u' is permutation of 3 in domain and permutation of 4"):
        linear_maps(domain, longer)


@pytest.mark.full
def test_outputs_have_the_structure_that_is_asked_for():
    spec, _ = written({"a": (3,)}, {"a": ("u",)})
    theta = linear_maps(spec).init(jax.random.key(0), 1, 2)
    tree = {"a": jnp.arange(3.0)[:, None]}
    assert linear_maps(spec).apply(theta, tree)["a"].shape == (3, 2)
    pooled = linear_maps(spec, TRIVIAL)
    assert pooled.count == 1
    number = pooled.apply(pooled.init(jax.random.key(0), 1, 2), tree)
    assert number.shape == (2,)
    back = linear_maps(TRIVIAL, spec)
    assert back.apply(back.init(jax.random.key(0), 2, 1), number)["a"].shape == (3, 1)
    rows = declare([np.zeros(3), np.zeros(3)], [("u",), ("u",)])
    nested = linear_maps(spec, rows)
    assert set(nested.apply(nested.init(jax.random.key(0), 1, 1), tree)) == {"0", "1"}
    listed = linear_maps(spec, rows, like=[0, 0])
    assert isinstance(listed.apply(listed.init(jax.random.key(0), 1, 1), tree), list)
    with pytest.raises(ValueError, match="like has the leaves"):
        linear_maps(spec, rows, like=[0])


def test_trees_that_do_not_fit_are_refused():
    spec, _ = written({"a": (3,)}, {"a": ("u",)})
    maps = linear_maps(spec)
    theta = {"a": {"a.k": np.zeros((1, 1, 1)), "a.-": np.zeros((1, 1, 1))}}
    with pytest.raises(ValueError, match=r"a: got shape \(3,\), expected \(3, channels\)"):
        maps.apply(theta, {"a": np.zeros(3)})
    with pytest.raises(ValueError, match=r"missing: a \(3,\)"):
        maps.apply(theta, {"b": np.zeros((3, 1))})
    with pytest.raises(ValueError, match="theta does not fit these maps and 2 channels"):
        maps.apply(theta, {"a": np.zeros((3, 2))})
    with pytest.raises(TypeError, match="SymmetrySpec"):
        linear_maps(maps)


@pytest.mark.full
def test_outputs_of_independent_inputs_keep_their_variance():
    spec, _ = written({"a": (30, 30), "b": (30, 2)}, {"a": ("u", "v"), "b": ("u", None)})
    maps = linear_maps(spec)

    @jax.jit
    def spread(key):
        first, second, third = jax.random.split(key, 3)
        tree = {"a": jax.random.normal(first, (30, 30, 8)), "b": jax.random.normal(second, (30, 2, 8))}
        return jax.tree.map(jnp.var, maps.apply(maps.init(third, 8, 16), tree))

    found = jax.tree.map(jnp.mean, jax.vmap(spread)(jax.random.split(jax.random.key(0), 16)))
    for value in found.values():
        assert 0.8 < value < 1.25


@pytest.mark.full
def test_leaves_that_share_no_axis_meet_in_one_pool_beyond_the_cap():
    shapes = {"a": (3, 2), "b": (2,), "c": (3,)}
    spec, tree = written(shapes, {"a": ("u", None), "b": ("v",), "c": ("w:permutation+sign",)})
    full, capped = linear_maps(spec), linear_maps(spec, pool_beyond=2)
    # Between a and b there are 2 + 2 maps, of which a pool to each remains; none reaches c, which has a sign.
    assert (full.count, capped.count, capped.dropped) == (15, 13, 2)
    basis = images(capped, tree)
    assert np.linalg.matrix_rank(basis.reshape(13, -1), tol=1e-8) == 13
    for r in representations(spec, tree, 2):
        np.testing.assert_allclose(r @ basis, basis @ r, atol=1e-12)


@pytest.mark.full
def test_long_axes_that_nothing_moves_have_few_maps():
    shapes = {"a": (3, 9), "b": (3, 9), "c": (2, 3)}
    spec, tree = written(shapes, {"a": ("u", "L:held"), "b": ("u", "L"), "c": (None, "u")})
    short = linear_maps(spec, dense_up_to=4)
    # u: 2 ways; L between a and b: 2; c's axis of 2 is short, so that it has a coefficient for each index.
    assert short.count == 2 * (4 * 2 + 2 * 2 * 2 + 4)
    assert short.dropped == linear_maps(spec).count - short.count == 2 * (4 * 81 + 4 * 18 + 4) - short.count
    basis = images(short, tree)
    assert np.linalg.matrix_rank(basis.reshape(short.count, -1), tol=1e-8) == short.count
    for r in representations(spec, tree, 2):
        np.testing.assert_allclose(r @ basis, basis @ r, atol=1e-12)
    unnamed, _ = written(shapes, {"a": ("u", None), "b": ("u", None), "c": (None, "u")})
    assert linear_maps(unnamed, dense_up_to=4).count == 2 * (2 * 2 + 2 * 1 + 2 * 2 * 2 + 4)


def test_too_many_maps_are_refused():
    spec, _ = written({"a": (9,) * 6}, {"a": ("u",) * 6})
    with pytest.raises(ValueError, match="too many maps between two leaves that have 12 axes"):
        _ = linear_maps(spec).count


@pytest.mark.full
def test_nonlinearities_that_do_not_commute_are_refused():
    plain, _ = written({"a": (3, 2)}, {"a": ("u", None)})
    check_pointwise(plain, jax.nn.gelu)
    signed, _ = written({"a": (3, 2)}, {"a": (None, "u:permutation+sign")})
    check_pointwise(signed, jnp.tanh)
    with pytest.raises(ValueError, match=r"sign group 'u:sign', which moves axis 1 of a; expected an odd"):
        check_pointwise(signed, jax.nn.gelu)
    scaled, _ = written({"a": (3, 2)}, {"a": ("u:scaling", None)})
    check_pointwise(scaled, jax.nn.relu)
    with pytest.raises(ValueError, match="expected a positively homogeneous function"):
        check_pointwise(scaled, jnp.tanh)
    turned, _ = written({"a": (3, 2)}, {"a": ("u:orthogonal", None)})
    check_pointwise(turned, lambda x: 2 * x)
    for nonlinearity in (jax.nn.relu, jnp.tanh):
        with pytest.raises(ValueError, match="gate by norms"):
            check_pointwise(turned, nonlinearity)
    with pytest.raises(ValueError, match="every entry by itself"):
        check_pointwise(plain, jax.nn.softmax)


def test_a_nonlinearity_is_judged_while_tracing():
    signed, _ = written({"a": (3,)}, {"a": ("u:permutation+sign",)})

    def traced(x):
        check_pointwise(signed, jnp.tanh)
        with pytest.raises(ValueError, match="odd"):
            check_pointwise(signed, jax.nn.relu)
        return x

    jax.eval_shape(traced, jnp.ones(3))
