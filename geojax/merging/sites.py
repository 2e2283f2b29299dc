"""Where a network's units are written: the values before nonlinearities, and the leaves that scale and shift them.

The program is read once, on leaf names instead of arrays. A *chain* begins where a contraction with a leaf, or a
product with one, makes an array with an axis of units; it goes on through reshapes, biases and gains, and ends at the
first operation that is not affine in those leaves. The array there is a *site*.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from geojax.symmetry import jaxprs


MIXED = -1


@dataclasses.dataclass(frozen=True)
class Term:
    """A leaf as a part of a value: ``axes`` says for each dimension which axis of the leaf runs along it.

    None is no axis, `MIXED` several that a reshape has merged.
    """

    leaf: int
    axes: tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Factor:
    """A value that is a product of leaves and, perhaps, of 1 / sqrt(variance + epsilon).

    ``root`` says how far that has come: "" for no variance, "+" for v + epsilon, "sqrt" for its root, "rsqrt" for one
    over it; a factor is multiplied with only in the first and the last case.
    """

    terms: tuple[Term, ...]
    variance: Term | None = None
    epsilon: Any = 0.0
    root: str = ""


@dataclasses.dataclass(frozen=True)
class Chain:
    """A value with an axis of units for each of ``units`` (its dimensions).

    Multiplying every leaf of ``scales`` along the units by s multiplies the value by s; adding c to the leaf ``shift``
    adds c. ``mean`` is the leaf that has just been subtracted, at the position ``centred``.
    """

    units: tuple[int, ...]
    scales: tuple[Term, ...] = ()
    shift: Term | None = None
    mean: Term | None = None
    centred: int = -1


Kind = Factor | Chain | None


@dataclasses.dataclass(frozen=True)
class Info:
    """What is known of a value.

    ``leaves`` are those it depends on, ``data`` whether it depends on the inputs, ``position`` where it was made.
    """

    kind: Kind = None
    leaves: frozenset[int] = frozenset()
    data: bool = False
    position: int = -1


@dataclasses.dataclass(frozen=True)
class Site:
    """A value whose statistics can be set: leaves are given with their axes in the order of ``units``."""

    units: tuple[int, ...]
    scales: tuple[tuple[int, tuple[int, ...]], ...]
    shift: tuple[int, tuple[int, ...]] | None


@dataclasses.dataclass(frozen=True)
class Standardisation:
    """A batch normalisation with running statistics: (value - mean) / sqrt(variance + epsilon).

    ``centred`` is the position of the subtraction, ``scaled`` that of the division, ``units`` the value's dimensions
    along which the statistics run; leaves come with their axes in that order.
    """

    centred: int
    scaled: int
    units: tuple[int, ...]
    mean: tuple[int, tuple[int, ...]]
    variance: tuple[int, tuple[int, ...]]
    epsilon: Any


@dataclasses.dataclass(frozen=True)
class Reading:
    """What reading a program found: sites by position, and standardisations."""

    sites: dict[int, Site]
    standardisations: tuple[Standardisation, ...]


def read(program: jaxprs.Body, shapes: Sequence[tuple[int, ...]], hidden: Sequence[frozenset[int]]) -> Reading:
    """Finds the sites of a program whose first inputs are the leaves.

    Positions count the equations that are no calls, in the order in which they run. ``hidden`` holds for each leaf its
    axes of hidden units; only those are sites. A leaf that is read more than once, or that two sites would change,
    belongs to none.
    """
    reader = _Reader()
    given = [Info(_leaf(i, shape), frozenset([i])) for i, shape in enumerate(shapes)]
    inputs = [Info(data=True)] * (len(program.jaxpr.invars) - len(shapes))
    outputs = reader.walk(program, given + inputs)
    for info in outputs:
        reader.consume(info)
    taken: set[int] = set()
    sites = {}
    for position in sorted(reader.ends):
        site = _site(reader.ends[position])
        if site is None or not any(set(axes) & hidden[leaf] for leaf, axes in site.scales):
            continue
        changed = {leaf for leaf, _ in site.scales}
        if not changed & taken and all(reader.reads[leaf] == 1 for leaf in changed):
            sites[position] = site
            taken |= changed
    found = [s for s in reader.standardisations if reader.reads[s.mean[0]] == reader.reads[s.variance[0]] == 1]
    return Reading(sites, tuple(found))


def _leaf(number: int, shape: tuple[int, ...]) -> Factor:
    return Factor((Term(number, tuple(axis if n > 1 else None for axis, n in enumerate(shape))),))


def _site(chain: Chain) -> Site | None:
    if not chain.scales:
        return None
    placed = lambda term: (term.leaf, tuple(term.axes[unit] for unit in chain.units))
    return Site(chain.units, tuple(map(placed, chain.scales)), None if chain.shift is None else placed(chain.shift))


class _Reader:
    """Walks a program and keeps what it meets."""

    def __init__(self) -> None:
        self.clock = -1
        self.reads: dict[int, int] = {}
        self.ends: dict[int, Chain] = {}
        self.standardisations: list[Standardisation] = []

    def walk(self, body: jaxprs.Body, infos: Sequence[Info]) -> list[Info]:
        env = dict(zip(body.jaxpr.invars, infos, strict=True))

        def known(var: Any) -> Info:
            return Info() if isinstance(var, jaxprs.Literal) else env.get(var, Info())

        for eqn in body.jaxpr.eqns:
            inputs = [known(var) for var in eqn.invars]
            inner = jaxprs.call(eqn)
            outputs = self.walk(inner, inputs) if inner is not None else self.step(eqn, inputs)
            env.update(zip(eqn.outvars, outputs, strict=True))
        return [known(var) for var in body.jaxpr.outvars]

    def step(self, eqn: Any, inputs: list[Info]) -> list[Info]:
        self.clock += 1
        rule = _RULES.get(eqn.primitive.name)
        kind = rule(self, eqn, *inputs) if rule is not None else None
        leaves = frozenset().union(*(info.leaves for info in inputs))
        for info in inputs:
            if not isinstance(kind, Factor) and isinstance(info.kind, Factor):
                self.consume(info)
            if kind is None and isinstance(info.kind, Chain):
                self.consume(info)
        data = any(info.data for info in inputs)
        return [Info(kind if i == 0 else None, leaves, data, self.clock) for i in range(len(eqn.outvars))]

    def consume(self, info: Info) -> None:
        """Notes that an operation outside the chain reads a value."""
        if isinstance(info.kind, Factor):
            for term in (*info.kind.terms, *filter(None, [info.kind.variance])):
                self.reads[term.leaf] = self.reads.get(term.leaf, 0) + 1
        elif isinstance(info.kind, Chain) and info.position >= 0:
            self.ends.setdefault(info.position, info.kind)


_RULES: dict[str, Callable[..., Kind]] = {}


def _rule(*names: str) -> Callable[[Callable[..., Kind]], Callable[..., Kind]]:
    def register(function: Callable[..., Kind]) -> Callable[..., Kind]:
        for name in names:
            _RULES[name] = function
        return function

    return register


# -- moving dimensions --------------------------------------------------------------------------------------------


def _moved(kind: Kind, where: dict[int, int], rank: int) -> Kind:
    """The kind of a value whose dimension d has become ``where[d]`` of ``rank``; None where one of its own is lost."""

    def term(old: Term | None) -> Term | None:
        if old is None:
            return None
        axes: list[int | None] = [None] * rank
        for dim, axis in enumerate(old.axes):
            if axis is not None:
                axes[where[dim]] = axis
        return Term(old.leaf, tuple(axes))

    try:
        if isinstance(kind, Factor):
            return dataclasses.replace(kind, terms=tuple(map(term, kind.terms)), variance=term(kind.variance))
        if isinstance(kind, Chain):
            units = tuple(where[unit] for unit in kind.units)
            moved = {"shift": term(kind.shift), "mean": term(kind.mean)}
            return dataclasses.replace(kind, units=units, scales=tuple(map(term, kind.scales)), **moved)
    except KeyError:
        pass
    return None


@_rule("convert_element_type", "copy", "copy_p", "optimization_barrier")
def _same(reader: _Reader, eqn: Any, value: Info, *others: Info) -> Kind:
    return None if others or not jaxprs.is_float(eqn.outvars[0]) else value.kind


@_rule("transpose")
def _transpose(reader: _Reader, eqn: Any, value: Info) -> Kind:
    order = eqn.params["permutation"]
    return _moved(value.kind, {old: new for new, old in enumerate(order)}, len(order))


@_rule("broadcast_in_dim")
def _broadcast(reader: _Reader, eqn: Any, value: Info, *_: Info) -> Kind:
    shape, dims = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    kept = {old: new for old, new in enumerate(dims) if shape[new] == jaxprs.shape(eqn.invars[0])[old]}
    return _moved(value.kind, kept, len(shape))


@_rule("reshape", "squeeze", "expand_dims")
def _reshape(reader: _Reader, eqn: Any, value: Info) -> Kind:
    old, new = jaxprs.shape(eqn.invars[0]), jaxprs.shape(eqn.outvars[0])
    place = {(math.prod(new[:d]), n): d for d, n in enumerate(new) if n > 1}
    where = {d: place[key] for d, n in enumerate(old) if (key := (math.prod(old[:d]), n)) in place}
    if _is_leaf(value.kind):
        (term,) = value.kind.terms
        kept = {new_dim: term.axes[old_dim] for old_dim, new_dim in where.items()}
        return Factor((Term(term.leaf, tuple(kept.get(d, MIXED if n > 1 else None) for d, n in enumerate(new))),))
    return _moved(value.kind, where, len(new))


# -- beginning a chain --------------------------------------------------------------------------------------------


def _begun(reader: _Reader, kernel: Info, other: Info, where: dict[int, int], rank: int) -> Kind:
    """The chain of a contraction with a leaf, whose remaining dimensions go ``where``."""
    if not _is_leaf(kernel.kind) or not other.data:
        return None
    (term,) = kernel.kind.terms
    free = {dim: out for dim, out in where.items() if term.axes[dim] is not None}
    if any(term.axes[dim] == MIXED for dim in free):
        return None
    axes: list[int | None] = [None] * rank
    for dim, out in free.items():
        axes[out] = term.axes[dim]
    units = tuple(sorted(free.values()))
    if not units:
        return None
    reader.consume(other)
    return Chain(units, (Term(term.leaf, tuple(axes)),))


@_rule("dot_general")
def _dot(reader: _Reader, eqn: Any, lhs: Info, rhs: Info) -> Kind:
    contracted, batch = eqn.params["dimension_numbers"]
    ranks = [len(jaxprs.shape(var)) for var in eqn.invars]
    free = [[d for d in range(ranks[k]) if d not in (*contracted[k], *batch[k])] for k in range(2)]
    rank = len(batch[0]) + len(free[0]) + len(free[1])
    starts = (len(batch[0]), len(batch[0]) + len(free[0]))
    where = [
        {**{d: i for i, d in enumerate(batch[k])}, **{d: starts[k] + i for i, d in enumerate(free[k])}} for k in range(2)
    ]
    return _begun(reader, rhs, lhs, where[1], rank) or _begun(reader, lhs, rhs, where[0], rank)


@_rule("conv_general_dilated")
def _convolution(reader: _Reader, eqn: Any, images: Info, kernel: Info) -> Kind:
    numbers = eqn.params["dimension_numbers"]
    if eqn.params["batch_group_count"] != 1:
        return None
    where = {numbers.rhs_spec[0]: numbers.out_spec[1]}
    return _begun(reader, kernel, images, where, len(jaxprs.shape(eqn.outvars[0])))


# -- going on -----------------------------------------------------------------------------------------------------


def _is_leaf(kind: Kind) -> bool:
    return isinstance(kind, Factor) and len(kind.terms) == 1 and kind.variance is None


def _along(term: Term, units: Sequence[int]) -> bool:
    """Whether a term runs along exactly these dimensions, an axis along each."""
    return _dims(term) == tuple(sorted(units)) and MIXED not in term.axes


def _dims(term: Term) -> tuple[int, ...]:
    return tuple(dim for dim, axis in enumerate(term.axes) if axis is not None)


@_rule("add", "add_any")
def _add(reader: _Reader, eqn: Any, first: Info, second: Info) -> Kind:
    for value, other in ((first, second), (second, first)):
        if isinstance(value.kind, Chain) and _is_leaf(other.kind):
            (bias,) = other.kind.terms
            chain = value.kind
            if _along(bias, chain.units) and chain.mean is None:
                return dataclasses.replace(chain, scales=(*chain.scales, bias), shift=bias)
    for value, var in ((first, eqn.invars[1]), (second, eqn.invars[0])):
        if _is_leaf(value.kind) and isinstance(var, jaxprs.Literal):
            return Factor((), value.kind.terms[0], var.val, "+")
    return None


@_rule("sub")
def _subtract(reader: _Reader, eqn: Any, value: Info, other: Info) -> Kind:
    if not _is_leaf(other.kind) or not value.data:
        return None
    (mean,) = other.kind.terms
    units = _dims(mean)
    return Chain(units, mean=mean, centred=reader.clock) if units and _along(mean, units) else None


@_rule("sqrt", "rsqrt")
def _root(reader: _Reader, eqn: Any, value: Info) -> Kind:
    if isinstance(value.kind, Factor) and value.kind.root == "+":
        return dataclasses.replace(value.kind, root=eqn.primitive.name)
    return None


@_rule("mul")
def _multiply(reader: _Reader, eqn: Any, first: Info, second: Info) -> Kind:
    kinds = (first.kind, second.kind)
    if all(isinstance(kind, Factor) and kind.root in ("", "rsqrt") for kind in kinds):
        if any(kind.root for kind in kinds):
            rooted = next(kind for kind in kinds if kind.root)
            return dataclasses.replace(rooted, terms=(*kinds[0].terms, *kinds[1].terms))
        return None
    for value, other in ((first, second), (second, first)):
        if isinstance(other.kind, Factor):
            return _gained(reader, value, other.kind)
    for value, other in ((first, second), (second, first)):
        chain = value.kind
        if isinstance(chain, Chain) and chain.mean is None and not {t.leaf for t in chain.scales} & other.leaves:
            if isinstance(other.kind, Chain):
                reader.consume(other)
            return dataclasses.replace(chain, shift=None)
    return None


@_rule("div")
def _divide(reader: _Reader, eqn: Any, value: Info, other: Info) -> Kind:
    if isinstance(other.kind, Factor) and other.kind.root == "sqrt" and not other.kind.terms:
        return _gained(reader, value, dataclasses.replace(other.kind, root="rsqrt"))
    return None


def _gained(reader: _Reader, value: Info, factor: Factor) -> Kind:
    """The kind of a value times leaves, and over a standard deviation where the factor holds one."""
    if not value.data or factor.root not in ("", "rsqrt"):
        return None
    chain = value.kind if isinstance(value.kind, Chain) else None
    if factor.variance is not None:
        if chain is None or chain.mean is None or not _along(factor.variance, chain.units):
            return None
        _standardised(reader, chain, factor)
    elif chain is not None and chain.mean is not None:
        return None
    if len(factor.terms) != 1:
        return None
    (gain,) = factor.terms
    units = _dims(gain)
    return Chain(units, (gain,)) if units and _along(gain, units) else None


def _standardised(reader: _Reader, chain: Chain, factor: Factor) -> None:
    mean, variance = chain.mean, factor.variance
    assert mean is not None
    assert variance is not None
    placed = [(term.leaf, tuple(term.axes[unit] for unit in chain.units)) for term in (mean, variance)]
    reader.standardisations.append(
        Standardisation(chain.centred, reader.clock, chain.units, placed[0], placed[1], factor.epsilon)
    )
