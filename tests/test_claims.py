"""Every page of examples/papers at quick size: its claims come out as it expects, within a budget of processor time.

The pages run in the whole run; `make test` runs two, which show that pages can run.
"""

import importlib.util
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from examples.papers import harness
from examples.papers.__main__ import RESULTS, page, pages

ROOT = Path(__file__).resolve().parent.parent
KEYS = [*pages()]
ALWAYS = ("Martin2024", "Wang2025")
BUDGET = 10
"""Processor seconds, unless a page states a BUDGET of its own; three times as many fail it."""


@pytest.fixture
def claims(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")  # as when the program itself is run
    specification = importlib.util.spec_from_file_location("claims", ROOT / "docs" / "claims.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def trained_beforehand(key):
    """Networks that pages share are trained once, on nobody's account."""
    if hasattr(page(key), "networks"):
        harness.networks()


@pytest.mark.x32
@pytest.mark.parametrize(
    "key", [pytest.param(key, marks=() if key in ALWAYS else pytest.mark.full) for key in KEYS]
)
def test_claims_come_out_as_expected(key):
    trained_beforehand(key)
    module, began = page(key), time.process_time()
    found = module.run(harness.QUICK)
    spent = time.process_time() - began
    print(f"{key}: {spent:.1f} processor seconds", *found, sep="\n  ")
    wrong = [str(claim) for claim in found if not claim.as_expected]
    assert not wrong, "\n".join(wrong)
    assert all(claim.paper for claim in found), "a claim says what the paper prints"
    assert all(np.size(claim.ours) not in (0, 2) for claim in found), "three seeds at least, or a count"
    assert spent < 3 * getattr(module, "BUDGET", BUDGET), (
        f"{spent:.0f} processor seconds: make the page smaller"
    )
    known = {claim["what"] for claim in json.loads((RESULTS / f"{key}.json").read_text())["claims"]}
    assert {claim.what for claim in found} <= known, f"stale results; run: make papers-full ARGS={key}"


@pytest.mark.parametrize("key", KEYS)
def test_a_page_says_what_it_should(key, claims):
    text = pages()[key].read_text()
    sections = claims.sections(key, text)
    assert ("Fails" in sections) == ("expected=False" in text), (
        "Fails: says why a claim is not expected to hold"
    )
    drawn = re.findall(r"random\.key\(|PRNGKey\(|default_rng\((?!np\.asarray\(jax\.random\.key_data)", text)
    assert not drawn, "randomness comes from the keys of size.seeds, so that others can be tried"


@pytest.mark.parametrize("key", KEYS)
def test_full_results_are_kept(key):
    report = json.loads((RESULTS / f"{key}.json").read_text())
    assert report["size"] == "full"
    assert report["first seed"] == 0
    assert report["versions"]["jax"]


def test_results_belong_to_pages():
    assert {path.stem for path in RESULTS.glob("*.json")} == set(KEYS)


def test_the_page_of_claims_is_current(claims):
    assert claims.TARGET.read_text() == claims.page(), "run: make papers"


def test_faults_of_a_docstring_are_named(claims):
    title = "Sinkhorn distances: lightspeed computation of optimal transport [Cuturi2013]."
    good = f'"""{title}\n\nClaim: a\n    b.\n\nDiffers: c."""'
    assert claims.sections("Cuturi2013", good) == {"Claim": "a b.", "Differs": "c."}
    with pytest.raises(ValueError, match=r"references\.bib has no such key"):
        claims.sections("Nobody1900", good)
    with pytest.raises(ValueError, match="expected the paper's title"):
        claims.sections("Cuturi2013", good.replace("lightspeed", "fast"))
    with pytest.raises(ValueError, match="no Differs: section"):
        claims.sections("Cuturi2013", good.replace("\n\nDiffers: c.", ""))
    with pytest.raises(ValueError, match="is no section"):
        claims.sections("Cuturi2013", good.replace("Differs", "Otherwise"))


def test_a_surprise_and_a_missing_reason_are_noticed(claims, monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "RESULTS", tmp_path)
    path = claims.pages()["Wu2023"]
    with pytest.raises(ValueError, match="no results"):
        claims.section("Wu2023", path)
    claim = {
        "what": "w",
        "paper": "p",
        "mean": 1.0,
        "error": 0.0,
        "asked": "> 0",
        "holds": False,
        "expected": True,
    }
    report = {"size": "full", "first seed": 0, "versions": {"jax": "0"}, "claims": [claim]}
    (tmp_path / "Wu2023.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match="does not expect"):
        claims.section("Wu2023", path)
    claim["expected"] = False
    (tmp_path / "Wu2023.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match="say why"):
        claims.section("Wu2023", path)


def test_check_fails_on_a_stale_page(claims, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(claims, "TARGET", tmp_path / "claims.md")
    assert claims.main(["--check"]) == 1
    assert "make papers" in capsys.readouterr().err
    assert claims.main([]) == 0
    assert claims.main(["--check"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["claims.md"]
