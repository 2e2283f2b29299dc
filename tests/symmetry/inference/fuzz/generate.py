"""Random small programs of parameters, for judging `infer` without knowing what it ought to find.

`generate(seed)` draws a program: two to six parameter leaves of sizes 2, 3, 4 and 6, so that accidental matches of size
are common, one or two real inputs and an index input, and some dozen operations. While it draws, it runs the program in
numpy; what overflows, vanishes or fails there is drawn again.
"""

import numpy as np

from tests.symmetry.inference.fuzz.moves import read_out, write
from tests.symmetry.inference.fuzz.program import Program
from tests.symmetry.inference.fuzz.writer import LARGEST, Unsuitable, Writer


def generate(seed: int) -> Program:
    """The program of a seed: the first draw whose outputs depend on the parameters and stay in range."""
    random = np.random.default_rng(seed)
    while True:
        writer = Writer(random)
        try:
            write(writer)
            program = finish(writer, seed)
        except Unsuitable:
            continue
        if _suitable(program, random):
            return program


def finish(writer: Writer, seed: int) -> Program:
    """Reduces what nothing has read, to outputs that leave most axes behind."""
    unread = [
        i
        for i, value in enumerate(writer.values)
        if i not in writer.used and value.dtype.kind == "f" and writer.sources[i][0] == "step"
    ]
    outputs = [read_out(writer, i) for i in unread]
    return Program(seed, tuple(writer.sources), tuple(writer.steps), tuple(outputs))


def _suitable(program: Program, random: np.random.Generator) -> bool:
    _, inputs = program.draw(random)
    runs = [program.judge(program.draw(random)[0], inputs) for _ in range(3)]
    for outputs, largest in runs:
        if not all(np.all(np.isfinite(out)) and np.max(np.abs(out)) > 1e-2 for out in outputs):
            return False
        if not largest < LARGEST:
            return False
    return any(np.max(np.abs(a - b)) > 1e-2 for a, b in zip(runs[0][0], runs[1][0], strict=True))
