"""What each test took of the processor, printed when a run ends; imported by conftest.py.

Processor time is that of all threads of the worker, from the set-up of a test to its end, so that a busy machine does
not change it much. In a second run the compilation cache knows every program: remove .cache/jax to measure.
"""

import collections
import time
from collections.abc import Iterator
from typing import Any

import pytest

SHOWN = 10
BUDGET = 1.5  # seconds of processor time for one more public callable in `make test`: CONTRIBUTING.md
CASE = "::test_conforms["
SECONDS = "processor seconds"
EXEMPT = "exempt"
_started = pytest.StashKey[float]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note when the test began."""
    item.stash[_started] = time.process_time()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Write what the test took where its report, and so the controller of the workers, finds it."""
    try:
        return (yield)
    finally:
        item.user_properties.append((SECONDS, time.process_time() - item.stash[_started]))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the dearest tests, the conformance cases over the budget, and what the cases are exempt from."""
    reports = [
        report
        for outcome in ("passed", "failed", "xfailed")
        for report in terminalreporter.stats.get(outcome, [])
        if getattr(report, "when", None) == "call"
    ]
    cost = {report.nodeid: dict(report.user_properties).get(SECONDS, 0.0) for report in reports}
    if not cost:
        return
    dearest = sorted(cost, key=cost.__getitem__, reverse=True)
    terminalreporter.section(f"the {SHOWN} dearest tests, in seconds of processor time")
    for name in dearest[:SHOWN]:
        terminalreporter.write_line(f"{cost[name]:8.2f}  {name}")
    terminalreporter.write_line(f"{sum(cost.values()):8.0f}  all {len(cost)} tests")
    _conformance(terminalreporter, {name: cost[name] for name in dearest if CASE in name})
    _exemptions(terminalreporter, reports, config.get_verbosity() > 0)


def _conformance(terminalreporter: Any, cost: dict[str, float]) -> None:
    if not cost:
        return
    mean = sum(cost.values()) / len(cost)
    over = [name for name in cost if cost[name] > BUDGET]
    terminalreporter.section("conformance")
    terminalreporter.write_line(
        f"{mean:.2f} s a case on average, the budget is {BUDGET} s; {len(over)} take more"
    )
    for name in over[:SHOWN]:
        terminalreporter.write_line(f"{cost[name]:8.2f}  {name.partition(CASE)[2].rstrip(']')}")
    if mean > BUDGET:
        terminalreporter.write_line("The cases are over the budget.", yellow=True)


def _exemptions(terminalreporter: Any, reports: list[Any], verbose: bool) -> None:
    found = [
        (*text.split(": ", 1), report.nodeid)
        for report in reports
        for kind, text in report.user_properties
        if kind == EXEMPT
    ]
    if not found:
        return
    terminalreporter.section("exemptions from the checks (-v lists them)")
    for check, number in collections.Counter(check for check, _, _ in found).most_common():
        terminalreporter.write_line(f"{number:8d}  {check}")
    for check, reason, name in found if verbose else ():
        terminalreporter.write_line(f"{name}: {check}: {reason}")
