"""Alignment of networks trained on Fashion-MNIST, beside Git Re-Basin's weight matching and PyPI's rebasin.

    python benchmarks/bench_alignment.py DATA [--only PART ...] [--seeds 6] [--fresh] [--peer rebasin=PYTHON]
    python benchmarks/bench_alignment.py --quick

DATA holds the four idx files. Networks (fashion_mlp.py, fashion_nets.py) are trained once for each seed and kept;
seeds (0, 1), (2, 3), ... are the pairs. Reported for every method and pair: the test-loss barrier over 25 points, loss
and accuracy of the midpoint, for MLPs the objective <A, P B> and the time of a warm match (median and least of several,
the first call apart; all methods in turn, those that descend the loss once). "continuous" rows use the whole spec, the
others its permutations alone. `repair-*` repairs every point of the curve, `three-*` averages three, `vmap` times eight
pairs at once, `universe` merges five MLPs into one: by a universe, by a chain of pairs, and as they are. PYTHON has
PyPI's rebasin.

Each pair is written as soon as it is done, and what is written is not done again (--fresh starts over).
"""

import argparse
import contextlib
import functools
import json
import pathlib
import tempfile

import fashion_mlp
from alignment_rows import mlp_rows, net_rows, repair_rows, three_rows, universe_rows, vmap_rows
from record import RESULTS, save
from trained_networks import toy
from workers import Worker


def show(row):
    seconds = row.get("seconds")
    least = f"{seconds.get('least', seconds.get('min')):8.3f} s" if seconds else ""
    numbers = {
        name: row[name]
        for name in ("barrier", "midpoint_accuracy", "endpoint_accuracy", "objective")
        if name in row
    }
    text = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    print(f"{row['part']:12s} {row['seeds']} {row['method']:32s} {text} {least}", flush=True)


def parts(*widths):
    """{name: function (data, options, done) -> rows}; `vmap` and `universe` have the least width."""
    of_width = {"mlp": mlp_rows, "repair": repair_rows, "three": three_rows}
    found = {
        f"{name}-{width}": functools.partial(rows, width)
        for name, rows in of_width.items()
        for width in widths
    }
    found |= {"vmap": functools.partial(vmap_rows, widths[0])}
    found |= {name: functools.partial(net_rows, name) for name in ("cnn", "transformer")}
    return found | {"universe": functools.partial(universe_rows, widths[0])}


def run(every, chosen, data, options, rows, keep):
    """Adds to the rows and calls `keep` on all of them whenever a pair is done."""
    done = {(row["part"], tuple(row["seeds"])) for row in rows}
    for part in chosen:
        for found in every[part](data, options, done):
            rows += found
            keep(rows)
            for row in found:
                show(row)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = parts(128, 512)
    parser.add_argument("data", type=pathlib.Path, nargs="?", help="folder with Fashion-MNIST's idx files")
    parser.add_argument("--only", nargs="+", choices=every, default=list(every), help="parts to run")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--steps", type=int, default=50, help="gradient steps of the loss matchers; 0 leaves them out"
    )
    parser.add_argument("--fresh", action="store_true", help="measure again what is written already")
    parser.add_argument("--quick", action="store_true", help="tiny networks on a toy, and nothing written")
    parser.add_argument("--models", type=pathlib.Path, default=pathlib.Path(__file__).parent / "models")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    options = parser.parse_args()
    if not options.quick and options.data is None:
        parser.error("name the folder with Fashion-MNIST's idx files, or say --quick")

    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        options.folder = pathlib.Path(name)
        options.workers, versions = {}, {}
        for peer, python in (each.split("=", 1) for each in options.peer):
            worker = Worker(peer, python, f"{peer}_peer.py", folder=name)
            options.workers[peer] = stack.enter_context(worker)
            versions |= worker.ask("versions")
        if options.quick:
            options.models, options.seeds, options.repeats, options.steps = options.folder, 2, 1, 1
            every = parts(8)
            run(every, ["mlp-8", "repair-8", "vmap", "cnn", "universe"], toy(), options, [], lambda _: None)
            return
        data = fashion_mlp.load(options.data)
        path, rows = RESULTS / "alignment.json", []
        if path.exists():
            rows = json.loads(path.read_text())["rows"]
            rows = [row for row in rows if not (options.fresh and row["part"] in options.only)]
        keep = functools.partial(keep_rows, versions)
        run(every, options.only, data, options, rows, keep)


def keep_rows(versions, rows):
    save("alignment", {"rows": rows}, versions)


if __name__ == "__main__":
    main()
