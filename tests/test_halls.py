"""Halls: their tables agree with what editors see, importing them is light, and a wrong name is answered."""

import ast
import importlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

import geojax
from geojax._core import halls

PACKAGE = Path(geojax.__file__).parent
HALLS = sorted(halls.tables())


def imported_for_editors(path: Path) -> dict[str, str]:
    """Name -> module, as the block under TYPE_CHECKING says."""
    names = {}
    for block in ast.parse(path.read_text()).body:
        if isinstance(block, ast.If):
            for line in block.body:
                assert isinstance(line, ast.ImportFrom)
                for alias in line.names:
                    below = (path.parent / alias.name).exists() or (path.parent / f"{alias.name}.py").exists()
                    own = ".".join(("geojax", *path.parent.relative_to(PACKAGE).parts))
                    is_module = line.module == own and below
                    names[alias.name] = f"{line.module}.{alias.name}" if is_module else line.module
    return names


@pytest.mark.parametrize("name", HALLS)
def test_the_three_lists_of_a_hall_agree(name):
    module = importlib.import_module(name)
    assert sorted(module.__all__) == dir(module) == sorted(module._DEFINED_IN)
    editors = imported_for_editors(Path(module.__file__))
    assert editors == {public: home for public, home in module._DEFINED_IN.items() if public != "__version__"}


@pytest.mark.parametrize("name", HALLS)
def test_every_public_name_loads_and_is_defined_where_the_table_says(name):
    module = importlib.import_module(name)
    for public, home in module._DEFINED_IN.items():
        value = getattr(module, public)
        if home != f"{name}.{public}":
            assert getattr(value, "__module__", home) in (home, type(value).__module__), public


def test_no_name_is_public_in_two_halls():
    homes = {}
    for name in HALLS:
        for public, module in importlib.import_module(name)._DEFINED_IN.items():
            if module != f"{name}.{public}":  # a hall in a hall is no name of its own
                homes.setdefault(public, []).append(name)
    assert not {public: names for public, names in homes.items() if len(names) > 1}


@pytest.mark.parametrize(
    "hall, wrong, answer",
    [
        ("geojax.transport", "barycentre", "did you mean 'barycenter'"),
        ("geojax.transport", "sinkorn", "did you mean 'sinkhorn'"),
        ("geojax.manifolds", "frechet_means", "did you mean 'frechet_mean'"),
        ("geojax", "sinkhorn", "it is geojax.transport.sinkhorn"),
        ("geojax", "symetry", "did you mean 'symmetry'"),
        ("geojax.symmetry", "kendall_tau", "it is geojax.symmetry.rankings.kendall_tau"),
        ("geojax.merging", "weight_matching", "it is geojax.symmetry.weight_matching"),
        ("geojax.manifolds.poses", "Sphere", "it is geojax.manifolds.Sphere"),
        ("geojax.optim", "completely_unknown", r"`dir\(geojax.optim\)` lists"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(hall, wrong, answer):
    with pytest.raises(AttributeError, match=answer):
        getattr(importlib.import_module(hall), wrong)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_every_hall_loads_no_room_and_nothing_heavy():
    code = f"import sys; [__import__(name) for name in {HALLS!r}]; print(*sys.modules)"
    loaded = set(run(code).split())
    assert not {"jax", "numpy", "scipy", "optax", "flax", "ott", "chex", "matplotlib"} & loaded
    ours = {name for name in loaded if name.split(".")[0] == "geojax"}
    assert ours <= {*HALLS, "geojax._core", "geojax._core.halls"}


def test_importing_merging_costs_little_more_than_jax():
    def seconds(code: str) -> float:
        start = time.perf_counter()
        run(code)
        return time.perf_counter() - start

    # The smallest of several runs: others work on the machine at the same time.
    jax_alone = min(seconds("import jax") for _ in range(3))
    merging = min(seconds("import jax, geojax.merging") for _ in range(3))
    assert merging < 1.5 * jax_alone
