"""The house: imports point down only, rooms are small, names do not hide each other, and the root is light."""

import ast
import importlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

import geojax

PACKAGE = Path(geojax.__file__).parent
LAYERS = {
    0: {"_core", "typing", "results"},
    1: {"_program", "transport", "manifolds"},
    2: {"symmetry"},
    3: {
        "architectures",
        "codes",
        "equivariant",
        "flows",
        "graphs",
        "limits",
        "merging",
        "metanets",
        "optim",
        "parametrizations",
        "representations",
        "shift",
        "topology",
    },
    4: {"io", "cli", "demo", "plot"},
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


def folder(path: Path) -> str:
    """The folder of a module, as a dotted name below geojax."""
    return ".".join(path.parent.relative_to(PACKAGE).parts)


def imported_modules(path: Path) -> set[str]:
    """Full names of the modules of geojax that a file imports, those that only editors read left out."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("geojax"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                place = PACKAGE.parent.joinpath(*inner.split("."))
                names.add(inner if place.with_suffix(".py").exists() or place.is_dir() else node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("geojax")}
    return names


def folder_graph() -> dict[str, set[str]]:
    """Folder -> the folders whose files its files import. Halls are left out: they list what is below them."""
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        if path.name == "__init__.py" or path.parent == PACKAGE:
            continue
        others = graph.setdefault(folder(path), set())
        for name in imported_modules(path):
            place = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
            if place.exists() and place.parent != PACKAGE and folder(place) != folder(path):
                others.add(folder(place))
    return graph


def test_the_graph_of_folders_has_no_cycle():
    waiting = folder_graph()
    while waiting:
        free = [name for name, others in waiting.items() if not others & set(waiting)]
        assert free, "folders that import each other: " + "; ".join(
            f"{name} -> {', '.join(sorted(others & set(waiting)))}"
            for name, others in sorted(waiting.items())
        )
        for name in free:
            del waiting[name]


@pytest.mark.parametrize("root", [PACKAGE, Path(__file__).parent], ids=["package", "tests"])
def test_no_folder_holds_more_than_fifteen_files(root):
    for place in [root, *root.rglob("*")]:
        if place.is_dir():
            files = [path.name for path in place.glob("*.py") if path.name != "__init__.py"]
            assert len(files) <= 15, f"{place} holds {len(files)} files; make a room in it"


def test_no_file_or_folder_bears_the_name_of_a_public_function_of_its_hall():
    for path in MODULES:
        if path.name == "__init__.py" and path.parent != PACKAGE:
            hall = importlib.import_module(".".join(("geojax", *path.parent.relative_to(PACKAGE).parts)))
            inside = {place.stem for place in path.parent.iterdir() if place.suffix in ("", ".py")}
            table = getattr(hall, "_DEFINED_IN", {})
            functions = {
                name for name in getattr(hall, "__all__", ()) if table.get(name) != f"{hall.__name__}.{name}"
            }
            assert not inside & functions, f"{hall.__name__}: a module hides the function of its name"


def test_every_folder_is_a_package_of_one_line_or_a_hall():
    for place in [path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__"]:
        text = (place / "__init__.py").read_text()
        assert ast.get_docstring(ast.parse(text)), f"{place}: say what the folder holds"
        assert "_DEFINED_IN" in text or len(ast.parse(text).body) <= 6, f"{place}: a hall, or a docstring"


def test_no_file_is_long_and_none_is_a_drawer():
    for path in MODULES:
        assert len(path.read_text().splitlines()) <= 400, f"{path} has more than 400 lines; split it"
        assert path.stem not in {"utils", "helpers", "misc", "common"}, f"{path}: name what it does"


def test_root_exports_what_exists_and_nothing_else():
    subpackages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {
        "_core",
        "_program",
        "cli",
        "demo",
    }
    assert set(geojax.__all__) == subpackages | {"SolverError", "Status", "__version__", "cite", "unwrap"}
    assert dir(geojax) == sorted(geojax.__all__)
    for name in geojax.__all__:
        assert getattr(geojax, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        geojax.nothing


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
