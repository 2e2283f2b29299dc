"""Mutation testing: change one line of a package, and see whether a test notices.

    make mutants ARGS="geojax/transport --num 200 --seed 1"

Lines are changed by the operators of cosmic-ray: a sign, a number, a comparison, a condition. Each mutant is tried on
the tests of its module, then of its folder, in both tiers, and on the conformance cases of `make test` for the public
names in its module. A mutant that passes them all is printed: either a test is missing, or the change means nothing.
"""

import argparse
import ast
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parent.parent
# Operators that change what is computed. Others mostly break imports, annotations or loops.
OPERATORS = (
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_Div",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceComparisonOperator_Gt_Lt",
    "ReplaceComparisonOperator_Lt_Gt",
    "ReplaceComparisonOperator_GtE_Lt",
    "ReplaceComparisonOperator_LtE_Gt",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceUnaryOperator_Delete_USub",
    "NumberReplacer",
    "AddNot",
)


@dataclass(frozen=True)
class Mutant:
    """A module with one line changed."""

    module: Path
    line: int
    before: str
    after: str
    source: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("package", nargs="?", default="geojax", help="a folder or module of the library")
    parser.add_argument("--num", type=int, default=200, help="how many mutants to try (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="which of them (default: 0)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for a mutant (default: 300)")
    options = parser.parse_args()

    modules = [Path(options.package)] if options.package.endswith(".py") else _modules(Path(options.package))
    chosen = _drawn(modules, options.num, random.Random(options.seed))
    print(f"{len(chosen)} mutants", flush=True)
    survivors = 0
    with tempfile.TemporaryDirectory() as copy:
        _copy_of_the_tree(Path(copy))
        for mutant in chosen:
            found = _notices(Path(copy), mutant, options.timeout)
            if not found:
                survivors += 1
                print(f"{mutant.module}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}", flush=True)
    print(f"{survivors} of {len(chosen)} mutants passed every test")


def _modules(folder: Path) -> list[Path]:
    return [
        path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*.py")) if path.name != "__init__.py"
    ]


def _drawn(modules: list[Path], num: int, rng: random.Random) -> list[Mutant]:
    """Mutants of modules that are drawn as often as they have lines; fewer than `num` if there are no more."""
    lines = {module: len((ROOT / module).read_text().splitlines()) for module in modules}
    left: dict[Path, list[Mutant]] = {}
    chosen = []
    while lines and len(chosen) < num:
        (module,) = rng.choices(list(lines), weights=list(lines.values()))
        if module not in left:
            left[module] = list(_mutants(module))
            rng.shuffle(left[module])
        if left[module]:
            chosen.append(left[module].pop())
        else:
            del lines[module]
    return chosen


def _mutants(module: Path) -> Iterator[Mutant]:
    """Every change of a line that computes: not of a docstring, an annotation or the words of an error."""
    source = (ROOT / module).read_text()
    spoken = _lines_of_words(source)
    names = {name.split("/")[1]: name for name in operator_names()}
    for operator in OPERATORS:
        for occurrence in itertools.count():
            changed = mutate_code(source, get_operator(names[operator])(), occurrence)
            if changed is None:
                break
            pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
            differing = [(k, a, b) for k, (a, b) in enumerate(pairs, 1) if a != b]
            if len(differing) == 1 and differing[0][0] not in spoken:
                line, before, after = differing[0]
                yield Mutant(module, line, before.strip(), after.strip(), changed)


def _lines_of_words(source: str) -> set[int]:
    """Lines of headers of functions, of fields with annotations, and of raised errors."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            lines |= set(range(node.lineno, node.body[0].lineno))
        elif isinstance(node, ast.Raise | ast.AnnAssign):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _copy_of_the_tree(target: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _notices(copy: Path, mutant: Mutant, timeout: float) -> bool:
    """Whether a test fails, or none ends in time, with the mutant in place."""
    original = (copy / mutant.module).read_text()
    (copy / mutant.module).write_text(mutant.source)
    try:
        return any(_fails(copy, arguments, timeout) for arguments in _tests(copy, mutant.module))
    finally:
        (copy / mutant.module).write_text(original)


def _tests(copy: Path, module: Path) -> Iterator[list[str]]:
    """Arguments of pytest for each set of tests, the nearest first."""
    inside = [part.strip("_") for part in module.parts[1:-1]]
    folder = copy.joinpath("tests", *inside)
    own = folder / f"test_{module.name}"
    if own.exists():
        yield [str(own)]
    while not folder.exists():
        folder = folder.parent
    if folder != copy / "tests":
        yield [str(folder), f"--ignore={own}"]
    public = [
        node.name
        for node in ast.parse((ROOT / module).read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    if public:
        names = (
            " or ".join(f".{name}]" for name in public) + " or " + " or ".join(f".{name}-" for name in public)
        )
        yield ["tests/conformance/test_conformance.py", "-m", "not full", "-k", names]


def _fails(copy: Path, arguments: list[str], timeout: float) -> bool:
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "JAX_COMPILATION_CACHE_DIR": str(copy / ".cache" / "jax"),
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=copy,
            env=environment,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode not in (0, 5)  # 5: there is no such test


if __name__ == "__main__":
    main()
