"""The work of bench_commutant in emlp: run by the Python of that library, driven over its standard input.

    python emlp_peers.py

Answers "GROUP" with the milliseconds that a basis of the equivariant maps between matrices took, and their number.
"""

import time

from emlp.groups import O13, SO, O, S  # type: ignore[import-not-found]  # pyright: ignore
from emlp.reps import T  # type: ignore[import-not-found]  # pyright: ignore
from workers import serve

GROUPS = {"SO(3)": lambda: SO(3), "O(4)": lambda: O(4), "O(1,3)": lambda: O13(), "S_6": lambda: S(6)}


def answer(word):
    group = GROUPS[word]()
    begin = time.perf_counter()
    basis = (T(2)(group) >> T(2)(group)).equivariant_basis()
    return 1e3 * (time.perf_counter() - begin), int(basis.shape[1])


if __name__ == "__main__":
    serve(answer, "emlp", "jax")
