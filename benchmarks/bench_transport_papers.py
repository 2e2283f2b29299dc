"""What works behind methods of transport claim, measured: a function for each, by its key in references.bib.

    python benchmarks/bench_transport_papers.py [--quick] [--only PART ...]

Writes benchmarks/results/transport_papers.json. Times are medians, what is compared takes turns, and compilation is
left out. Random numbers are a mean over seeds and its standard error; no seed is chosen. Of a claim with a threshold
the result says whether it held ("under half"). What fits a page is in examples/papers instead.
"""

import argparse
import time

import jax
from record import save
from saddle_searches import pruned_searches
from transport_estimates import mixture_scores, random_features, treatment_effects

PARTS = {
    "Goswami2025": pruned_searches,
    "Kang2023": mixture_scores,
    "Reid2023": random_features,
    "YuWang2020": treatment_effects,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, and nothing written")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="and nothing written")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    report = {}
    for name in options.only:
        began = time.perf_counter()
        report[name] = {"about": PARTS[name].__doc__} | PARTS[name](options.quick)
        report[name]["seconds"] = time.perf_counter() - began
        print(name, report[name], flush=True)
    if not options.quick and len(report) == len(PARTS):
        save("transport_papers", report)


if __name__ == "__main__":
    main()
