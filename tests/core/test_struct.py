"""Frozen dataclasses as pytrees."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax._core.struct import static, struct, summarize
from geojax.results import Status


@struct
class Ball:
    """A ball with a curvature, and a name that is structure."""

    c: float = 1.0
    name: str = static(default="ball")

    def __post_init__(self):
        if isinstance(self.c, float) and self.c <= 0:
            raise ValueError("c must be positive")


@struct
class Result:
    f: jax.Array
    status: jax.Array


def test_leaves_paths_and_structure():
    ball = Ball(jnp.float32(2))
    assert [str(path[0]) for path, _ in jax.tree_util.tree_flatten_with_path(ball)[0]] == [".c"]
    assert jax.tree.structure(Ball(1.0)) == jax.tree.structure(Ball(2.0))
    assert jax.tree.structure(Ball(1.0, "a")) != jax.tree.structure(Ball(1.0, "b"))
    assert jax.tree.map(lambda c: c * 2, Ball(3.0, "x")) == Ball(6.0, "x")


def test_frozen_replace_hash():
    ball = Ball(2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        ball.c = 3.0
    assert dataclasses.replace(ball, c=3.0) == Ball(3.0)
    assert hash(Ball(2.0)) == hash(ball)


def test_checks_see_people_not_placeholders():
    with pytest.raises(ValueError, match="positive"):
        Ball(-1.0)
    # JAX rebuilds trees around anything at all.
    assert jax.tree.map(lambda c: -c, Ball(1.0)).c == -1.0
    assert jax.tree.unflatten(jax.tree.structure(Ball(1.0)), [object()]).name == "ball"


def test_transforms():
    value = jax.jit(lambda ball: dataclasses.replace(ball, c=ball.c + 1))(Ball(1.0))
    assert value.c == 2
    assert jax.grad(lambda ball: ball.c**2)(Ball(3.0)) == Ball(6.0)
    batch = jax.vmap(lambda c: Ball(c))(jnp.arange(3.0))
    np.testing.assert_array_equal(batch.c, [0, 1, 2])
    traces = []
    f = jax.jit(lambda ball: traces.append(0) or ball.c)
    f(Ball(1.0)), f(Ball(2.0))
    assert len(traces) == 1


def test_representation_fits_a_screen():
    shown = repr(Result(jnp.ones((128, 64), jnp.float32), jnp.int32(Status.MAX_STEPS)))
    assert shown == "Result(f=f32[128,64], status=MAX_STEPS)"
    assert repr(Result(np.ones(3), jnp.zeros(2, jnp.int32))) == "Result(f=f64[3], status=i32[2])"
    assert repr(Ball(jnp.float32(0.1))) == "Ball(c=0.1, name='ball')"
    assert (
        summarize({"w": jnp.ones(2, jnp.bfloat16), "k": jax.random.key(0)})
        == "{'w': bf16[2], 'k': key<fry>[]}"
    )
    assert summarize((jnp.uint8(3),)) == "(3,)"
    traced = []
    jax.jit(lambda x: traced.append(repr(Result(x, x))) or x)(jnp.float32(1))
    assert traced == ["Result(f=f32[], status=f32[])"]


def test_long_representation_is_broken_into_lines():
    tree = {f"layer_{i}": {"kernel": jnp.ones((64, 64)), "bias": jnp.ones(64)} for i in range(20)}
    shown = repr(Result(tree, jnp.int32(0)))
    assert max(map(len, shown.splitlines())) <= 100
    assert len(shown.splitlines()) == 25
    assert shown.splitlines()[2] == "    'layer_0': {'kernel': f64[64,64], 'bias': f64[64]},"
