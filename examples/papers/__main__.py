"""Runs pages, and prints each claim beside ours.

python -m examples.papers [KEY ...] [--full] [--start N] [--num N] [--write]

All pages without a KEY. `--start` takes other seeds. `--write` keeps what came out in benchmarks/results/papers/, for
docs/claims.md. The exit status is the number of claims that did not come out as expected.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType

os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "3"
)  # before jax: no reports of each program read from its cache

from examples.papers.harness import FULL, QUICK, ROOT, Claim, Size

FOLDER = Path(__file__).resolve().parent
RESULTS = ROOT / "benchmarks" / "results" / "papers"
LIBRARIES = ("jax", "jaxlib", "numpy", "scipy", "optax", "scikit-learn")


def pages() -> dict[str, Path]:
    """Key -> file of every page; a folder holds the pages of one part of the library, there or to come."""
    return {path.stem: path for path in sorted(FOLDER.rglob("[A-Z]*.py"), key=lambda path: path.stem)}


def page(key: str) -> ModuleType:
    """The module of a page."""
    return importlib.import_module(f"examples.papers.{pages()[key].parent.name}.{key}")


def measured(key: str, size: Size) -> tuple[list[Claim], float]:
    """A page's claims, and the processor seconds it took."""
    run = page(key).run
    began = time.process_time()
    claims = run(size)
    return claims, time.process_time() - began


def result(claims: list[Claim], size: Size, spent: float) -> dict:
    """What is kept of a run: numbers, versions and size, nothing of the machine but its kind."""
    return {
        "size": "full" if size.full else "quick",
        "first seed": size.start,
        "processor seconds": round(spent, 1),
        "machine": f"{os.cpu_count()} x {platform.machine()}",
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in LIBRARIES},
        "claims": [
            {
                "what": claim.what,
                "paper": claim.paper,
                "mean": claim.mean,
                "error": claim.error,
                "asked": str(claim.holds),
                "holds": claim.held,
                "expected": claim.expected,
            }
            for claim in claims
        ],
    }


def write(key: str, report: dict) -> None:
    """Whole or not at all."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    part = RESULTS / f"{key}.part"
    part.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(part, RESULTS / f"{key}.json")


def main(arguments: list[str]) -> int:
    """Run the pages that are asked for; a page that breaks does not stop the others."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("keys", nargs="*", metavar="KEY", default=[*pages()])
    parser.add_argument("--full", action="store_true", help="the size of the committed table")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--num", type=int, help="how many seeds")
    parser.add_argument("--write", action="store_true", help="keep the results")
    options = parser.parse_args(arguments)
    size = (FULL if options.full else QUICK)._replace(start=options.start)
    size = size._replace(num=options.num or size.num)
    surprises = 0
    for key in options.keys:
        try:
            claims, spent = measured(key, size)
        except Exception:
            traceback.print_exc()
            surprises += 1
            continue
        print(f"{key}: {spent:.1f} processor seconds")
        for claim in claims:
            print(f"  {claim}", flush=True)
        surprises += sum(not claim.as_expected for claim in claims)
        if options.write:
            write(key, result(claims, size, spent))
    return surprises


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
