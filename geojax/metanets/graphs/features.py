"""Facts about the nodes and edges of a parameter graph that no permutation in the symmetry changes."""

import math
from typing import Any, NamedTuple

import numpy as np

from geojax.symmetry import Group, SymmetrySpec
from geojax.symmetry.action.layout import Block

FREE = ("permutation", "orthogonal", "general_linear")
"""Kinds of groups that hold all permutations."""

FREQUENCIES = 4.0 ** -np.arange(4)
NODE_FACTS = 7 + 2 * len(FREQUENCIES)
SLOT_FACTS = 11
BLOCK_FACTS = 7


class Facts(NamedTuple):
    """Facts about nodes [nodes, 15], about places in blocks [blocks, slots, 11], and about blocks [blocks, 7]."""

    nodes: np.ndarray
    slots: np.ndarray
    blocks: np.ndarray


def describe(
    spec: SymmetrySpec,
    pieces: list[tuple[int, Block, np.ndarray]],
    names: list[list[str]],
    axes: dict[str, tuple[int, ...]],
    groups: dict[str, list[Group]],
) -> Facts:
    """The facts, from the names of the axes of all blocks."""
    roles: dict[str, set[str]] = {name: set() for name in axes}
    pins = {(pin.path, pin.axis, pin.size): pin.primitive for pin in spec.pins}
    for (number, block, _), named in zip(pieces, names, strict=True):
        for part, name in zip(block.parts, named, strict=True):
            roles[name].add(pins.get((spec.leaves[number].path, part.axis, part.size), ""))
    depth = _depths(names, [name for name in axes if "input" in roles[name]])
    last = max(depth.values(), default=0) or 1
    nodes = [
        _axis_facts(
            roles[name], any(group.kind in FREE for group in groups.get(name, [])), depth[name] / last, shape
        )
        for name, shape in axes.items()
    ]
    width = max((len(named) for named in names), default=1) or 1
    slots, blocks = np.zeros((len(pieces), width, SLOT_FACTS)), np.zeros((len(pieces), BLOCK_FACTS))
    for row, ((_, block, _), named) in enumerate(zip(pieces, names, strict=True)):
        rank = min(len(named), 4)
        for slot, name in enumerate(named):
            others = [depth[other] for place, other in enumerate(named) if place != slot]
            deeper = np.sign(depth[name] - np.mean(others)) if others else 0
            slots[row, slot, [min(slot, 3), 3 + rank, 9 + int(deeper)]] = 1
        blocks[row, max(rank - 1, 0)] = 1
        blocks[row, 4] = any("input" in roles[name] for name in named)
        blocks[row, 5] = any("output" in roles[name] for name in named)
        blocks[row, 6] = math.log1p(math.prod(block.shape))
    return Facts(np.concatenate(nodes), slots, blocks)


def _axis_facts(roles: set[str], free: bool, depth: float, shape: tuple[int, ...]) -> np.ndarray:
    size = shape[-1]
    own = ["input" in roles, "output" in roles, free, not free, depth, math.log1p(size)]
    facts = np.zeros((math.prod(shape), NODE_FACTS))
    facts[:, : len(own)] = own
    if not free:
        place = np.arange(math.prod(shape)) % size
        waves = place[:, None] * FREQUENCIES
        facts[:, len(own) :] = np.concatenate([place[:, None] / size, np.sin(waves), np.cos(waves)], 1)
    return facts


def _depths(names: list[list[str]], starts: list[str]) -> dict[str, int]:
    """For each axis the number of leaves between it and an input; 0 where there is no way."""
    depth, front = dict.fromkeys(starts, 0), set(starts)
    while front:
        reached: dict[str, Any] = {}
        for named in names:
            if front & set(named):
                reached.update(dict.fromkeys(named))
        front = set(reached) - set(depth)
        steps = max(depth.values(), default=0) + 1
        depth.update(dict.fromkeys(sorted(front), steps))
    return {name: depth.get(name, 0) for named in names for name in named}
