"""One grammar of signatures for the whole library: every public callable of every hall keeps these rules.

An exception is listed with its reason, and an exception that nobody needs any more is an error.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from geojax._core import halls

Parameter = inspect.Parameter
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def callables() -> dict[str, Callable[..., Any]]:
    """Every public function and class, and the public methods of the classes, by 'hall.name'."""
    named = {}
    for hall, table in halls.tables().items():
        for name, module in table.items():
            if module == f"{hall}.{name}":
                continue
            value = getattr(importlib.import_module(module), name)
            place = f"{hall.removeprefix('geojax').removeprefix('.')}.{name}".removeprefix(".")
            if inspect.isfunction(value):
                named[place] = value
            elif inspect.isclass(value) and not issubclass(value, BaseException | tuple):
                named[place] = value
                for method, function in vars(value).items():
                    if inspect.isfunction(function) and not method.startswith("_"):
                        named[f"{place}.{method}"] = function
    return named


CALLABLES = callables()


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except ValueError:
        return []


# The rules: each yields what is wrong with a callable --------------------------------------------------------------


def key_is_keyword_only(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield from ("key" for p in parameters(function) if p.name == "key" and p.kind in POSITIONAL)


def keys_are_called_key(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield from (p.name for p in parameters(function) if re.search(r"seed|\brng|^rngs?$|prng", p.name))


def limits_are_max_steps_and_counts_are_num(name: str, function: Callable[..., Any]) -> Iterator[str]:
    for p in parameters(function):
        other_limit = p.name.startswith("max_") and not re.fullmatch(r"max_(\w+_)?steps", p.name)
        other_count = re.fullmatch(r"n_\w+|\w*iter(s|ations?)?|steps|num_sinkhorn|(num_)?epochs", p.name)
        if other_limit or other_count:
            yield p.name


def words_are_whole(name: str, function: Callable[..., Any]) -> Iterator[str]:
    short = {
        "eps",
        "lr",
        "reg",
        "lam",
        "thresh",
        "wd",
        "drop",
        "drop_rate",
        "dropout",
        "batch_size",
    }
    yield from (p.name for p in parameters(function) if p.name in short or p.name.startswith("eps_"))


def switches_are_keyword_only(name: str, function: Callable[..., Any]) -> Iterator[str]:
    if not inspect.isclass(function):  # the fields of a value are not the arguments of a function
        yield from (
            p.name for p in parameters(function) if isinstance(p.default, bool) and p.kind in POSITIONAL
        )


def no_argument_is_swallowed(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield from (p.name for p in parameters(function) if p.kind == Parameter.VAR_KEYWORD)


def modes_are_not_strings(name: str, function: Callable[..., Any]) -> Iterator[str]:
    """A callable or a second function serves; text that is data (a path, a name) is listed."""
    for p in parameters(function):
        text = p.annotation in (str, str | None) or isinstance(p.default, str)
        if text and p.kind != Parameter.VAR_POSITIONAL:
            yield p.name


def learning_rate_comes_first(name: str, function: Callable[..., Any]) -> Iterator[str]:
    positional = [p.name for p in parameters(function) if p.kind in POSITIONAL]
    if "learning_rate" in positional and positional[0] != "learning_rate":
        yield "learning_rate"


def spec_comes_first(name: str, function: Callable[..., Any]) -> Iterator[str]:
    names = [p.name for p in parameters(function) if p.name != "self"]
    if "spec" in names and names[0] != "spec":
        yield "spec"


def weights_are_optional(name: str, function: Callable[..., Any]) -> Iterator[str]:
    """Without weights all points, entries of a cost or models count alike."""
    if inspect.isclass(function):
        return
    positional = [p for p in parameters(function) if p.kind in POSITIONAL]
    weighted = {p.name for p in positional} & {
        "x",
        "y",
        "points",
        "cost_matrix",
        "cost_x",
        "cost_tensor",
        "stack",
    }
    for p in positional:
        one_axis = len(getattr(p.annotation, "dims", (None,))) == 1
        if weighted and p.name in ("a", "b", "weights") and p.default is p.empty and one_axis:
            yield p.name


RULES = [
    key_is_keyword_only,
    keys_are_called_key,
    limits_are_max_steps_and_counts_are_num,
    words_are_whole,
    switches_are_keyword_only,
    no_argument_is_swallowed,
    modes_are_not_strings,
    learning_rate_comes_first,
    spec_comes_first,
    weights_are_optional,
]

# The exceptions: {rule: {callable.parameter, or a pattern of it: the reason}} --------------------------------------

DRAWS = "its only job is to draw: the key comes first, as in jax.random"
CONFIG = "a field of config.json, in the spelling of the file"
NAME = "text that is data: a name or a path"

ALLOWED: dict[Callable[..., Any], dict[str, str]] = {
    key_is_keyword_only: {
        r"manifolds\..*\.random_point\.key": DRAWS,
        r"manifolds\..*\.random_tangent\.key": DRAWS,
        r"manifolds\.haar_sample\.key": DRAWS,
        r"optim\.small_init\.key": DRAWS,
        r"symmetry\.LinearMaps\.init\.key": DRAWS + "; the plan says what",
        r"symmetry\.random_element\.key": DRAWS + "; the spec says what",
        r"transport\.(orthogonal|random|simplex)_directions\.key": DRAWS,
        r"transport\.features\.(gaussian|simplex_plus)_frequencies\.key": DRAWS,
        r"architectures\.Architecture\.init\.key": DRAWS,
        r"architectures\.Architecture\.inputs\.key": DRAWS,
    },
    limits_are_max_steps_and_counts_are_num: {
        r"architectures\.\w+Config\.\w+": CONFIG,
    },
    words_are_whole: {
        r"optim\.(riemannian_adam|scale_by_adamp)\.eps(_root)?": "the names of optax.adam, which they stand in for",
    },
    weights_are_optional: {
        r"manifolds\.flagfold_kernel\.[ab]": "masses of a shape, such as areas, which have no equal default",
    },
    modes_are_not_strings: {
        r"architectures\.Architecture\.(name|prefix)": NAME,
        r"architectures\.\w+Config\.(hidden_act|activation_function|layer_type)": CONFIG,
        r"io\.Checkpoint\.path": NAME,
        r"io\.Checkpoint\.(read|release)\.name": NAME,
        r"io\.SafetensorsWriter\.write\.name": NAME,
        r"io\.(un)?flatten\.separator": "text that is data: what stands between the parts of a name",
        r"symmetry\.Group\.(kind|axis)": "data that is saved as JSON; the kind is one of five words",
        r"symmetry\.diagrams\.kind": "the word of `Group.kind`, or one for a group that is no kind of a spec",
        r"symmetry\.SymmetrySpec\.(occurrences\.name|from_json\.text)": NAME,
        r"transport\.point_cloud_sinkhorn\.axis_name": "text that is data: a mesh axis, as in jax.lax.psum",
    },
}


def breaches(rule: Callable[..., Iterator[str]]) -> list[str]:
    return [f"{name}.{word}" for name, function in CALLABLES.items() for word in rule(name, function)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_public_callable_keeps_the_rule(rule):
    allowed = ALLOWED.get(rule, {})
    broken = breaches(rule)
    wrong = [case for case in broken if not any(re.fullmatch(pattern, case) for pattern in allowed)]
    assert not wrong, f"{rule.__name__}: {', '.join(wrong)}"
    unused = [pattern for pattern in allowed if not any(re.fullmatch(pattern, case) for case in broken)]
    assert not unused, f"exceptions that nobody needs: {', '.join(unused)}"


def test_learning_rate_comes_before_what_else_an_optimiser_takes():
    taking = [name for name, function in CALLABLES.items() if "learning_rate" in _names(function)]
    assert {"optim.riemannian_adam", "optim.riemannian_sgd", "optim.steepest_descent"} <= set(taking)
    both = [name for name in taking if {"manifolds", "norms"} & set(_names(CALLABLES[name]))]
    assert all(_names(CALLABLES[name])[0] == "learning_rate" for name in both)


def test_the_rules_see_what_they_are_for():
    def wrong(x, spec, weights, key, flag=False, max_iter=9, eps=1e-3, mode: str = "a", **more):
        pass

    seen = {rule.__name__: list(rule("wrong", wrong)) for rule in RULES}
    assert seen["key_is_keyword_only"] == ["key"]
    assert seen["limits_are_max_steps_and_counts_are_num"] == ["max_iter"]
    assert seen["words_are_whole"] == ["eps"]
    assert seen["switches_are_keyword_only"] == ["flag"]
    assert seen["no_argument_is_swallowed"] == ["more"]
    assert seen["modes_are_not_strings"] == ["mode"]
    assert seen["spec_comes_first"] == ["spec"]
    assert seen["weights_are_optional"] == ["weights"]


def _names(function: Callable[..., Any]) -> list[str]:
    return [p.name for p in parameters(function)]
