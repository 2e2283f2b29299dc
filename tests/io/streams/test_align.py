"""Moving and aligning files leaf by leaf: what the functions on whole models give."""

import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.io import (
    CheckpointError,
    flatten,
    load_safetensors,
    open_safetensors,
    save_safetensors,
    stream_act,
    stream_align,
)
from geojax.io.streams.leaf_file import LeafFile
from geojax.results import Status
from geojax.symmetry import act, infer, random_element, weight_matching
from tests.io.files import digest
from tests.symmetry.inference.gallery import EXAMPLES

pytestmark = pytest.mark.x32
BY_NAME = {example.name: example for example in EXAMPLES}


def models(name, dtype=None):
    """A spec, and two models of one architecture."""
    apply, params, inputs = BY_NAME[name].build(jax.random.key(0))
    other = BY_NAME[name].build(jax.random.key(1))[1]
    return infer(apply, params, *inputs, verify=False), params, other


def files(folder, *trees):
    paths = [folder / f"{number}.safetensors" for number in range(len(trees))]
    for path, params in zip(paths, trees):
        save_safetensors(path, flatten(params), metadata={"format": "pt"})
    return paths


# Scalings that chain layers; a kernel with one group on two axes; groups within groups.
@pytest.mark.parametrize(
    "name",
    [
        "plain mlp relu",
        pytest.param("plain weight-shared recurrent mlp", marks=pytest.mark.full),
        pytest.param("plain mixture of experts", marks=pytest.mark.full),
    ],
)
def test_matches_weight_matching_in_memory(tmp_path, name):
    spec, a, b = models(name)
    key = jax.random.key(3)
    path_a, path_b = files(tmp_path, a, b)
    found = stream_align(spec, path_a, path_b, tmp_path / "out", key=key)
    want = jax.jit(lambda a, b, key: weight_matching(spec, a, b, key=key))(a, b, key)
    assert int(found.status) == int(want.status) == Status.CONVERGED
    assert int(found.num_steps) == int(want.num_steps)
    np.testing.assert_allclose(found.objective, want.objective, rtol=1e-5)
    assert found.element.keys() == want.element.keys()
    for group, array in want.element.items():
        if jnp.issubdtype(array.dtype, jnp.integer):
            assert np.array_equal(found.element[group], array), group
        else:
            np.testing.assert_allclose(found.element[group], array, rtol=1e-4, atol=1e-5)
    moved, out = flatten(act(spec, found.element, b)), load_safetensors(tmp_path / "out")
    assert moved.keys() == out.keys()
    assert all(np.array_equal(moved[leaf], out[leaf]) for leaf in moved)


def deep(params, x):
    for kernel in params[:-1]:
        x = jax.nn.gelu(x @ kernel)
    return x @ params[-1]


def deep_models(layers=8, width=6):
    random = np.random.default_rng(0)
    params = [jnp.asarray(random.normal(size=(width, width)), np.float32) for _ in range(layers)]
    return infer(deep, params, np.ones((2, width), np.float32), verify=False), params


def test_a_planted_element_is_found_with_few_leaves_in_memory(tmp_path, monkeypatch):
    spec, params = deep_models()
    planted = random_element(spec, jax.random.key(1))
    path_a, path_b = files(tmp_path, act(spec, planted, params), params)
    alive, most, read = [], [0], LeafFile.read

    def counted(self, *arguments):
        array = read(self, *arguments)
        alive.append(weakref.ref(array))
        most[0] = max(most[0], sum(reference() is not None for reference in alive))
        return array

    monkeypatch.setattr(LeafFile, "read", counted)
    found = stream_align(spec, path_a, path_b, tmp_path / "out", key=jax.random.key(2))
    assert all(np.array_equal(found.element[name], planted[name]) for name in planted)
    assert digest(tmp_path / "out") == digest(path_a)
    assert len(alive) > 50
    assert most[0] <= 3, "two leaves at a time, and one that is about to go"


def three_norms(p, x):
    """Norms that read one stream, each with a scale, and so with signs, of its own."""
    rms = lambda h: h * jax.lax.rsqrt(jnp.mean(h * h, -1, keepdims=True) + 1e-6)
    h = x @ p["in"]
    h = h + jax.nn.gelu((p["scale0"] * rms(h)) @ p["up0"]) @ p["down0"]
    h = h + jax.nn.gelu((p["scale1"] * rms(h)) @ p["up1"]) @ p["down1"]
    return (p["scale2"] * rms(h)) @ p["out"]


def test_the_signs_of_every_norm_are_found(tmp_path):
    shapes = {"in": (3, 4), "out": (4, 2)} | {f"scale{i}": (4,) for i in range(3)}
    shapes |= {f"up{i}": (4, 5) for i in range(2)} | {f"down{i}": (5, 4) for i in range(2)}
    random = np.random.default_rng(5)
    params = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    spec = infer(three_norms, params, np.ones((2, 3), np.float32), verify=False)
    move = jax.jit(lambda key, params: act(spec, random_element(spec, key), params))
    planted = move(jax.random.key(6), params)
    path_a, path_b = files(tmp_path, params, planted)
    stream_align(spec, path_a, path_b, tmp_path / "out", key=jax.random.key(7))
    for name, tensor in load_safetensors(tmp_path / "out").items():
        np.testing.assert_allclose(tensor, params[name], rtol=1e-4, atol=1e-5)


def test_init_is_where_it_starts(tmp_path):
    spec, params = deep_models(3)
    planted = random_element(spec, jax.random.key(1))
    path_a, path_b = files(tmp_path, act(spec, planted, params), params)
    found = stream_align(spec, path_a, path_b, tmp_path / "out", key=jax.random.key(2), init=planted)
    assert int(found.num_steps) == 1
    assert all(np.array_equal(found.element[name], planted[name]) for name in planted)
    with pytest.raises(ValueError, match="stream_align: init"):
        stream_align(
            spec, path_a, path_b, tmp_path / "no", key=jax.random.key(2), init={"nothing": planted["0"]}
        )
    few = stream_align(spec, path_a, path_b, tmp_path / "out", key=jax.random.key(2), max_steps=0)
    assert int(few.status) == Status.MAX_STEPS
    assert digest(tmp_path / "out") == digest(path_b)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float64])
def test_other_precisions_keep_theirs(tmp_path, dtype):
    spec, params = deep_models(3)
    planted = random_element(spec, jax.random.key(1))
    a, b = (
        [np.asarray(leaf).astype(dtype) for leaf in tree] for tree in (act(spec, planted, params), params)
    )
    path_a, path_b = files(tmp_path, a, b)
    found = stream_align(spec, path_a, path_b, tmp_path / "out", key=jax.random.key(2))
    assert all(np.array_equal(found.element[name], planted[name]) for name in planted)
    with open_safetensors(tmp_path / "out") as out:
        assert all(np.array_equal(out[str(i)], a[i]) and out[str(i)].dtype == dtype for i in range(3))


def test_names_of_the_files_and_tensors_besides(tmp_path):
    spec, params = deep_models(3)
    planted = random_element(spec, jax.random.key(1))
    moved = act(spec, planted, params)
    ids = np.arange(5)
    names_a = {f"model.{i}": str(i) for i in range(3)}
    save_safetensors(tmp_path / "a", {name: moved[int(leaf)] for name, leaf in names_a.items()})
    # The first tensor twice, as tied weights may be, and one that is no leaf.
    names_b = {"first": "0", "second": "1", "third": "2", "tied": "0"}
    save_safetensors(
        tmp_path / "b", {name: params[int(leaf)] for name, leaf in names_b.items()} | {"ids": ids}
    )
    stream_align(
        spec,
        tmp_path / "a",
        tmp_path / "b",
        tmp_path / "out",
        key=jax.random.key(2),
        names_a=names_a,
        names_b=names_b,
    )
    with open_safetensors(tmp_path / "out") as out:
        assert all(np.array_equal(out[name], moved[int(leaf)]) for name, leaf in names_b.items())
        assert np.array_equal(out["ids"], ids)


def test_act_is_that_of_whole_models(tmp_path):
    spec, params, _ = models("plain mlp relu")
    element = random_element(spec, jax.random.key(4))
    seen = []
    (path,) = files(tmp_path, params)
    stream_act(spec, element, path, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    want = flatten(act(spec, element, params))
    with open_safetensors(tmp_path / "out") as out:
        assert out.metadata == {"format": "pt"}
        assert set(out) == set(want)
        assert all(np.array_equal(out[name], want[name]) for name in want)
    assert seen[-1][0] == seen[-1][1] == sum(array.nbytes for array in want.values())


def test_act_in_half_precision_rounds_once(tmp_path):
    spec, params, _ = models("plain mlp relu")
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    element = random_element(spec, jax.random.key(4))
    (path,) = files(tmp_path, half)
    stream_act(spec, element, path, tmp_path / "out")
    exact = flatten(act(spec, element, jax.tree.map(lambda leaf: leaf.astype(jnp.float32), half)))
    out = load_safetensors(tmp_path / "out")
    assert all(np.array_equal(out[name], exact[name].astype(jnp.bfloat16)) for name in exact)


def test_soft_permutations_change_widths(tmp_path):
    spec, params = deep_models(3)
    wide = {"0": jnp.eye(8, 6)}
    (path,) = files(tmp_path, params)
    stream_act(spec, wide, path, tmp_path / "out")
    with open_safetensors(tmp_path / "out") as out:
        assert [out[str(i)].shape for i in range(3)] == [(6, 8), (8, 6), (6, 6)]
        assert np.array_equal(out["0"][:, :6], params[0])


def test_files_that_do_not_fit_are_told_so_in_one_message(tmp_path):
    spec, params = deep_models(3)
    save_safetensors(tmp_path / "f", {"0": params[0], "1": params[1][:4], "new": np.ones(3)})
    with pytest.raises(CheckpointError) as caught:
        stream_act(spec, {}, tmp_path / "f", tmp_path / "out")
    for words in (
        "missing: '2'",
        "no leaf of the spec: 'new'",
        "'1': got shape [4, 6], expected [6, 6]",
        "names=",
    ):
        assert words in str(caught.value)
    with pytest.raises(CheckpointError, match="missing: 'two', which names holds"):
        stream_act(spec, {}, tmp_path / "f", tmp_path / "out", names={"0": "0", "two": "2"})
    with pytest.raises(ValueError, match="unknown group"):
        stream_act(spec, {"nothing": jnp.arange(3)}, tmp_path / "f", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nan_is_named_before_anything_is_matched(tmp_path):
    spec, params = deep_models(3)
    path_a, path_b = files(tmp_path, params, [params[0], params[1].at[2, 3].set(jnp.nan), params[2]])
    with pytest.raises(CheckpointError, match=r"1\.safetensors, tensor '1': 1 of its numbers"):
        stream_align(spec, path_a, path_b, tmp_path / "out", key=jax.random.key(0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.safetensors", "1.safetensors"]
