"""How each primitive continues chains: one rule for each primitive, ``rule(ledger, equation, *infos) -> kind``.

A primitive without a rule ends every chain that it reads.
"""

import dataclasses
import math
from typing import Any

from geojax._program import jaxprs
from geojax._program.walk import Rules
from geojax.merging.activations.chains import (
    MIXED,
    Chain,
    Factor,
    Info,
    Kind,
    Ledger,
    Standardisation,
    Term,
    along,
    dims,
    leaf_of,
    placed,
)

RULES = Rules()
_rule = RULES.register


# -- moving dimensions --------------------------------------------------------------------------------------------


def _with_dims_moved(kind: Kind, where: dict[int, int], rank: int) -> Kind:
    """The kind of a value after its dimension d became ``where[d]``; None if a dimension that it uses is lost."""

    def move(term: Term) -> Term:
        axes: list[int | None] = [None] * rank
        for dim, axis in enumerate(term.axes):
            if axis is not None:
                axes[where[dim]] = axis
        return Term(term.leaf, tuple(axes))

    try:
        if isinstance(kind, Factor):
            variance = None if kind.variance is None else move(kind.variance)
            return dataclasses.replace(kind, terms=tuple(map(move, kind.terms)), variance=variance)
        if isinstance(kind, Chain):
            units = tuple(where[unit] for unit in kind.units)
            shift, mean = (None if term is None else move(term) for term in (kind.shift, kind.mean))
            return Chain(units, tuple(map(move, kind.scales)), shift, mean, kind.centred)
    except KeyError:
        pass
    return None


@_rule("convert_element_type", "copy", "copy_p", "optimization_barrier")
def _same(ledger: Ledger, eqn: Any, value: Info, *others: Info) -> Kind:
    return None if others or not jaxprs.is_float(eqn.outvars[0]) else value.kind


@_rule("transpose")
def _transpose(ledger: Ledger, eqn: Any, value: Info) -> Kind:
    order = eqn.params["permutation"]
    return _with_dims_moved(value.kind, {old: new for new, old in enumerate(order)}, len(order))


@_rule("broadcast_in_dim")
def _broadcast(ledger: Ledger, eqn: Any, value: Info, *_: Info) -> Kind:
    shape, places = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    kept = {old: new for old, new in enumerate(places) if shape[new] == jaxprs.shape(eqn.invars[0])[old]}
    return _with_dims_moved(value.kind, kept, len(shape))


@_rule("reshape", "squeeze", "expand_dims")
def _reshape(ledger: Ledger, eqn: Any, value: Info) -> Kind:
    old, new = jaxprs.shape(eqn.invars[0]), jaxprs.shape(eqn.outvars[0])
    place = {(math.prod(new[:d]), n): d for d, n in enumerate(new) if n > 1}
    where = {d: place[key] for d, n in enumerate(old) if (key := (math.prod(old[:d]), n)) in place}
    if (term := leaf_of(value.kind)) is not None:
        kept = {new_dim: term.axes[old_dim] for old_dim, new_dim in where.items()}
        axes = tuple(kept.get(d, MIXED if n > 1 else None) for d, n in enumerate(new))
        return Factor((Term(term.leaf, axes),))
    return _with_dims_moved(value.kind, where, len(new))


# -- beginning a chain --------------------------------------------------------------------------------------------


def _begun(ledger: Ledger, kernel: Info, other: Info, where: dict[int, int], rank: int) -> Kind:
    """The chain that begins at a contraction with a leaf; dimension d of the leaf becomes ``where[d]``."""
    term = leaf_of(kernel.kind)
    if term is None or not other.data:
        return None
    free = {dim: out for dim, out in where.items() if term.axes[dim] is not None}
    if any(term.axes[dim] == MIXED for dim in free):
        return None
    axes: list[int | None] = [None] * rank
    for dim, out in free.items():
        axes[out] = term.axes[dim]
    units = tuple(sorted(free.values()))
    if not units:
        return None
    ledger.consume(other)
    return Chain(units, (Term(term.leaf, tuple(axes)),))


@_rule("dot_general")
def _dot(ledger: Ledger, eqn: Any, lhs: Info, rhs: Info) -> Kind:
    contracted, batch = eqn.params["dimension_numbers"]
    ranks = [len(jaxprs.shape(var)) for var in eqn.invars]
    free = [[d for d in range(ranks[k]) if d not in (*contracted[k], *batch[k])] for k in range(2)]
    rank = len(batch[0]) + len(free[0]) + len(free[1])
    starts = (len(batch[0]), len(batch[0]) + len(free[0]))
    where = [
        {d: i for i, d in enumerate(batch[k])} | {d: starts[k] + i for i, d in enumerate(free[k])}
        for k in range(2)
    ]
    return _begun(ledger, rhs, lhs, where[1], rank) or _begun(ledger, lhs, rhs, where[0], rank)


@_rule("conv_general_dilated")
def _convolution(ledger: Ledger, eqn: Any, images: Info, kernel: Info) -> Kind:
    numbers = eqn.params["dimension_numbers"]
    if eqn.params["batch_group_count"] != 1:
        return None
    where = {numbers.rhs_spec[0]: numbers.out_spec[1]}
    return _begun(ledger, kernel, images, where, len(jaxprs.shape(eqn.outvars[0])))


# -- going on -----------------------------------------------------------------------------------------------------


@_rule("add", "add_any")
def _add(ledger: Ledger, eqn: Any, first: Info, second: Info) -> Kind:
    for value, other in ((first, second), (second, first)):
        chain, bias = value.kind, leaf_of(other.kind)
        if isinstance(chain, Chain) and chain.mean is None and bias is not None and along(bias, chain.units):
            return dataclasses.replace(chain, scales=(*chain.scales, bias), shift=bias)
    for value, var in ((first, eqn.invars[1]), (second, eqn.invars[0])):
        term = leaf_of(value.kind)
        if term is not None and isinstance(var, jaxprs.Literal):
            return Factor((), term, var.val, "+")
    return None


@_rule("sub")
def _subtract(ledger: Ledger, eqn: Any, value: Info, other: Info) -> Kind:
    mean = leaf_of(other.kind)
    if mean is None or not value.data:
        return None
    units = dims(mean)
    return Chain(units, mean=mean, centred=ledger.cursor.position) if units and along(mean, units) else None


@_rule("sqrt", "rsqrt")
def _root(ledger: Ledger, eqn: Any, value: Info) -> Kind:
    if isinstance(value.kind, Factor) and value.kind.root == "+":
        return dataclasses.replace(value.kind, root=eqn.primitive.name)
    return None


@_rule("mul")
def _multiply(ledger: Ledger, eqn: Any, first: Info, second: Info) -> Kind:
    if isinstance(first.kind, Factor) and isinstance(second.kind, Factor):
        for rooted, other in ((first.kind, second.kind), (second.kind, first.kind)):
            if rooted.root == "rsqrt" and other.root == "":
                return dataclasses.replace(rooted, terms=(*rooted.terms, *other.terms))
        return None
    for value, other in ((first, second), (second, first)):
        if isinstance(other.kind, Factor):
            return _gained(ledger, value, other.kind)
    for value, other in ((first, second), (second, first)):
        chain = value.kind
        if not isinstance(chain, Chain) or chain.mean is not None:
            continue
        if not {term.leaf for term in chain.scales} & other.leaves:
            if isinstance(other.kind, Chain):
                ledger.consume(other)
            return dataclasses.replace(chain, shift=None)
    return None


@_rule("div")
def _divide(ledger: Ledger, eqn: Any, value: Info, other: Info) -> Kind:
    if isinstance(other.kind, Factor) and other.kind.root == "sqrt" and not other.kind.terms:
        return _gained(ledger, value, dataclasses.replace(other.kind, root="rsqrt"))
    return None


def _gained(ledger: Ledger, value: Info, factor: Factor) -> Kind:
    """The kind of a value multiplied by a factor: by leaves, and by 1 / standard deviation if the factor holds it."""
    if not value.data or factor.root not in ("", "rsqrt"):
        return None
    chain = value.kind if isinstance(value.kind, Chain) else None
    if factor.variance is not None:
        if chain is None or chain.mean is None or not along(factor.variance, chain.units):
            return None
        leaves = [placed(term, chain.units) for term in (chain.mean, factor.variance)]
        standardisation = Standardisation(
            chain.centred, ledger.cursor.position, chain.units, *leaves, epsilon=factor.epsilon
        )
        ledger.standardisations.append(standardisation)
    elif chain is not None and chain.mean is not None:
        return None
    if len(factor.terms) != 1:
        return None
    (gain,) = factor.terms
    units = dims(gain)
    return Chain(units, (gain,)) if units and along(gain, units) else None
