"""Every public callable against every check; and every public name against the list of cases.

There is one test for each case and tier. It runs all its checks and lists those that fail.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import geojax
from tests.conformance.case import Case
from tests.conformance.checks import CHECKS, CORE, FULL, Check
from tests.conformance.conform import failures
from tests.conformance.known_faults import KNOWN_FAULTS

HERE = Path(__file__).parent
# What a user imports: the root, and each package, its halls included. The demo is a program, not a library.
PACKAGE = Path(geojax.__file__).parent
SUBPACKAGES = {
    path.parent.name for path in PACKAGE.glob("*/__init__.py") if not path.parent.name.startswith("_")
}
PUBLIC = ["geojax", *sorted(SUBPACKAGES - {"demo"})]


def tables(package: str) -> list[ModuleType]:
    """The modules of a package's folder of cases; each may define CASES and DATA."""
    return [
        importlib.import_module(f"tests.conformance.{package}.{path.stem}")
        for path in sorted((HERE / package).glob("*.py"))
    ]


def public_names(package: str) -> dict[str, Any]:
    """Public names of a package and of the halls in it, and what they stand for."""
    module = importlib.import_module(package if package == "geojax" else f"geojax.{package}")
    found = {}
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.ismodule(value) and package != "geojax":
            found |= {inner: getattr(value, inner) for inner in value.__all__}
        else:
            found[name] = value
    return found


CASES = [
    (package, case) for package in PUBLIC for table in tables(package) for case in getattr(table, "CASES", ())
]


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_and_cases_agree(package):
    assert tables(package), f"tests/conformance/{package}/ has no table; copy the example in geojax/root.py"
    cases = [case for owner, case in CASES if owner == package]
    data: dict[str, str] = {}
    for table in tables(package):
        repeated = set(data) & set(getattr(table, "DATA", {}))
        assert not repeated, f"excused twice: {sorted(repeated)}"
        data |= getattr(table, "DATA", {})
    listed = {case.name for case in cases} | set(data)
    public = public_names(package)
    assert not set(public) - listed, f"public without a case: {sorted(set(public) - listed)}"
    assert not listed - set(public), f"a case without a public name: {sorted(listed - set(public))}"
    assert not {case.name for case in cases} & set(data), "a name has both a case and an excuse"
    labels = [case.label for case in cases]
    assert len(labels) == len(set(labels)), "two cases have the same name and variant"
    for name, reason in data.items():
        assert len(reason.split()) >= 2, f"{name}: give a reason"
        assert public[name].__doc__, f"{name} has no docstring"


def test_every_folder_of_cases_belongs_to_a_package():
    folders = {path.parent.name for path in HERE.glob("*/*.py")}
    assert folders <= set(PUBLIC)


# One worker does both tiers of a case, as they share its compiled results.
PARAMETERS = [
    pytest.param(case, id=f"{package}.{case.label}", marks=pytest.mark.xdist_group(f"{package}.{case.label}"))
    for package, case in CASES
]


def conform(case: Case, checks: Mapping[str, Check], record: Callable[[str, object], None]) -> None:
    found = failures(case, checks, record)
    if found:
        pytest.fail(
            f"{case.label} fails {len(found)} of {len(checks)} checks\n\n" + "\n\n".join(found), False
        )


def test_known_faults_are_of_known_cases_and_checks():
    labels = {case.label for _, case in CASES}
    for check, cases in KNOWN_FAULTS.items():
        assert check in CHECKS
        assert set(cases) <= labels, f"{check}: no case has the label {sorted(set(cases) - labels)}"


@pytest.mark.parametrize("case", PARAMETERS)
def test_conforms(case, record_property):
    """The checks of `make test`."""
    conform(case, CORE, record_property)


@pytest.mark.full
@pytest.mark.parametrize("case", PARAMETERS)
def test_conforms_in_full(case, record_property):
    """The checks that `make test-all` adds."""
    conform(case, FULL, record_property)
