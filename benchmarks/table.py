"""All results in one table, benchmarks/results/README.md.

    python benchmarks/table.py [--print | --check]

A row is a comparison at one size: the time of geojax, that of the fastest peer that is as accurate, and how many times
as long the peer takes. Medians where a file has them. `--print` writes nothing; `--check` exits with 1 where the table
is not what the results give.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).resolve().parent / "results"
PAGE = RESULTS / "README.md"


class Row(NamedTuple):
    """Milliseconds of geojax and of the peers that are as accurate; `note` names those that are not."""

    comparison: str
    size: str
    ours: float
    peers: dict[str, float]
    note: str = ""


def milliseconds(found):
    """The median, or in files that have none the time of a warm call."""
    return found["median_ms"] if "median_ms" in found else found["steady_ms"]


def transport(report):
    for row in report["rows"]:
        time, size = row["time"], f"n = {row['n']}, {row['dtype']}"
        good = {name: found for name, found in time.items() if found.get("error", 1.0) <= 4 * row["tol"]}
        ours = min((milliseconds(found), name) for name, found in good.items() if name.startswith("geojax"))
        peers = {"ott": milliseconds(time["ott"])} if "ott" in good else {}
        note = f"`{ours[1].replace('geojax ', '').replace('newton', 'sinkhorn_newton')}`"
        if not peers:
            note += f"; ott ends at error {time['ott']['error']:.0e} after {milliseconds(time['ott']):.0f} ms"
        what = f"entropic transport, epsilon {row['epsilon / mean cost']} of the mean cost, error {row['tol']:.0e}"
        yield Row(what, size, ours[0], peers, note)


def assignment(report):
    for row in report["rows"]:
        time = row["time"]
        if "batch" in row:
            ours = min(milliseconds(time[name]) for name in ("geojax vmap", "geojax scan"))
            size = f"{row['batch']} of n = {row['n']}"
            yield Row("assignment, a batch", size, ours, {"scipy": milliseconds(time["scipy loop"])})
        else:
            peers = {name: milliseconds(time[name]) for name in ("scipy", "optax") if name in time}
            ours = milliseconds(time["geojax"])
            yield Row(f"assignment inside jit, {row['costs']}", f"n = {row['n']}", ours, peers)


def sliced(report):
    for row in report["speed"]:
        size = f"n = {row['n']}, d = {row['d']}, {row['projections']} directions"
        for what, time in row["time"].items():
            peers = {name: milliseconds(time[name]) for name in ("ott", "jnp.sort")}
            yield Row(f"sliced Wasserstein, {what}", size, milliseconds(time["geojax"]), peers)


def gaussian(report):
    for row in report["speed"]:
        time, error = row["value and gradients"], "largest error of the gradient"
        peers = {name: milliseconds(found) for name, found in time.items() if name != "geojax"}
        size = f"{row['batch']} pairs, d = {row['d']}, {row['dtype']}"
        mine, theirs = time["geojax"][error], min(time[name][error] for name in peers)
        note = f"error of the gradient {mine:.0e}, of the most accurate peer {theirs:.0e}"
        yield Row("Bures distance and gradients", size, milliseconds(time["geojax"]), peers, note)


def gromov(report):
    """Two seeds a size: their mean. A peer whose distortion is a thousandth worse is not as accurate."""
    for (n, epsilon), group in itertools.groupby(report["rows"], lambda row: (row["n"], row["epsilon"])):
        rows, peers, note = list(group), {}, ""
        for name in ("ott", "POT"):
            time = sum(milliseconds(row[name]) for row in rows) / len(rows)
            worse = max(row[name]["cost"] / row["geojax"]["cost"] - 1 for row in rows)
            if worse <= 1e-3:
                peers[name] = time
            else:
                note = f"{name} ends {100 * worse:.1f} % higher after {time:.0f} ms"
        ours = sum(milliseconds(row["geojax"]) for row in rows) / len(rows)
        yield Row(f"Gromov-Wasserstein, epsilon {epsilon}", f"n = {n}, float64", ours, peers, note)


def io(report):
    rows = report["rows"]
    times = {name: 1e3 * found["seconds_median"] for name, found in rows.items()}
    memory = f"{rows['geojax stream_merge']['peak_megabytes']:.0f} MB at the peak"
    size = f"2 files of {report['bytes_of_each_file'] / 1e9:.2g} GB"
    ours, peer = times["geojax stream_merge"], times["numpy copy and add"]
    yield Row("merging files of weights, streamed", size, ours, {"a numpy loop": peer}, memory)


def manifolds(report):
    rows = dict(report["rows"])
    plain = rows.pop("stiefel qr")["geojax"]
    for what, found in rows.items():
        error = {name: entry.get("largest relative error", 0) for name, entry in found.items()}
        bad = [name for name in found if error[name] > max(1e-6, 10 * error["geojax"])]
        peers = {name: milliseconds(entry) for name, entry in found.items() if name not in ("geojax", *bad)}
        if what == "stiefel polar retraction":
            peers["QR by jnp"] = milliseconds(plain)
        note = f"wrong at small angles: {', '.join(bad)}" if bad else ""
        size = report.get("sizes", {}).get(what, report["dtype"])
        yield Row(what, size, milliseconds(found["geojax"]), peers, note)


def riemannian(report):
    sizes = report["sizes"]
    peers = {
        name: row["all_problems_ms"] for name, row in report["peers"].items() if row["worst_gap"] <= 1e-8
    }
    size = f"{sizes['problems']} problems, {sizes['n']} x {sizes['k']}, float64"
    ours = min(
        (milliseconds(row), name)
        for name, row in report["geojax"].items()
        if name.endswith("float64") and row["worst_gap"] <= 1e-8
    )
    yield Row("dominant subspaces, whole solves", size, ours[0], peers, ours[1].partition(",")[0])


def inference(report):
    for row in report["rows"]:
        peers = {"tracing by JAX alone": 1e3 * row["tracing_median_s"]}
        size = f"{row['blocks']} blocks, {row['equations']} equations"
        yield Row("`infer` on a transformer", size, 1e3 * row["infer_median_s"], peers)


def linear_maps(report):
    """Layers on weights, and all diagrams of O(n); what a plain mixing of channels takes is in the note."""
    for row in report["networks"]:
        for what in ("forward", "gradient"):
            time = row[what]
            pass_ms = number(milliseconds(time["one pass"]))
            peers = {"UNF, written from the paper": milliseconds(time["UNF"])}
            size = f"{row['net']}, {row['maps']} maps, {row['channels']} channels"
            yield Row(
                f"equivariant layer on weights, {what}",
                size,
                milliseconds(time["geojax"]),
                peers,
                f"mixing the channels alone takes {pass_ms}",
            )
    for row in report["tensors"]:
        time, size = row["time"], f"n = {row['n']}, {row['maps']} diagrams"
        peers = {"dense matrix": milliseconds(time["dense matrix"])}
        warm = row["a call in a block, ms"]
        note = f"{warm['dense matrix'] / warm['geojax']:.0f}x in blocks of calls, each with a warm cache"
        yield Row("O(n)-equivariant maps, 3 axes to 3", size, milliseconds(time["geojax"]), peers, note)


def gaunt(report):
    """Products of functions on the sphere."""
    for row in report["rows"]:
        time = row["time"]
        peers = {name: milliseconds(found) for name, found in time.items() if name != "geojax"}
        firsts = ", ".join(
            f"{name} {found['first_ms'] / 1e3:.1f} s"
            for name, found in time.items()
            if name in ("geojax", "e3nn-jax")
        )
        size = f"degree {row['degree']}, {row['batch']} pairs, float32"
        yield Row(
            "product on the sphere", size, milliseconds(time["geojax"]), peers, f"first calls: {firsts}"
        )


def commutant(report):
    """Bases of maps between matrices; each is made once, so that these are first calls."""
    for name, row in report["rows"].items():
        peers = {"emlp": row["emlp_ms"]} if "emlp_ms" in row else {}
        yield Row(
            "basis of equivariant maps, 2 axes to 2", f"{name}, {row['maps']} maps", row["geojax_ms"], peers
        )


def alignment(report):
    """Warm weight matching; what the methods reach is in the file."""
    for part in ("mlp-128", "mlp-512"):
        rows = [row for row in report["rows"] if row["part"] == part]
        if not rows:
            continue

        def mean(method, entry, rows=rows):
            values = [entry(row) for row in rows if row["method"] == method]
            return sum(values) / len(values) if values else None

        def time(row):
            return 1e3 * row["seconds"]["median"]

        names = ("git-re-basin", "PyPI rebasin")
        peers = {name: mean(name, time) for name in names if mean(name, time) is not None}
        barriers = {name: mean(name, lambda row: row["barrier"]) for name in ("weights", *peers)}
        note = "barriers " + ", ".join(
            f"{name.replace('weights', 'geojax')} {b:.3f}" for name, b in barriers.items()
        )
        yield Row(
            "weight matching of MLPs", part.replace("mlp-", "width "), mean("weights", time), peers, note
        )


def device(report):
    for row in report["rows"]:
        time = row["time"]
        peers = {name: milliseconds(found) for name, found in time.items() if name != "geojax"}
        yield Row(row["what"], row["size"], milliseconds(time["geojax"]), peers)


FILES = (
    transport,
    assignment,
    sliced,
    gaussian,
    gromov,
    manifolds,
    riemannian,
    inference,
    linear_maps,
    gaunt,
    commutant,
    alignment,
    io,
    device,
)


def machine(report):
    """Device or processor, threads, version of JAX and load in a line."""
    found = report["machine"]
    name = found.get("device") or found.get("cpu") or found.get("processor")
    count = found.get("threads") or found.get("cores") or found.get("cpus")
    jax = report.get("versions", {}).get("jax") or report.get("jax") or found.get("jax")
    load = found.get("load before", found.get("load"))
    parts = [
        f"{count} x {name}",
        f"jax {jax}" if jax else "",
        f"load {load[0]:.1f} at the start" if load else "",
    ]
    return ", ".join(part for part in parts if part)


def number(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def page():
    """The table, and below it the machines."""
    lines = [
        "# Results",
        "",
        "Written by `benchmarks/table.py` from the files beside it. Milliseconds of a warm call, medians. The peer is",
        "the fastest that is as accurate; the ratio is its time over that of geojax.",
        "",
        "<!-- --8<-- [start:table] -->",
        "| comparison | size | geojax | best peer | ratio | note | machine |",
        "|---|---|---|---|---|---|---|",
    ]
    machines = []
    for rows in FILES:
        path = RESULTS / f"{rows.__name__}.json"
        if not path.exists():
            continue
        report = json.loads(path.read_text())
        where = machine(report)
        if where not in machines:
            machines.append(where)
        for row in rows(report):
            peer, ratio = "", ""
            if row.peers:
                time, name = min((time, name) for name, time in row.peers.items())
                peer, ratio = f"{name} {number(time)}", number(time / row.ours)
            cells = (row.comparison, row.size, number(row.ours), peer, ratio, row.note)
            lines.append("| " + " | ".join((*cells, str(machines.index(where) + 1))) + " |")
    lines += ["", "Machines:", ""]
    lines += [f"{number}. {where}" for number, where in enumerate(machines, 1)]
    lines += ["<!-- --8<-- [end:table] -->"]
    images = Path("../../docs/images")
    lines += [
        "",
        "Time and memory against the size, with what the machine could do at best (`scaling.json`):",
        "",
    ]
    lines += [
        f"![{name}]({images / f'scaling-{name}.png'})" for name in ("transport", "manifolds", "symmetry")
    ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--print", action="store_true", help="write nothing")
    parser.add_argument("--check", action="store_true", help="exit with 1 where the page is out of date")
    options = parser.parse_args()
    text = page()
    print(text)
    if options.check:
        return int(not PAGE.exists() or PAGE.read_text() != text)
    if not options.print:
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
