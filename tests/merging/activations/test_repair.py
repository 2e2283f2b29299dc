"""After repair the statistics of every unit are those between the endpoints, by an independent forward."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.merging import interpolate, repair
from geojax.symmetry import infer

T = 0.3


def normal(seed, shape, dtype=np.float64):
    """Normal numbers, by numpy: each shape that JAX draws is a program to compile."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def pair(model, x, dtype=np.float64):
    """Two networks whose every leaf is random; positive where a variance must be."""
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), x))

    def draw(seed):
        random = np.random.default_rng(seed)

        def one(path, leaf):
            value = random.normal(size=leaf.shape) * (0.5 if len(leaf.shape) > 1 else 0.3)
            value = np.exp(value) if str(path[-1].key) in ("var", "scale") else value
            return jnp.asarray(value, dtype)

        return jax.tree_util.tree_map_with_path(one, shapes)

    return draw(1), draw(2)


@functools.partial(jax.jit, static_argnums=0)
def captured(model, params, x):
    """Everything that the model sows, by name."""
    return model.apply(params, x, mutable=["intermediates"])[1]["intermediates"]


def repaired(apply, a, b, x, t=T):
    """What is merged from two networks, and what it is repaired to, by one program."""
    spec = infer(apply, a, x, verify=False)

    @jax.jit
    def both(a, b, x):
        middle = interpolate(a, b, t)
        return middle, repair(spec, apply, middle, a, b, x, t=t)

    return both(a, b, x)


def plain(model):
    return lambda params, x: model.apply(params, x)


def moments(z):
    z = np.asarray(z, np.float64).reshape(-1, z.shape[-1])
    return z.mean(0), z.std(0)


@functools.cache
def check_sown(model, *, rtol=1e-9, dtype=np.float64):
    """The law on every sown value; the networks, what is merged from them and what it is repaired to."""
    x = (X if isinstance(model, Dense) else PICTURES).astype(dtype)
    a, b = pair(model, x, dtype)
    middle, fixed = repaired(plain(model), a, b, x)
    assert jax.tree.structure(fixed) == jax.tree.structure(middle)
    assert jax.tree.all(jax.tree.map(lambda p, q: p.dtype == q.dtype and p.shape == q.shape, fixed, middle))
    before, after, seen_a, seen_b = (captured(model, p, x) for p in (middle, fixed, a, b))
    assert after
    for name in after:
        for k in range(2):
            wanted = (1 - T) * moments(seen_a[name][0])[k] + T * moments(seen_b[name][0])[k]
            scale = np.abs(moments(after[name][0])[1]).max()
            np.testing.assert_allclose(moments(after[name][0])[k], wanted, rtol=rtol, atol=rtol * scale)
        assert np.abs(moments(before[name][0])[1] - wanted).max() > 0.01 * scale
    return a, b, middle, fixed


class Dense(nn.Module):
    norm: str = ""
    bias: bool = True

    @nn.compact
    def __call__(self, x):
        for i, width in enumerate((7, 6)):
            z = nn.Dense(width, use_bias=self.bias)(x)
            if self.norm == "batch":
                z = nn.BatchNorm(use_running_average=True)(z)
            if self.norm == "layer":
                self.sow("intermediates", f"inner{i}", z)
                z = nn.LayerNorm()(z)
            self.sow("intermediates", f"site{i}", z)
            x = nn.gelu(z)
        return nn.Dense(3)(x)


class Images(nn.Module):
    norm: str = "batch"

    @nn.compact
    def __call__(self, x):
        for i in range(2):
            z = nn.Conv(6, (3, 3), strides=(1, 2))(x)
            if self.norm == "batch":
                z = nn.BatchNorm(use_running_average=True)(z)
            if self.norm == "group":
                z = nn.GroupNorm(num_groups=2)(z)
            self.sow("intermediates", f"site{i}", z)
            x = nn.relu(z)
        return nn.Dense(3)(x.reshape(len(x), -1))


X = normal(9, (40, 5))
PICTURES = normal(8, (10, 6, 5, 2))


def in_full(*values):
    """Further values of a parameter, for the whole run only."""
    return [pytest.param(value, marks=pytest.mark.full) for value in values]


@pytest.mark.parametrize("norm", ["", *in_full("batch", "layer")])
def test_law_statistics_of_dense_networks_lie_between_the_endpoints(norm):
    check_sown(Dense(norm))


@pytest.mark.parametrize("norm", ["batch", *in_full("", "group")])
def test_law_statistics_of_convolutional_networks_lie_between_the_endpoints(norm):
    check_sown(Images(norm))


@pytest.mark.parametrize("norm", ["batch", *in_full("")])
def test_law_holds_in_single_precision(norm):
    check_sown(Dense(norm), rtol=1e-4, dtype=np.float32)


def test_running_statistics_are_those_of_the_repaired_network_itself():
    model = Dense("batch")
    *_, fixed = check_sown(model)
    out = jax.jit(model.apply)(fixed, X)
    fixed, x = jax.tree.map(np.asarray, fixed), np.asarray(X)
    for i in range(2):
        p = fixed["params"]
        u = x @ p[f"Dense_{i}"]["kernel"] + p[f"Dense_{i}"]["bias"]
        s = fixed["batch_stats"][f"BatchNorm_{i}"]
        np.testing.assert_allclose(s["mean"], u.mean(0), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(s["var"], u.var(0), rtol=1e-10)
        n = p[f"BatchNorm_{i}"]
        x = np.asarray(nn.gelu((u - s["mean"]) / np.sqrt(s["var"] + 1e-5) * n["scale"] + n["bias"]))
    np.testing.assert_allclose(x @ p["Dense_2"]["kernel"] + p["Dense_2"]["bias"], out, rtol=1e-9, atol=1e-10)


def test_without_a_bias_the_standard_deviation_is_set():
    model = Dense(bias=False)
    a, b = pair(model, X)
    _, fixed = repaired(plain(model), a, b, X)
    after, seen_a, seen_b = (captured(model, p, X) for p in (fixed, a, b))
    for name in after:
        wanted = (1 - T) * moments(seen_a[name][0])[1] + T * moments(seen_b[name][0])[1]
        np.testing.assert_allclose(moments(after[name][0])[1], wanted, rtol=1e-9)


def test_a_network_between_itself_and_itself_stays():
    model = Dense()
    a, _ = pair(model, X)
    spec = infer(plain(model), a, X, verify=False)
    fixed = jax.jit(lambda a: repair(spec, plain(model), a, a, a, X, t=0.5))(a)
    for x, y in zip(*map(jax.tree.leaves, (a, fixed)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


def test_law_repairing_twice_changes_nothing_more():
    model = Images("batch")
    a, b, _, fixed = check_sown(model)
    spec = infer(plain(model), a, PICTURES, verify=False)
    again = jax.jit(lambda fixed, a, b: repair(spec, plain(model), fixed, a, b, PICTURES, t=T))(fixed, a, b)
    for x, y in zip(*map(jax.tree.leaves, (again, fixed)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-8, atol=1e-10)


def test_the_output_layer_and_the_inputs_of_kernels_stay():
    *_, middle, fixed = jax.tree.map(np.asarray, check_sown(Dense()))
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(fixed["params"]["Dense_2"][name], middle["params"]["Dense_2"][name])
    ratio = fixed["params"]["Dense_1"]["kernel"] / middle["params"]["Dense_1"]["kernel"]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1], ratio.shape), rtol=1e-10)


def test_heads_are_repaired_unit_by_unit():
    def attend(p, x):  # x [batch, time, 4]
        q, k, v = (jnp.einsum("btd,dhe->bthe", x, p[n]) + p[n + "0"] for n in "qkv")
        mixed = jnp.einsum("bhts,bshe->bthe", jax.nn.softmax(jnp.einsum("bthe,bshe->bhts", q, k)), v)
        return jnp.einsum("bthe,hed->btd", mixed, p["o"])

    def draw(seed):
        random = np.random.default_rng(seed)
        kernels = {n: random.normal(size=(4, 2, 3)) * 0.5 for n in "qkv"}
        biases = {n + "0": random.normal(size=(2, 3)) * 0.5 for n in "qkv"}
        return jax.tree.map(jnp.asarray, {**kernels, **biases, "o": random.normal(size=(2, 3, 4))})

    x = normal(5, (9, 4, 4))
    a, b = draw(1), draw(2)
    _, fixed = repaired(attend, a, b, x)
    a, b, fixed = jax.tree.map(np.asarray, (a, b, fixed))
    for n in "qkv":
        z, z_a, z_b = (np.einsum("btd,dhe->bthe", x, p[n]) + p[n + "0"] for p in (fixed, a, b))
        for f in (np.mean, np.std):
            wanted = (1 - T) * f(z_a, (0, 1)) + T * f(z_b, (0, 1))
            np.testing.assert_allclose(f(z, (0, 1)), wanted, rtol=1e-8, atol=1e-10)


def test_gated_units_are_repaired_on_both_sides_of_the_gate():
    def block(p, x):
        return (jax.nn.silu(x @ p["gate"]) * (x @ p["up"])) @ p["down"]

    def draw(seed):
        shapes = {"gate": (5, 6), "up": (5, 6), "down": (6, 5)}
        return {n: normal((seed, i), s) for i, (n, s) in enumerate(shapes.items())}

    a, b = draw(1), draw(2)
    _, fixed = repaired(block, a, b, X)
    gate = lambda p: X @ p["gate"]
    product = lambda p: jax.nn.silu(gate(p)) * (X @ p["up"])
    for value in (gate, product):
        wanted = (1 - T) * value(a).std(0) + T * value(b).std(0)
        np.testing.assert_allclose(value(fixed).std(0), wanted, rtol=1e-9)


def test_weights_that_the_program_reads_twice_stay():
    def tied(p, x):
        return jax.nn.relu(jax.nn.relu(x @ p["w"]) @ p["v"]) @ p["v"].T @ p["w"].T

    draw = lambda seed: {"w": normal(seed, (5, 6)), "v": normal(seed + 7, (6, 4))}
    a, b = draw(1), draw(2)
    middle, fixed = repaired(tied, a, b, X)
    for name in middle:
        np.testing.assert_array_equal(fixed[name], middle[name])


def test_a_unit_that_never_varies_keeps_its_scale_and_finite_gradients():
    mlp = lambda p, x: jax.nn.relu(x @ p["w"] + p["b"]) @ p["v"]
    draw = lambda seed: {
        "w": jnp.asarray(np.asarray(normal(seed, (5, 4))) * [0, 1, 1, 1]),
        "b": jnp.arange(4.0),
        "v": normal(seed + 7, (4, 2)),
    }
    a, b = draw(1), draw(2)
    spec = infer(mlp, draw(3), X, verify=False)

    def total(a):
        fixed = repair(spec, mlp, interpolate(a, b, T), a, b, X, t=T)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(fixed)), fixed

    gradient, fixed = jax.jit(jax.grad(total, has_aux=True))(a)
    assert jax.tree.all(jax.tree.map(lambda leaf: np.isfinite(leaf).all(), (gradient, fixed)))
    np.testing.assert_array_equal(fixed["w"][:, 0], 0)


def test_repair_runs_under_jit_and_vmap_over_times():
    model = Dense("batch")
    a, b = pair(model, X)
    spec = infer(plain(model), a, X, verify=False)
    at = lambda t: repair(spec, plain(model), interpolate(a, b, t), a, b, X, t=t)
    times = jnp.array([0.0, 0.4, 1.0])
    together = jax.jit(jax.vmap(at))(times)
    for i, t in enumerate(times):
        for x, y in zip(*map(jax.tree.leaves, (together, at(t))), strict=True):
            np.testing.assert_allclose(x[i], y, rtol=1e-9, atol=1e-11)


def test_trees_that_do_not_fit_are_refused():
    mlp = lambda p, x: jax.nn.relu(x @ p["w"]) @ p["v"]
    a = {"w": jnp.ones((5, 4)), "v": jnp.ones((4, 2))}
    spec = infer(mlp, a, X)
    wrong = {**a, "w": jnp.ones((5, 3))}
    with pytest.raises(ValueError, match="does not fit the spec"):
        repair(spec, mlp, wrong, a, a, X, t=T)
    with pytest.raises(ValueError, match="params_b"):
        repair(spec, mlp, a, a, wrong, X, t=T)
    with pytest.raises(ValueError, match="t has shape"):
        repair(spec, mlp, a, a, a, X, t=jnp.ones(2))
