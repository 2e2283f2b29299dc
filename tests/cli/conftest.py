"""What the tests of the command line share: a small model in the current folder, its files, and a way to run."""

import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.cli import main
from geojax.io import save_safetensors
from geojax.symmetry import infer

WIDTHS = (3, 6, 6)
MODULE = """
import jax
import jax.numpy as jnp

WIDTHS = (3, 6, 6)


def apply(params, x):
    for i in range(2):
        x = jax.nn.relu(x @ params[f"layers.{i}.weight"].T + params[f"layers.{i}.bias"])
    return x @ params["head.weight"].T


def build():
    params = {"head.weight": jnp.ones((2, 6))}
    for i in range(2):
        params[f"layers.{i}.weight"] = jnp.ones((WIDTHS[i + 1], WIDTHS[i]))
        params[f"layers.{i}.bias"] = jnp.ones(6)
    return apply, params, jax.random.normal(jax.random.key(0), (32, 3))


def log_model():
    return lambda params, x: jnp.log(-1 - (x @ params["w"]) ** 2), {"w": jnp.ones((3, 2))}, jnp.ones((2, 3))


def broken():
    raise RuntimeError("on purpose")


def shapeless():
    return 3


def loss(params):
    return sum(jnp.sum((leaf - 1) ** 2) for leaf in params.values())


def vector(params):
    return params["layers.0.bias"]
"""


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys):
    """Runs a command in this process."""

    def run(*arguments) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        assert "\x1b" not in shown.out + shown.err
        return Ran(code, shown.out, shown.err)

    return run


def _draw(seed, dtype=np.float32):
    generator = np.random.default_rng(seed)
    shapes = {"head.weight": (2, 6)}
    for i in range(2):
        shapes |= {f"layers.{i}.weight": (6, WIDTHS[i]), f"layers.{i}.bias": (6,)}
    return {name: generator.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def draw():
    """Random parameters of the model: draw(seed, dtype)."""
    return _draw


@pytest.fixture(scope="session")
def spec():
    """The symmetry of the model."""
    names: dict = {}
    exec(MODULE, names)
    apply, params, inputs = names["build"]()
    with jax.enable_x64(False):
        return infer(apply, params, jnp.asarray(inputs), verify=False)


@pytest.fixture
def place(tmp_path, monkeypatch, spec):
    """The current folder: toy_perceptron.py, its spec, three models with random parameters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", sys.path[:])
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "toy_perceptron.py").write_text(MODULE)
    (tmp_path / "toy.json").write_text(spec.to_json())
    for seed, name in enumerate("abc"):
        save_safetensors(f"{name}.safetensors", _draw(seed), metadata={"format": "pt"})
    return tmp_path
