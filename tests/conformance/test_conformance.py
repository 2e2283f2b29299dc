"""Every public callable against every check; and every public name against the list of cases.

There is one test for each case and tier. It runs all its checks and lists those that fail.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import geojax
from tests.conformance.case import Case
from tests.conformance.checks import CHECKS, CORE, FULL, Check
from tests.conformance.conform import failures
from tests.conformance.known_faults import KNOWN_FAULTS

HERE = Path(__file__).parent
TABLES = {path.stem.removeprefix("cases_"): path for path in sorted(HERE.glob("cases_*.py"))}
PACKAGE = Path(geojax.__file__).parent
# What a user imports: the root, and each sub-package. The demo is a program, not a library.
SUBPACKAGES = {
    path.parent.name for path in PACKAGE.glob("*/__init__.py") if not path.parent.name.startswith("_")
}
PUBLIC = ["geojax", *sorted(SUBPACKAGES - {"demo"})]


def load(package: str):
    return importlib.import_module(f"tests.conformance.cases_{package}")


CASES = [(package, case) for package in TABLES for case in load(package).CASES]


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_and_cases_agree(package):
    module = importlib.import_module(package if package == "geojax" else f"geojax.{package}")
    assert package in TABLES, (
        f"tests/conformance/cases_{package}.py is missing; copy the example in cases_geojax.py"
    )
    table = load(package)
    listed = {case.name for case in table.CASES} | set(table.DATA)
    public = set(module.__all__)
    assert not public - listed, f"public without a case: {sorted(public - listed)}"
    assert not listed - public, f"a case without a public name: {sorted(listed - public)}"
    assert not {case.name for case in table.CASES} & set(table.DATA), "a name has both a case and an excuse"
    labels = [case.label for case in table.CASES]
    assert len(labels) == len(set(labels)), "two cases have the same name and variant"
    for name, reason in table.DATA.items():
        assert len(reason.split()) >= 2, f"{name}: give a reason"
        assert getattr(module, name).__doc__, f"{name} has no docstring"


def test_every_table_belongs_to_a_package():
    assert set(TABLES) <= set(PUBLIC)


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
