"""The tables of calls in the guide for users of other libraries: every right-hand side is evaluated as printed."""

import ast
import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

import geojax as gj

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
KEYS = jax.random.split(jax.random.key(0), 6)


def rows(section):
    """The cells of the right-hand column."""
    cells = re.findall(r"^\|.*\| (.*) \|$", SECTIONS[section], re.MULTILINE)
    return [cell for cell in cells if cell not in ("geojax", "---") and not set(cell) <= set("-| ")]


def pot():
    x, y = (jax.random.normal(key, (6, 2)) for key in KEYS[:2])
    cost = jnp.sum((x[:, None] - y) ** 2, axis=-1)
    names = {
        "x": x,
        "y": y,
        "M": cost,
        "C": cost,
        "C1": cost + cost.T,
        "C2": cost + cost.T,
        "u": x[:, 0],
        "v": y[:, 0],
    }
    return {
        **names,
        "a": jnp.ones(6) / 6,
        "b": jnp.ones(6) / 6,
        "reg": 0.5,
        "e": 0.5,
        "n": 6,
        "r": 2,
        "key": KEYS[5],
    }


def geomstats():
    sphere = gj.manifolds.Sphere()
    xs, ys = (jax.vmap(lambda k: sphere.random_point(k, (3,)))(jax.random.split(k, 4)) for k in KEYS[:2])
    tangent = sphere.random_tangent(KEYS[2], xs[0])
    return {
        "M": sphere,
        "x": xs[0],
        "y": ys[0],
        "u": tangent,
        "xs": xs,
        "ys": ys,
        "points": xs,
        "manifolds": sphere,
    }


def rebasin():
    a, b = ({"in": jax.random.normal(k, (2, 4)), "out": jax.random.normal(k, (4, 2))} for k in KEYS[:2])
    apply = lambda p, x: jax.nn.relu(x @ p["in"]) @ p["out"]
    inputs = jnp.ones((3, 2))
    spec = gj.symmetry.infer(apply, a, inputs)
    names = {"apply": apply, "params": a, "inputs": inputs, "spec": spec, "params_a": a, "params_b": b}
    return {**names, "element": gj.symmetry.identity(spec), "a": a, "b": b, "lam": 0.5, "key": KEYS[5]}


NAMES = {"POT": pot, "ott": pot, "geomstats, geoopt": geomstats, "git-re-basin": rebasin}


def evaluate(code, names, last):
    """Evaluates a span of code. Returns the result that attributes named after it belong to."""
    if code.startswith("."):
        for name in code[1:].split("."):
            last = getattr(last, name)
        return None
    tree = ast.parse(code, mode="eval")
    found = eval(compile(tree, code, "eval"), names)
    if isinstance(tree.body, ast.Attribute) and isinstance(tree.body.value, ast.Call):
        found = eval(compile(ast.Expression(tree.body.value), code, "eval"), names)
    return found if hasattr(found, "status") else None


@pytest.mark.full
@pytest.mark.x32
@pytest.mark.parametrize("section", SECTIONS)
def test_every_right_hand_side_of_the_tables_runs_as_printed(section):
    names = {"gj": gj, "jax": jax, "jnp": jnp, **NAMES[section]()}
    last, ran = None, 0
    for cell in rows(section):
        for code in re.findall(r"`([^`]+)`", cell):
            if "low_rank" in code and importlib.util.find_spec("ott") is None:
                continue
            found = evaluate(code, {**names, "result": last, "status": None}, last)
            last, ran = (last if found is None else found), ran + 1
    assert ran >= 3


def test_the_test_sees_a_call_that_does_not_run():
    with pytest.raises(AttributeError):
        evaluate("gj.transport.sink(M)", {"gj": gj, "M": None}, None)
    with pytest.raises(TypeError):
        evaluate(
            "gj.optim.riemannian_adam(manifolds, 1e-3)", {"gj": gj, "manifolds": gj.manifolds.Sphere()}, None
        )
    with pytest.raises(AttributeError):
        evaluate(".plans", {}, SimpleNamespace(plan=1))
