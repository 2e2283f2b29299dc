"""Imports point down only, and the root is light."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import geojax

PACKAGE = Path(geojax.__file__).parent
LAYERS = {
    0: {"_core", "typing", "results"},
    1: {"transport", "manifolds"},
    2: {"symmetry"},
    3: {
        "architectures",
        "merging",
        "metanets",
        "representations",
        "equivariant",
        "topology",
        "optim",
        "adapt",
        "flows",
        "embed",
        "learn",
    },
    4: {"io", "cli", "demo"},
}
LAYER = {name: layer for layer, names in LAYERS.items() for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    """The part of the package that a file belongs to; '' for the root."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py") if relative.parts[0] != "__init__.py" else ""


def imported(path: Path) -> set[str]:
    """The parts of geojax that a file imports, '' if it imports the root itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [node.module or ""]
            if node.module == "geojax":
                names = [f"geojax.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            head, _, rest = name.partition(".")
            if head == "geojax":
                found.add(rest.split(".")[0])
    return found


def test_every_part_has_a_layer():
    assert {part(path) for path in MODULES} - {""} <= set(LAYER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path):
    home = part(path)
    if home == "":
        return  # the root imports everything
    for other in imported(path) - {home}:
        if LAYER[home] == 4:
            continue
        assert other != "", f"{path} imports the root; import the module that defines the name"
        down = LAYER[other] < LAYER[home] or LAYER[home] == LAYER[other] == 0
        assert down, f"{path}, in layer {LAYER[home]}, imports geojax.{other}, in layer {LAYER[other]}"


def test_no_file_is_long_and_none_is_a_drawer():
    for path in MODULES:
        assert len(path.read_text().splitlines()) <= 400, f"{path} has more than 400 lines; split it"
        assert path.stem not in {"utils", "helpers", "misc", "common"}, f"{path}: name what it does"


def test_root_exports_what_exists_and_nothing_else():
    subpackages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"_core", "cli", "demo"}
    assert set(geojax.__all__) == subpackages | {"SolverError", "Status", "__version__", "cite", "unwrap"}
    assert dir(geojax) == sorted(geojax.__all__)
    for name in geojax.__all__:
        assert getattr(geojax, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        geojax.nothing


def test_completion_offers_what_is_public_and_nothing_else():
    for name in set(geojax.__all__) - {"SolverError", "Status", "__version__", "cite", "unwrap"}:
        package = getattr(geojax, name)
        assert dir(package) == sorted(package.__all__), name
        for public in dir(package):
            assert getattr(package, public) is not None


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_root_loads_no_subpackage_and_nothing_heavy():
    heavy = {
        "flax",
        "ott",
        "optax",
        "scipy.optimize",
        "matplotlib",
        "sklearn",
        "rich",
        "typer",
        "equinox",
        "chex",
    }
    loaded = run(
        "import sys, jax; before = set(sys.modules); import geojax; print(*set(sys.modules) - before)"
    ).split()
    assert not heavy & set(loaded)
    ours = {name for name in loaded if name.startswith("geojax.") and not name.startswith("geojax._core")}
    assert ours <= {"geojax.results", "geojax.typing"}


def test_importing_the_root_costs_little_more_than_jax():
    def seconds(code: str) -> float:
        start = time.perf_counter()
        run(code)
        return time.perf_counter() - start

    # The smallest of several runs: others work on the machine at the same time.
    jax_alone = min(seconds("import jax") for _ in range(3))
    root = min(seconds("import geojax") for _ in range(3))
    assert root < 1.5 * jax_alone
