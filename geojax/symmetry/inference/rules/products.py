"""Rules of sums of products: matrix products, convolutions, and the decompositions of linear algebra."""

from typing import Any

from geojax._program import jaxprs
from geojax.symmetry.inference.labels import arithmetic
from geojax.symmetry.inference.labels.axes import Label, Node, length
from geojax.symmetry.inference.labels.interpreter import Interpreter, rule
from geojax.symmetry.inference.labels.values import Value, vanishes, zeros


@rule("dot_general")
def dot_general(interpreter: Interpreter, eqn: Any, lhs: Value, rhs: Value, *_: Value) -> Value:
    """Paired axes are summed or kept in step, the others stay."""
    if vanishes([lhs, rhs]):
        return zeros(eqn)
    (left, right), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    why = interpreter.why(eqn, "is matched index by index")
    batch = [
        interpreter.paired(lhs.axes[i], rhs.axes[j], why)
        for i, j in zip(left_batch, right_batch, strict=True)
    ]
    interpreter.contract(eqn, [lhs.axes[i] for i in left], [rhs.axes[j] for j in right], batch)
    ours = [lhs.axes[i] for i in range(len(lhs.axes)) if i not in left and i not in left_batch]
    theirs = [rhs.axes[j] for j in range(len(rhs.axes)) if j not in right and j not in right_batch]
    interpreter.eliminate([lhs.axes[i] for i in left], [*ours, *batch])
    interpreter.eliminate([rhs.axes[j] for j in right], [*theirs, *batch])
    for kept in ([lhs.axes[i] for i in left_batch], [rhs.axes[j] for j in right_batch]):
        interpreter.record((*kept, *ours, *theirs))
    return Value((*batch, *ours, *theirs), whole=interpreter.whole_of_product(lhs, rhs))


@rule("conv_general_dilated")
def convolution(interpreter: Interpreter, eqn: Any, lhs: Value, rhs: Value) -> Value:
    """Channels are contracted group by group; an axis along which the window moves is held, before and after."""
    if vanishes([lhs, rhs]):
        return zeros(eqn)
    params = eqn.params
    numbers = params["dimension_numbers"]
    if params["batch_group_count"] != 1:
        return interpreter.give_up(eqn, [lhs, rhs], known=True)[0]
    lhs_axes = [lhs.axes[i] for i in numbers.lhs_spec]
    rhs_axes = [rhs.axes[i] for i in numbers.rhs_spec]
    spatial = _spatial(interpreter, eqn, lhs_axes[2:], rhs_axes[2:])
    groups = params["feature_group_count"]
    out = _channels(interpreter, eqn, lhs_axes[1], rhs_axes[1], rhs_axes[0], groups)
    passing = [label for label in lhs_axes[2:] if any(label is kept for kept in spatial)]
    moved_over = [label for label in lhs_axes[2:] if not any(label is kept for kept in spatial)]
    interpreter.eliminate([lhs_axes[1], *moved_over], [lhs_axes[0], *passing])
    interpreter.eliminate(rhs_axes[1:], rhs_axes[:1])
    if groups > 1:
        interpreter.eliminate(moved_over, [lhs_axes[1]])
        for channels in (lhs_axes[1], rhs_axes[0]):
            interpreter.record((lhs_axes[0], channels, *spatial))
    axes: list[Label] = [()] * len(lhs_axes)
    for position, label in zip(numbers.out_spec, [lhs_axes[0], out, *spatial], strict=True):
        axes[position] = label
    return Value(tuple(axes), whole=interpreter.whole_of_product(lhs, rhs))


def _channels(
    interpreter: Interpreter, eqn: Any, features: Label, inputs: Label, outputs: Label, groups: int
) -> Label:
    """Contracts the input channels with the kernel's and returns the label of the output channels."""
    if groups == 1:
        interpreter.contract(eqn, [features], [inputs], [])
        return outputs
    why = interpreter.why(eqn, "is divided into groups of channels")
    before = interpreter.regroup(features, (groups, length(features) // groups), why)
    after = interpreter.regroup(outputs, (groups, length(outputs) // groups), why)
    if before is None or after is None:
        for label in (features, inputs, outputs):
            interpreter.pin(label, why)
        return interpreter.fixed(length(outputs), why)
    group = interpreter.paired(before[0], after[0], why)
    interpreter.contract(eqn, [before[1]], [inputs], [group])
    return (*group, *after[1])


def _spatial(interpreter: Interpreter, eqn: Any, windows: list[Label], kernels: list[Label]) -> list[Label]:
    """The labels of the spatial axes of the output; an axis passes if the kernel has length 1 and stride 1 along it."""
    params = eqn.params
    why = interpreter.why(eqn, "is an axis that the window moves over")
    out_shape = jaxprs.shape(eqn.outvars[0])
    out = [out_shape[i] for i in params["dimension_numbers"].out_spec[2:]]
    labels = []
    for i, (label, kernel) in enumerate(zip(windows, kernels, strict=True)):
        plain = params["window_strides"][i] == 1 and tuple(params["padding"][i]) == (0, 0)
        plain &= params["lhs_dilation"][i] == 1 and length(kernel) == 1
        if plain:
            labels.append(label)
            continue
        interpreter.pin(label, why)
        interpreter.pin(kernel, why)
        labels.append(interpreter.fixed(out[i], why))
    return labels


@rule(
    *(
        "cholesky",
        "eigh",
        "eig",
        "qr",
        "svd",
        "lu",
        "schur",
        "hessenberg",
        "householder_product",
        "geqrf",
        "geqp3",
    ),
    *("triangular_solve", "tridiagonal", "tridiagonal_solve", "lu_pivots_to_permutation", "cholesky_update"),
)
def decomposition(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """Matrices are held; batch axes pass."""
    why = interpreter.why(eqn, "is an axis of a matrix that is decomposed")
    depth = len(values[0].axes) - 2
    if depth < 0 or any(len(value.axes) < depth for value in values):
        return interpreter.give_up(eqn, values, known=True)
    for value in values:
        interpreter.hold(value.axes, range(depth, len(value.axes)), why)
        interpreter.transform(eqn, value, arithmetic.NONLINEAR)
    batch: tuple[Label, ...] = values[0].axes[:depth]
    for value in values[1:]:
        batch = tuple(interpreter.unify(a, b, why) for a, b in zip(batch, value.axes[:depth], strict=True))
    results = []
    for var in eqn.outvars:
        own = tuple(interpreter.fixed(n, why) for n in jaxprs.shape(var)[depth:])
        results.append(Value((*batch, *own)))
    return results


@rule("custom_linear_solve")
def linear_solve(interpreter: Interpreter, eqn: Any, *values: Value) -> list[Value]:
    """The solution of a linear system.

    If it is solved directly, it moves so that its product with the matrix moves as the right side does. A system that
    is solved step by step is no more than what its steps compute.
    """
    parts = jaxprs.linear_solve(eqn)
    consts, sides = [values[i] for i in parts.consts], [values[i] for i in parts.sides]
    if not parts.direct:
        return interpreter.run(parts.body, [*consts, *sides])
    why = interpreter.why(eqn, "is matched index by index")
    unknown = [
        Value(tuple((Node(n),) if n > 1 else () for n in jaxprs.shape(v)), scalar=0) for v in eqn.outvars
    ]
    solution = interpreter.loop(unknown, why)
    for value in solution:
        interpreter.record(value.axes)
    for product, side in zip(interpreter.run(parts.body, [*consts, *solution]), sides, strict=True):
        interpreter.match(product, side, why)
    return solution
