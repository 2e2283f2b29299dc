"""Merging files tensor by tensor: the same numbers as merging the whole models in memory."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax import merging
from geojax.io import CheckpointError, load_safetensors, open_safetensors, save_safetensors, stream_merge
from geojax.io.streams import merge as streaming
from tests.io.files import digest

WEIGHTS = jnp.array([1.0, 3.0], jnp.float32)


def model(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return {
        "a.weight": rng.normal(size=(3, 4)).astype(dtype),
        "b.weight": rng.normal(size=(3, 4)).astype(dtype),
        "b.bias": rng.normal(size=(4,)).astype(dtype),
        "ids": np.arange(5),
        "empty": np.zeros((0, 4), dtype),
    }


def write(folder, *models):
    paths = [folder / f"{number}.safetensors" for number in range(len(models))]
    for path, tensors in zip(paths, models):
        save_safetensors(path, tensors, metadata={"format": "pt"})
    return paths


def stacked(*tensors):
    return jnp.stack(tensors)


# name: the merge of arrays, the merge of whole models, how many files, whether it is elementwise
MERGES = {
    "interpolate": (
        lambda a, b: merging.interpolate(a, b, 0.25),
        lambda a, b: merging.interpolate(a, b, 0.25),
        2,
        True,
    ),
    "slerp": (lambda a, b: merging.slerp(a, b, 0.25), lambda a, b: merging.slerp(a, b, 0.25), 2, False),
    "average": (
        lambda *m: merging.average(stacked(*m), WEIGHTS),
        lambda *m: merging.average(jax.tree.map(stacked, *m), WEIGHTS),
        2,
        True,
    ),
    "task_arithmetic": (
        lambda base, *m: merging.task_arithmetic(base, stacked(*m), WEIGHTS),
        lambda base, *m: merging.task_arithmetic(base, jax.tree.map(stacked, *m), WEIGHTS),
        3,
        True,
    ),
    "ties": (
        lambda base, *m: merging.ties(base, stacked(*m), WEIGHTS, density=0.5),
        lambda base, *m: merging.ties(base, jax.tree.map(stacked, *m), WEIGHTS, density=0.5),
        3,
        False,
    ),
    "model_stock": (
        lambda base, *m: merging.model_stock(base, stacked(*m)),
        lambda base, *m: merging.model_stock(base, jax.tree.map(stacked, *m)),
        3,
        False,
    ),
    "fisher_average": (
        lambda a, b, fa, fb: merging.fisher_average(stacked(a, b), stacked(fa**2, fb**2)),
        lambda a, b, fa, fb: merging.fisher_average(
            jax.tree.map(stacked, a, b), jax.tree.map(lambda x, y: stacked(x, y) ** 2, fa, fb)
        ),
        4,
        True,
    ),
}


@pytest.mark.parametrize("name", MERGES)
def test_matches_the_merge_of_whole_models(tmp_path, name):
    by_tensor, whole, count, elementwise = MERGES[name]
    models = [model(seed) for seed in range(count)]
    stream_merge(by_tensor, write(tmp_path, *models), tmp_path / "out", elementwise=elementwise)
    # Without the empty leaf, which some merges of whole models have no answer for.
    arrays = [{k: jnp.asarray(x) for k, x in tensors.items() if k != "empty"} for tensors in models]
    want = whole(*arrays)
    with open_safetensors(tmp_path / "out") as found:
        assert set(found) == set(models[0])
        assert found.metadata == {"format": "pt"}
        assert found["ids"].tolist() == [0, 1, 2, 3, 4]
        for tensor in ("a.weight", "b.weight", "b.bias"):
            assert found[tensor].dtype == np.float32
            np.testing.assert_allclose(found[tensor], want[tensor], rtol=1e-6, atol=1e-6)


def test_part_of_a_result_can_be_taken(tmp_path):
    x, y = np.array([2, 0], np.float32), np.array([0, 2], np.float32)
    paths = write(tmp_path, {"w": x}, {"w": y})
    stream_merge(lambda *m: merging.karcher(stacked(*m), jnp.ones(2)).params, paths, tmp_path / "out")
    np.testing.assert_allclose(load_safetensors(tmp_path / "out")["w"], np.full(2, 2**0.5), rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, jnp.float8_e4m3fn])
def test_half_precision_is_summed_in_single_and_rounded_once(tmp_path, dtype):
    models = [model(seed, dtype) for seed in range(3)]
    stream_merge(
        lambda *m: (m[0] + m[1] + m[2]) / 3, write(tmp_path, *models), tmp_path / "out", elementwise=True
    )
    with open_safetensors(tmp_path / "out") as found:
        for name in ("a.weight", "b.bias"):
            wide = [tensors[name].astype(np.float32) for tensors in models]
            want = ((wide[0] + wide[1] + wide[2]) / 3).astype(dtype)
            assert found[name].dtype == dtype
            # Division by 3 may be a product with 1/3: half a unit in the last place of float32, before rounding.
            close = np.abs(found[name].astype(np.float64) - want.astype(np.float64))
            assert np.all(close <= np.abs(want.astype(np.float64)) * 2.0 ** (-jnp.finfo(dtype).nmant))
            assert np.mean(found[name] == want) > 0.7


def test_a_sum_that_half_precision_would_lose(tmp_path):
    paths = write(tmp_path, *({"w": np.full(4, x, np.float16)} for x in (60000, 60000, -60000)))
    stream_merge(lambda a, b, c: a + b + c, paths, tmp_path / "out", elementwise=True)
    assert load_safetensors(tmp_path / "out")["w"].tolist() == [60000] * 4


@pytest.mark.x32
def test_double_precision_stays_double_where_64_bit_types_are_disabled(tmp_path):
    paths = write(tmp_path, {"w": np.array([1.0])}, {"w": np.array([1 + 2.0**-40])})
    for elementwise in (True, False):
        stream_merge(
            lambda a, b: merging.interpolate(a, b, 0.5), paths, tmp_path / "out", elementwise=elementwise
        )
        with open_safetensors(tmp_path / "out") as found:
            assert found["w"].tolist() == [1 + 2.0**-41]


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 2048, 2049, 5000])
def test_law_pieces_make_the_whole(tmp_path, monkeypatch, size):
    monkeypatch.setattr(streaming, "PIECE", 2048)
    a, b = np.random.default_rng(size).normal(size=(2, size)).astype(np.float32)
    seen = []
    paths = write(tmp_path, {"w": a, "n": np.arange(size)}, {"w": b, "n": np.arange(size)})
    stream_merge(
        lambda x, y: x + 2 * y,
        paths,
        tmp_path / "out",
        elementwise=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    with open_safetensors(tmp_path / "out") as found:
        np.testing.assert_allclose(found["w"], a + 2 * b, rtol=1e-6, atol=1e-6)
        assert np.array_equal(found["n"], np.arange(size))
    assert seen[-1] == (12 * size, 12 * size)
    assert seen == sorted(seen)


def test_each_tensor_and_piece_has_a_key_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "PIECE", 1024)
    zero, one = ({name: np.full(2048, x, np.float32) for name in "vw"} for x in (0, 1))
    paths = write(tmp_path, zero, one)

    def run(out):
        stream_merge(
            lambda base, tuned, key: merging.dare(base, [tuned], density=0.5, key=key),
            paths,
            tmp_path / out,
            elementwise=True,
            key=jax.random.key(3),
        )
        return load_safetensors(tmp_path / out)

    found = run("out")
    masks = [found[name][half : half + 1024] for name in "vw" for half in (0, 1024)]
    for i, mask in enumerate(masks):
        assert set(mask.tolist()) == {0, 2}
        assert abs(float(mask.mean()) - 1) < 0.2
        assert all(abs(float(jnp.mean(mask == other)) - 0.5) < 0.1 for other in masks[:i])
    again = run("again")
    assert all(np.array_equal(found[name], again[name]) for name in "vw")


def test_dtype_casts_what_is_merged(tmp_path):
    paths = write(tmp_path, model(0, np.float32), model(1, np.float16))
    with pytest.raises(CheckpointError, match="dtype="):
        stream_merge(jnp.add, paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    stream_merge(lambda a, b: a + b, paths, tmp_path / "out", dtype=jnp.bfloat16)
    with open_safetensors(tmp_path / "out") as found:
        assert found["a.weight"].dtype == jnp.bfloat16
        assert found["ids"].dtype == np.int64


def test_integers_that_differ_are_an_error_or_the_first(tmp_path):
    paths = write(tmp_path, model(0), model(1) | {"ids": np.arange(5) + 7})
    with pytest.raises(CheckpointError, match=r"1\.safetensors, tensor 'ids'.*integers_from_first"):
        stream_merge(jnp.add, paths, tmp_path / "out")
    stream_merge(jnp.add, paths[::-1], tmp_path / "out", integers_from_first=True)
    assert load_safetensors(tmp_path / "out")["ids"].tolist() == [7, 8, 9, 10, 11]


def test_one_message_names_missing_extra_and_misshapen_tensors(tmp_path):
    other = model(1) | {"a.weight": np.ones((4, 3), np.float32), "new": np.ones(2)}
    del other["b.bias"]
    paths = write(tmp_path, model(0), other)
    with pytest.raises(CheckpointError) as caught:
        stream_merge(jnp.add, paths, tmp_path / "out")
    for words in ("missing: 'b.bias'", "unexpected: 'new'", "'a.weight': got float32[4, 3]", str(paths[1])):
        assert words in str(caught.value)


@pytest.mark.parametrize("elementwise", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, jnp.bfloat16, jnp.float8_e5m2, np.complex64])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_inf_are_named_unless_allowed(tmp_path, dtype, bad, elementwise):
    sick = {"w": np.array([1, bad, 3, bad]).astype(dtype)}
    paths = write(tmp_path, {"w": np.ones(4, dtype)}, sick)
    before = [digest(path) for path in paths]
    with pytest.raises(CheckpointError, match=r"1\.safetensors, tensor 'w': 2 of its numbers are NaN"):
        stream_merge(lambda a, b: a, paths, tmp_path / "out", elementwise=elementwise)
    assert sorted(os.listdir(tmp_path)) == ["0.safetensors", "1.safetensors"]
    stream_merge(lambda a, b: a, paths, tmp_path / "out", elementwise=elementwise, allow_nonfinite=True)
    assert digest(tmp_path / "out") == before[0]
    assert [digest(path) for path in paths] == before


def test_a_result_that_is_not_finite_is_named(tmp_path):
    paths = write(tmp_path, {"w": np.full(3, 3e38, np.float32)}, {"w": np.full(3, 3e38, np.float32)})
    with pytest.raises(CheckpointError, match=r"result of merge, tensor 'w': 3"):
        stream_merge(lambda a, b: a + b, paths, tmp_path / "out")
    stream_merge(lambda a, b: a / 2 + b / 2, paths, tmp_path / "out")  # large numbers are fine


@pytest.mark.parametrize(
    "merge, error, words",
    [
        (lambda *m: jnp.stack(m), ValueError, "as one list"),
        (lambda *m: merging.karcher(jnp.stack(m), WEIGHTS), TypeError, "KarcherResult"),
        (lambda *m: m, TypeError, "tuple"),
        (lambda a, b: a + 1j * b, TypeError, "complex"),
    ],
)
def test_a_merge_that_returns_something_else_is_told_so(tmp_path, merge, error, words):
    paths = write(tmp_path, {"w": np.ones(3, np.float32)}, {"w": np.ones(3, np.float32)})
    with pytest.raises(error, match=words):
        stream_merge(merge, paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_calls_are_told_so(tmp_path):
    with pytest.raises(ValueError, match="paths is empty"):
        stream_merge(jnp.add, [], tmp_path / "out")
    (path,) = write(tmp_path, model(0))
    with pytest.raises(TypeError, match="typed random key"):
        stream_merge(jnp.add, [path], tmp_path / "out", key=jax.random.PRNGKey(0))
