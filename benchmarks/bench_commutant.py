"""Bases of equivariant maps between matrices, for groups given by generators, beside emlp.

    python benchmarks/bench_commutant.py [--quick] [--peer PYTHON]

Writes benchmarks/results/commutant.json. PYTHON is the interpreter of an environment that has emlp. A basis is made
once for a group, so that first calls are compared; the numbers of maps must be equal, and those of `diagrams` too.
"""

import argparse
import contextlib
import json
import tempfile
import time

import numpy as np
from record import save
from workers import Worker

from geojax.symmetry import commutant, diagrams


def skew(n, form=None):
    """Generators of the Lie algebra of the matrices that keep a form, one for each pair of axes."""
    form = np.ones(n) if form is None else np.asarray(form)
    found = []
    for i in range(n):
        for j in range(i):
            generator = np.zeros((n, n))
            generator[i, j], generator[j, i] = form[j], -form[i]
            found.append(generator)
    return found


def on_matrices(generators, elements=()):
    """How generators of a Lie algebra, and elements of a group, act on matrices as vectors."""
    return [np.kron(a, np.eye(len(a))) + np.kron(np.eye(len(a)), a) for a in generators] + [
        np.kron(g, g) for g in elements
    ]


def groups():
    shift, swap = np.roll(np.eye(6), 1, axis=0), np.eye(6)[[1, 0, 2, 3, 4, 5]]
    mirror = np.diag([-1.0, 1, 1, 1])
    return {
        "SO(3)": on_matrices(skew(3)),
        "O(4)": on_matrices(skew(4), [mirror]),
        "O(1,3)": on_matrices(skew(4, [-1, 1, 1, 1]), [mirror, -mirror]),
        "S_6": on_matrices([], [shift, swap]),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one group, and nothing written")
    parser.add_argument("--peer", metavar="PYTHON")
    options = parser.parse_args()
    rows, versions = {}, {}
    with contextlib.ExitStack() as stack:
        peer = None
        if options.peer:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            peer = stack.enter_context(Worker("emlp", options.peer, "emlp_peers.py", folder=folder))
            versions = peer.ask("versions")
        for name, generators in list(groups().items())[: 1 if options.quick else None]:
            begin = time.perf_counter()
            count = len(commutant([np.asarray(g, np.float32) for g in generators]))
            row = {"geojax_ms": 1e3 * (time.perf_counter() - begin), "maps": count}
            if peer is not None:
                row["emlp_ms"], other = peer.ask(name)
                assert other == count, (name, count, other)
            rows[name] = row
    assert options.quick or len(diagrams("permutation", 2, 2, 6)) == rows["S_6"]["maps"]
    assert options.quick or len(diagrams("orthogonal", 2, 2, 4)) == rows["O(4)"]["maps"]
    print(json.dumps(rows, indent=1))
    if not options.quick:
        save("commutant", {"rows": rows}, versions)


if __name__ == "__main__":
    main()
