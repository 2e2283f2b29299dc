"""What pyproject.toml declares is what is imported; the library works with the core dependencies alone."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGE = ROOT / "geojax"

MODULES = {"ott-jax": "ott", "orbax-checkpoint": "orbax", "scikit-learn": "sklearn"}
"""Modules whose name is not that of the distribution."""

BLOCKED = ["flax", "ott", "chex", "orbax", "matplotlib", "click", "rich", "sklearn", "safetensors"]


def modules(requirements: list[str]) -> set[str]:
    """The modules that requirements bring, without those of this distribution's own extras."""
    names = [re.match(r"[\w-]+", requirement)[0] for requirement in requirements]
    return {MODULES.get(name, name.replace("-", "_")) for name in names if name != PROJECT["name"]}


def imported(file: Path) -> set[str]:
    """The top-level modules that a file imports, also where it is done by a function, or by name."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "optional":
            found.add(ast.literal_eval(node.args[0]).partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"geojax"}


TOOLS = {"dev", "docs", "mutants"}  # extras of what the library itself does not import
CORE = modules(PROJECT["dependencies"])
BY_FILE = {file.relative_to(PACKAGE).as_posix(): imported(file) for file in PACKAGE.rglob("*.py")}
BY_PACKAGE = {
    part: set().union(*(names for file, names in BY_FILE.items() if file.startswith(f"{part}/")))
    for part in ("io", "cli", "demo")
}


def test_the_core_declares_what_it_imports_and_no_more():
    outside = {"io", "cli", "demo"}
    used = set().union(*(names for file, names in BY_FILE.items() if file.partition("/")[0] not in outside))
    assert used - modules(EXTRAS["ott"]) == CORE


def test_the_extras_declare_what_is_imported_and_no_more():
    extras = {name: modules(listed) for name, listed in EXTRAS.items() if name not in TOOLS}
    declared = set().union(*extras.values())
    used = set().union(*BY_FILE.values())
    assert used <= CORE | declared
    assert declared <= used
    assert BY_PACKAGE["io"] - CORE == extras["io"]
    assert extras["cli"] <= BY_PACKAGE["cli"]
    assert BY_PACKAGE["demo"] - CORE <= extras["demo"] | extras["cli"] | extras["plot"]


def test_developers_have_all_extras():
    (every,) = [line for line in EXTRAS["dev"] if line.startswith(PROJECT["name"])]
    assert set(re.findall(r"[\w-]+", every.partition("[")[2])) == set(EXTRAS) - TOOLS


def test_what_is_declared_is_what_is_installed():
    for requirement in PROJECT["dependencies"]:
        importlib.metadata.version(re.match(r"[\w-]+", requirement)[0])


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A program in which the packages of the extras cannot be imported."""
    blocker = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""
    command = [sys.executable, "-c", blocker + program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_every_public_name_loads_with_the_core_dependencies_alone():
    program = """
import importlib
from geojax._core import halls

for hall, table in halls.tables().items():
    module = importlib.import_module(hall)
    for name in table:
        getattr(module, name)
print(sum(map(len, halls.tables().values())))
"""
    ended = run(program)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert int(ended.stdout) > 200


@pytest.mark.parametrize(
    "call, package, extra",
    [
        ("gj.io.load_flax('pyproject.toml')", "flax", "io"),
        ("gj.io.save_flax('model', {})", "flax", "io"),
        ("gj.io.load_orbax('tests')", "orbax", "io"),
        ("gj.io.save_orbax('model', {})", "orbax", "io"),
    ],
)
def test_a_missing_package_names_the_extra_that_brings_it(call, package, extra):
    program = f"""
import geojax as gj

try:
    {call}
except ImportError as error:
    print(error)
"""
    printed = run(program).stdout
    assert f"needs {package}, which is not installed" in printed
    assert f"pip install 'geojax-transforms[{extra}]'" in printed
