"""The transport simplex on the host, in numpy and float64: an optimal plan, and potentials that prove it.

A basis is a spanning tree of pairs (row, column). Masses are counted as whole numbers, so no flow is ever rounded, and
each row has a little more than it was given, less than one unit in all, which goes to one column. Then the flow along
every pair of every basis is positive: each step lowers the cost, no basis returns, and the search ends.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

UNITS = 1 << 60  # in which the mass is counted
CHEAPEST = 12  # columns of each row that the start looks at
LIMIT = 400  # steps for each row and column, after which the search gives up; it needs a few


class Optimum(NamedTuple):
    """A plan [n, m] with potentials f [n] and g [m], f_i + g_j <= C_ij, and whether the search came to its end."""

    plan: np.ndarray
    f: np.ndarray
    g: np.ndarray
    num_steps: int
    finished: bool


def network_simplex(costs: np.ndarray, a: np.ndarray, b: np.ndarray) -> Optimum:
    """The optimum for finite costs [n, m] and weights a, b >= 0 of the same positive sum up to rounding.

    Rows and columns of weight zero take no part; their potentials are the largest that are allowed.
    """
    rows, columns = np.flatnonzero(a > 0), np.flatnonzero(b > 0)
    mass = float(np.sum(a))
    units_a, units_b = _counted(a[rows]), _counted(b[columns])
    units_b[int(np.argmax(b[columns]))] += sum(units_a) - sum(units_b)
    part = costs[np.ix_(rows, columns)]
    tree = _Tree(part, units_a, units_b)
    num_steps, finished = tree.descend()
    plan = np.zeros(costs.shape)
    for i, j, units in tree.flows(units_a, units_b):
        plan[rows[i], columns[j]] = units / UNITS * mass
    f, g = np.empty(len(a)), np.empty(len(b))
    f[rows], g[columns] = tree.potential[: len(rows)], -tree.potential[len(rows) :]
    idle = np.flatnonzero(a <= 0)
    f[idle] = np.min(costs[np.ix_(idle, columns)] - g[columns], axis=1)
    idle = np.flatnonzero(b <= 0)
    g[idle] = np.min(costs[:, idle] - f[:, None], axis=0)
    return Optimum(plan, f, g, num_steps, finished)


def _counted(weights: np.ndarray) -> list[int]:
    """Weights as whole numbers, at least 1 each, of UNITS in all up to rounding."""
    return [max(1, int(share)) for share in np.rint(weights / np.sum(weights) * UNITS)]


class _Tree:
    """A spanning tree over the rows 0 .. n-1 and the columns n .. n+m-1, hanging from row 0.

    `flow[x]` is the mass between x and its parent; `potential` is f on rows and -g on columns, so that both ends of a
    moved part change by the same number.
    """

    def __init__(self, costs: np.ndarray, a: list[int], b: list[int]):
        self.costs, self.n, self.size = costs, len(a), len(a) + len(b)
        self.range = float(np.max(costs) - np.min(costs))
        # In finer units every row has one more, and the heaviest column all of these.
        fine_a, fine_b = [u * (self.n + 1) + 1 for u in a], [u * (self.n + 1) for u in b]
        fine_b[int(np.argmax(np.asarray(b, float)))] += self.n
        neighbours: list[list[tuple[int, int]]] = [[] for _ in range(self.size)]
        for i, j, units in _start(costs, fine_a, fine_b):
            neighbours[i].append((self.n + j, units))
            neighbours[self.n + j].append((i, units))
        self.parent, self.depth, self.flow = [-1] * self.size, [0] * self.size, [0] * self.size
        self.children: list[set[int]] = [set() for _ in range(self.size)]
        stack = [0]
        while stack:
            x = stack.pop()
            for y, units in neighbours[x]:
                if y != self.parent[x]:
                    self.parent[y], self.depth[y], self.flow[y] = x, self.depth[x] + 1, units
                    self.children[x].add(y)
                    stack.append(y)
        self.potential = np.zeros(self.size)

    def price(self) -> None:
        """The potentials of the tree: f_i + g_j = C_ij along its pairs, and f = 0 at its root."""
        costs, parent, n, potential = self.costs, self.parent, self.n, [0.0] * self.size
        for x in self.below(0)[1:]:
            y = parent[x]
            step = costs[x, y - n] if x < n else -costs[y, x - n]
            potential[x] = potential[y] + float(step)
        self.potential = np.asarray(potential)

    def below(self, top: int) -> list[int]:
        """A node and all that hang from it, parents first."""
        nodes = [top]
        for x in nodes:
            nodes.extend(self.children[x])
        return nodes

    def descend(self) -> tuple[int, bool]:
        """Exchange pairs until no pair is cheaper than its potentials; the number of exchanges, and whether none is."""
        # A potential is a sum along a path of at most `size` costs.
        slack = np.finfo(float).eps * self.size * self.range
        num_steps = 0
        while num_steps <= LIMIT * self.size:
            self.price()
            reduced = self.costs - self.potential[: self.n, None] + self.potential[self.n :]
            columns = np.argmin(reduced, axis=1)
            lowest = reduced[np.arange(self.n), columns]
            candidates = [int(i) for i in np.argsort(lowest) if lowest[i] < -slack]
            if not candidates:
                return num_steps, True
            for i in candidates:
                j = int(columns[i])
                gain = float(self.costs[i, j] - self.potential[i] + self.potential[self.n + j])
                if gain < -slack:
                    self.exchange(i, self.n + j, gain)
                    num_steps += 1
        return num_steps, False

    def exchange(self, row: int, column: int, gain: float) -> None:
        """Bring in the pair (row, column), as much as the cycle that it closes allows, and drop what is used up."""
        parent, depth, flow, n = self.parent, self.depth, self.flow, self.n
        x, y = row, column
        from_row, from_column = [], []  # the paths up to where they meet
        while x != y:
            if depth[x] >= depth[y]:
                from_row.append(x)
                x = parent[x]
            else:
                from_column.append(y)
                y = parent[y]
        # Above the row, rows send less to their parents and columns get more; above the column, it is the reverse.
        shrinking = [x for x in from_row if x < n] + [y for y in from_column if y >= n]
        leaving = min(shrinking, key=flow.__getitem__)
        amount = flow[leaving]
        for x in from_row:
            flow[x] += -amount if x < n else amount
        for y in from_column:
            flow[y] += -amount if y >= n else amount
        # The part that hung from the pair that is dropped hangs from the new one, turned about.
        inside, outside, path = (row, column, from_row) if leaving < n else (column, row, from_column)
        path = path[: path.index(leaving) + 1]
        self.children[parent[leaving]].remove(leaving)
        for lower, upper in zip(path[-2::-1], path[:0:-1]):
            self.children[upper].remove(lower)
            self.children[lower].add(upper)
            parent[upper], flow[upper] = lower, flow[lower]
        parent[inside], flow[inside] = outside, amount
        self.children[outside].add(inside)
        moved = self.below(inside)
        for x in moved:
            depth[x] = depth[parent[x]] + 1
        self.potential[moved] += gain if inside == row else -gain

    def flows(self, a: list[int], b: list[int]) -> Iterator[tuple[int, int, int]]:
        """The pairs of the tree with the masses that meet these weights."""
        rest = [*a, *(-units for units in b)]
        for x in reversed(self.below(0)[1:]):
            rest[self.parent[x]] += rest[x]
            row, column = (x, self.parent[x]) if x < self.n else (self.parent[x], x)
            yield row, column - self.n, abs(rest[x])


def _start(costs: np.ndarray, a: list[int], b: list[int]) -> Iterator[tuple[int, int, int]]:
    """A first tree: cheap pairs take all they can, and what is left is met in order."""
    left_a, left_b = list(a), list(b)
    few = min(CHEAPEST, costs.shape[1])
    near = np.argpartition(costs, few - 1, axis=1)[:, :few]
    rows = np.repeat(np.arange(len(a)), few)
    order = np.argsort(np.take_along_axis(costs, near, axis=1), axis=None)
    pairs = zip(rows[order].tolist(), near.reshape(-1)[order].tolist())
    for i, j in pairs:
        units = min(left_a[i], left_b[j])
        if units:
            left_a[i], left_b[j] = left_a[i] - units, left_b[j] - units
            yield i, j, units
    i = j = 0
    while True:
        while i < len(a) and not left_a[i]:
            i += 1
        while j < len(b) and not left_b[j]:
            j += 1
        if i == len(a) or j == len(b):
            return
        units = min(left_a[i], left_b[j])
        left_a[i], left_b[j] = left_a[i] - units, left_b[j] - units
        yield i, j, units
