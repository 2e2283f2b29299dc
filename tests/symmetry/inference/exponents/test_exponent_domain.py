"""The exponents of every rule: inputs scaled, flipped or mapped linearly along their axes as one solution says."""

import dataclasses
import functools
import itertools
from fractions import Fraction

import jax
import numpy as np
import pytest

from geojax.symmetry.inference.dependence import Log
from geojax.symmetry.inference.exponents.carriers import Carrier
from geojax.symmetry.inference.exponents.equations import BinaryEquations, Equations
from geojax.symmetry.inference.exponents.exponent_domain import ExponentDomain
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.labels.interpreter import Interpreter
from geojax.symmetry.inference.labels.values import Value
from tests.symmetry.inference.labelling import Labelled, pieces, program_inputs, reblock
from tests.symmetry.inference.rules.test_rules import (
    PROGRAMS,
    body_of,
    compiled,
    labelled_of,
    numbered,
    same,
)

SMOOTH = ("normal", "unit", "large", "complex")


@dataclasses.dataclass
class ExponentRun:
    """A program run on exponents, its outputs not held."""

    labelled: Labelled
    interpreter: Interpreter
    exponents: ExponentDomain
    inputs: list[Value]
    outputs: list[Value]


@functools.cache
def run_of(number) -> ExponentRun:
    program, labelled, body = PROGRAMS[number], labelled_of(number), body_of(number)
    exponents = ExponentDomain(labelled.interpreter.loops)
    interpreter = Interpreter(exponents, stacks=True)
    inputs = []
    for draw, value in zip(program.inputs, labelled.inputs, strict=True):
        axes = tuple(exponents.with_unknowns(one) for one in value.axes)
        symbol = exponents.symbol()
        if draw.kind not in SMOOTH:
            for one in axes:
                exponents.stop(one)
            exponents.wholes.add({symbol: 1})
        inputs.append(Value(axes, whole=exponents.unknown(symbol)))
    for value in inputs:
        interpreter.record(value.axes)
    return ExponentRun(labelled, interpreter, exponents, inputs, interpreter.run(body, inputs))


def combined(basis, generator, modulus=0):
    """A random combination of solutions in small whole numbers."""
    total: dict[int, int] = {}
    for vector in basis:
        factor = int(generator.integers(0, 2) if modulus else generator.integers(-1, 2))
        for symbol, value in vector.items():
            total[symbol] = total.get(symbol, 0) + factor * value
    return {symbol: value % modulus if modulus else value for symbol, value in total.items()}


def scale_power(exponents, solution):
    return float(sum(value * solution.get(symbol, 0) for symbol, value in exponents.scale.items()))


def sign_power(exponents, solution):
    return (
        exponents.sign & sum(1 << symbol for symbol, value in solution.items() if value % 2)
    ).bit_count() % 2


def draw_numbers(run, solution, power, draw):
    """For each node numbers along it, of their own for each index of the nodes they may vary with."""

    def active(factor):
        return isinstance(factor, Carrier) and power(factor.exponents, solution) != 0

    varies = Log(run.interpreter).varies(active)
    order = {node: i for i, node in enumerate(run.labelled.nodes)}
    numbers = {}
    for node in run.labelled.nodes:
        others = sorted((o for o in varies.get(node, ()) if o in order), key=order.__getitem__)
        numbers[node] = (others, draw((*(other.size for other in others), node.size)))
    return numbers


def multiplied(value, array, numbers, power, solution):
    """The array with every block multiplied along its axes by the numbers to the power of the exponent."""

    def change(block, factors):
        nodes = [factor.node if isinstance(factor, Carrier) else None for factor in factors]
        everywhere = [getattr(factor, "node", factor) for factor in factors]
        grid = np.indices(block.shape, sparse=True)
        result = block
        for axis, factor in enumerate(factors):
            exponent = power(factor.exponents, solution) if isinstance(factor, Carrier) else 0
            if exponent == 0:
                continue
            others, table = numbers[nodes[axis]]
            assert all(everywhere.count(other) == 1 for other in others), (
                "what a scaling varies with is missing"
            )
            index = (*(grid[everywhere.index(other)] for other in others), grid[axis])
            result = result * table[index] ** exponent
        return result

    return reblock(value, array, change)


def compare(number, change_input, change_output, seed):
    """Outputs of changed inputs against changed outputs."""
    program, run, function = PROGRAMS[number], run_of(number), compiled(number)
    arrays = program_inputs(program, seed)
    changed = [
        change_input(value, array).astype(array.dtype) if draw.kind in SMOOTH else array
        for draw, value, array in zip(program.inputs, run.inputs, arrays, strict=True)
    ]
    for value, array, result in zip(run.outputs, function(*arrays), function(*changed), strict=True):
        if jax.dtypes.issubdtype(result.dtype, np.inexact):
            array = change_output(value, np.asarray(array)).astype(result.dtype)  # numpy compiles nothing
        assert same(array, result)


def rough(number):
    """Programs that round to fewer digits, where scalings are exact only up to that."""
    return PROGRAMS[number].name in ("bfloat16", "reduce precision")


def check_scalings(number):
    run = run_of(number)
    basis = run.exponents.scales.solutions(range(run.exponents.count))
    generator = np.random.default_rng(7)
    for seed in range(2):
        solution = combined(basis, generator)
        numbers = draw_numbers(
            run,
            solution,
            scale_power,
            lambda s: 2.0 ** generator.integers(-2, 3, s) if rough(number) else generator.uniform(0.5, 2, s),
        )
        change = lambda v, a, n=numbers, e=solution: multiplied(v, a, n, scale_power, e)
        compare(number, change, change, seed)


def check_signs(number):
    run = run_of(number)
    basis = run.exponents.signs.solutions(range(run.exponents.count))
    generator = np.random.default_rng(8)
    for seed in range(2):
        solution = combined(basis, generator, 2)
        numbers = draw_numbers(run, solution, sign_power, lambda s: generator.choice([-1.0, 1.0], s))
        change = lambda v, a, n=numbers, e=solution: multiplied(v, a, n, sign_power, e)
        compare(number, change, change, seed)


def check_wholes(number):
    run = run_of(number)
    basis = run.exponents.wholes.solutions(range(run.exponents.count))
    generator = np.random.default_rng(9)
    for seed in range(2):
        solution = combined(basis, generator)
        factor = 2.0 if rough(number) else 1.7

        def change(value, array, e=solution, t=factor):
            exponent = scale_power(value.whole, e) if value.whole else 0
            return array * t**exponent if exponent else array

        compare(number, change, change, seed)


def linear_maps(run):
    """Each free node that only linear operations touch, with the exponents of a general or an orthogonal map."""
    basis = run.exponents.scales.solutions(range(run.exponents.count))
    for node in run.labelled.nodes:
        found = [
            f
            for v in (*run.inputs, *run.outputs)
            for fs in pieces(v.axes)[1]
            for f in fs
            if isinstance(f, Carrier) and f.node is node
        ]
        if node.pin or node in run.exponents.nonlinear or not found or any(f.exponents.paired for f in found):
            continue
        symbols = {
            f.symbol
            for v in run.inputs
            for fs in pieces(v.axes)[1]
            for f in fs
            if isinstance(f, Carrier) and f.node is node
        }
        vectors = [dict(vector) for vector in basis if symbols & set(vector)]
        if not vectors:
            yield node, None
        for factors in itertools.islice(itertools.product((1, -1), repeat=min(len(vectors), 3)), 4):
            total: dict[int, int] = {}
            for factor, vector in zip(factors, vectors, strict=False):
                for symbol, value in vector.items():
                    total[symbol] = total.get(symbol, 0) + factor * value
            if all(scale_power(f.exponents, total) in (-1, 0, 1) for f in found) and all(
                abs(total.get(s, 0)) == 1 for s in symbols
            ):
                yield node, total


def mapped(run, value, array, node, matrices, solution):
    parents = run.labelled.parents[node]

    def change(block, factors):
        nodes = [getattr(factor, "node", factor) for factor in factors]
        for axis, factor in enumerate(factors):
            if not isinstance(factor, Carrier) or factor.node is not node:
                continue
            exponent = 1 if solution is None else scale_power(factor.exponents, solution)
            if exponent == 0:
                continue
            table = matrices if exponent == 1 else np.swapaxes(np.linalg.inv(matrices), -1, -2)
            rest = [other for k, other in enumerate(nodes) if k != axis]
            grid = np.indices([n for k, n in enumerate(block.shape) if k != axis], sparse=True)
            chosen = table[tuple(grid[rest.index(parent)] for parent in parents)]
            block = np.moveaxis(
                np.einsum("...ij,...j->...i", chosen, np.moveaxis(np.asarray(block), axis, -1)), -1, axis
            )
        return block

    return reblock(value, array, change)


def check_linear_maps(number):
    run = run_of(number)
    generator = np.random.default_rng(10)
    for node, solution in linear_maps(run) if not rough(number) else ():
        shape = (*(parent.size for parent in run.labelled.parents[node]), node.size, node.size)
        matrices = generator.normal(size=shape) + 2 * np.eye(node.size)
        if solution is None:
            matrices = np.linalg.qr(matrices)[0]
        change = lambda v, a, m=matrices, k=node, e=solution: mapped(run, v, a, k, m, e)
        compare(number, change, change, 3)


@numbered
def test_changed_inputs_give_changed_outputs(number):
    """Inputs scaled along axes, flipped, scaled as a whole, or mapped linearly, each as one solution says."""
    check_scalings(number)
    check_signs(number)
    check_wholes(number)
    check_linear_maps(number)


def count(number):
    """How many scalings along an axis, and how many linear maps, a program allows."""
    run = run_of(number)
    factors = [f for v in run.inputs for one in pieces(v.axes)[1] for f in one if isinstance(f, Carrier)]
    vectors = run.exponents.scales.solutions(range(run.exponents.count))
    along = {f.symbol for f in factors}
    return sum(bool(along & set(vector)) for vector in vectors), len(list(linear_maps(run)))


def test_ordinary_operations_allow_scalings_and_linear_maps():
    """The tests above must not pass for want of solutions."""
    names = {p.name: i for i, p in enumerate(PROGRAMS)}
    linear = (
        "transpose",
        "matrix product",
        "neg",
        "broadcast",
        "merge",
        "concatenate",
        "split",
        "sum",
        "convolution",
        "take rows",
    )
    for name in linear:
        scalings, maps = count(names[name])
        assert scalings and maps, name
    for name in (
        "max",
        "abs",
        "cumsum",
        "sqrt",
        "div",
        "mul",
        "pow half",
        "select",
        "custom jvp",
        "pool",
        "scan, constants",
    ):
        assert count(names[name])[0], name
    for name in ("tanh", "exp", "floor", "clamp"):
        assert count(names[name]) == (0, 0), name


def test_a_wrong_exponent_is_seen(monkeypatch):
    """The control: with squares said to keep the exponent, the test above must fail."""
    number = next(i for i, p in enumerate(PROGRAMS) if p.name == "square")
    monkeypatch.setattr(arithmetic, "power", lambda exponent: arithmetic.LINEAR)
    monkeypatch.setitem(arithmetic.UNARY, "square", arithmetic.LINEAR)
    run_of.cache_clear()
    with pytest.raises(AssertionError):
        check_scalings(number)
    run_of.cache_clear()


def random_rows(generator, rows, columns):
    return generator.integers(-2, 3, (rows, columns))


@pytest.mark.parametrize("seed", range(8))
def test_solutions_span_the_null_space(seed):
    """Against the singular values of the same equations as a matrix."""
    generator = np.random.default_rng(seed)
    rows = random_rows(generator, 5, 7)
    equations = Equations()
    for row in rows:
        equations.add({i: Fraction(int(v)) for i, v in enumerate(row) if v})
    basis = [[vector.get(i, 0) for i in range(7)] for vector in equations.solutions(range(7))]
    assert len(basis) == 7 - np.linalg.matrix_rank(rows)
    assert not np.any(rows @ np.array(basis).T)
    assert np.linalg.matrix_rank(np.array(basis)) == len(basis)


@pytest.mark.parametrize("seed", range(8))
def test_binary_solutions_are_all_of_them(seed):
    """Against trying every assignment."""
    generator = np.random.default_rng(seed)
    masks = [int(m) for m in generator.integers(1, 2**6, 4)]
    equations = BinaryEquations()
    for mask in masks:
        equations.add(mask)
    basis = [sum(1 << i for i in vector) for vector in equations.solutions(range(6))]
    spanned = {
        functools.reduce(lambda a, b: a ^ b, chosen, 0)
        for k in range(len(basis) + 1)
        for chosen in itertools.combinations(basis, k)
    }
    brute = {x for x in range(2**6) if all((x & mask).bit_count() % 2 == 0 for mask in masks)}
    assert spanned == brute


def test_law_a_reduced_form_has_the_same_value_on_every_solution_and_no_unknown_that_an_equation_gives():
    random = np.random.default_rng(0)
    for _ in range(20):
        rational, binary = Equations(), BinaryEquations()
        for row in random.integers(-2, 3, size=(4, 8)):
            rational.add({symbol: Fraction(int(value)) for symbol, value in enumerate(row) if value})
            binary.add(sum(1 << symbol for symbol, value in enumerate(row) if value % 2))
        row = random.integers(-2, 3, size=8)
        form = {symbol: Fraction(int(value)) for symbol, value in enumerate(row) if value}
        reduced = rational.reduced(form)
        assert not reduced.keys() & rational.pivots.keys()
        for solution in rational.solutions(range(8)):
            one, other = (sum(v * solution.get(s, 0) for s, v in f.items()) for f in (form, reduced))
            assert one == other
        mask = sum(1 << symbol for symbol in form)
        least = binary.reduced(mask)
        assert not any(least >> symbol & 1 for symbol in binary.pivots)
        for solution in binary.solutions(range(8)):
            ones = sum(1 << symbol for symbol in solution)
            assert (mask & ones).bit_count() % 2 == (least & ones).bit_count() % 2
