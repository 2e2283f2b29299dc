"""Faults of the library that a check has found and nobody has mended yet: {check: {label of a case: what happens}}.

The check still runs, and must fail: once the fault is mended its line here is stale, and the test says so.
"""

KNOWN_FAULTS: dict[str, dict[str, str]] = {}


def faults_of(label: str) -> dict[str, str]:
    """The known faults of a case, by check."""
    return {check: cases[label] for check, cases in KNOWN_FAULTS.items() if label in cases}
