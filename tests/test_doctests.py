"""Every example in a docstring runs and prints what it says, with the defaults that a user has.

They run in the full tier: their functions have laws and cases of their own in the default one.
"""

import doctest
import importlib
import pkgutil

import pytest

import geojax

pytestmark = [pytest.mark.x32, pytest.mark.full]

MODULES = ["geojax"] + [
    module.name
    for module in pkgutil.walk_packages(geojax.__path__, "geojax.")
    if not module.name.startswith(("geojax.demo", "geojax.cli"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        report: list[str] = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)
