"""All checks of a tier on one case: which fail, which exemptions are stale, which known faults are mended."""

import traceback
from collections.abc import Callable, Mapping

from tests.conformance.case import Case
from tests.conformance.checks import CHECKS, TRACED, Check
from tests.conformance.known_faults import faults_of

Record = Callable[[str, object], None]


def forget(name: str, value: object) -> None:
    """Record nothing."""


def failures(
    case: Case,
    checks: Mapping[str, Check],
    record: Record = forget,
    faults: Mapping[str, str] | None = None,
) -> list[str]:
    """Run the checks from which the case is not exempt, and list those that fail.

    A known fault must still fail. An exemption from a check that compiles nothing is tried: if it passes, it is stale.
    `record` is told of every exemption.
    """
    unknown = set(case.exemptions) - set(CHECKS)
    if unknown:
        return [f"exemptions from unknown checks {sorted(unknown)}"]
    faults = faults_of(case.label) if faults is None else faults
    found = []
    for name, check in checks.items():
        if name in case.excused:
            record("exempt", f"{name}: {case.excused[name]}")
            if name in TRACED and not case.left_out and failure(case, check) is None:
                found.append(f"{name}: the exemption is stale, as the check passes: {case.excused[name]}")
            continue
        message = failure(case, check)
        if name in faults:
            record("exempt", f"{name}: {faults[name]}")
            if message is None:
                found.append(f"{name}: passes now; take its line out of known_faults.py: {faults[name]}")
        elif message is not None:
            found.append(f"{name}: {message}")
    return found


def failure(case: Case, check: Check) -> str | None:
    """Run a check; say what failed."""
    try:
        check(case)
    except AssertionError as error:
        return str(error)
    except Exception as error:  # whatever it is, the other checks still run
        return "".join(traceback.format_exception(error, limit=-4))
    return None
