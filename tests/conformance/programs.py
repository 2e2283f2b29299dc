"""The compiled programs of a case: two for all the checks of the default tier.

Nearly all the time that a check takes is compiling, so what can share a program does.

    the item's     result, differentiable number, and its derivative along a direction, at one item. It runs at every
                   item, at the points of the difference quotients, and with each NaN.
    the batch's    results, numbers, and the gradient of their sum, at the items and the edge points together: each row
                   of that gradient is the gradient at one of them.

The first is forward mode without vmap and the second reverse mode through vmap, so that comparing them compares both.
Where derivatives fail to trace, both are made again without, and the failure is kept for the checks of derivatives.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.conformance.leaves import dot, plain, signature, stacked

if TYPE_CHECKING:
    from tests.conformance.case import Case

Run = dict[str, Any]


class Programs:
    """Compiled programs of one case, made when first asked for, and what they returned for its items."""

    def __init__(self, case: "Case"):
        self.case = case
        self.traces = 0

        def counted(*arguments: Any) -> Any:
            self.traces += 1
            return case(*arguments)

        self.function = jax.jit(counted)  # traced once for all the programs that call it
        self._items = {derivatives: jax.jit(self._item(derivatives)) for derivatives in (False, True)}
        self._batches = {derivatives: jax.jit(self._batch(derivatives)) for derivatives in (False, True)}

    def _number(self, chosen: tuple[Any, ...], item: tuple[Any, ...]) -> tuple[Any, Any]:
        result = self.function(*self.case.replaced(item, chosen))
        return self.case.combined(result), result

    def _item(self, derivatives: bool) -> Callable[..., Run]:
        case = self.case

        def program(item: tuple[Any, ...], tangents: tuple[Any, ...]) -> Run:
            if not derivatives:
                return {"result": self.function(*item)}
            chosen = case.chosen(item)
            if "forward_equals_reverse" in case.exemptions:
                (number, result), gradient = jax.value_and_grad(self._number, has_aux=True)(chosen, item)
                along = dot(gradient, tangents)
            else:
                number, along, result = jax.jvp(
                    lambda chosen: self._number(chosen, item), (chosen,), (tangents,), has_aux=True
                )
            if case.surrogate is not None:
                number = case.combined(case.surrogate(*item))
            return {"result": result, "number": number, "along": along}

        return program

    def _batch(self, derivatives: bool) -> Callable[..., Run]:
        case = self.case

        def total(chosen: tuple[Any, ...], rows: tuple[Any, ...]) -> tuple[Any, Any]:
            numbers, results = jax.vmap(self._number)(chosen, rows)
            return jnp.sum(numbers), (numbers, results)

        def program(rows: tuple[Any, ...]) -> Run:
            if not derivatives:
                return {"results": jax.vmap(self.function)(*rows)}
            (_, (numbers, results)), gradients = jax.value_and_grad(total, has_aux=True)(
                case.chosen(rows), rows
            )
            return {"results": results, "numbers": numbers, "gradients": gradients}

        return program

    # What they return.

    def at(self, item: tuple[Any, ...]) -> Run:
        """The item's program at any item, with derivatives where there are any."""
        if self.case.smooth and self.item_failure is None:
            return self._items[True](item, self.case.tangents[0])
        return self._items[False](item, ())

    def number(self, item: tuple[Any, ...]) -> Any:
        """The number whose difference quotients are compared."""
        self.along  # raises what went wrong
        return plain(self.at(item)["number"])

    @functools.cached_property
    def _item_runs(self) -> tuple[list[Run], Exception | None, int]:
        case, failure = self.case, None
        before = self.traces
        if case.smooth:
            try:
                runs = [self._items[True](*pair) for pair in zip(case.items, case.tangents)]
                return runs, None, self.traces - before
            except Exception as error:
                failure = error
                before = self.traces
        return [self._items[False](item, ()) for item in case.items], failure, self.traces - before

    @property
    def items(self) -> list[Run]:
        """The item's program at each of the items."""
        return self._item_runs[0]

    @property
    def item_failure(self) -> Exception | None:
        """What went wrong when the item's program was to hold derivatives."""
        return self._item_runs[1]

    @property
    def traces_of_items(self) -> int:
        """How often the function was traced for all the items."""
        return self._item_runs[2]

    @property
    def results(self) -> list[Any]:
        """Results under jit, item by item."""
        return [run["result"] for run in self.items]

    @property
    def along(self) -> list[Any]:
        """Derivatives along the directions, item by item."""
        if self.item_failure is not None:
            raise self.item_failure
        return [run["along"] for run in self.items]

    @functools.cached_property
    def _rows(self) -> tuple[list[Run], list[tuple[int, int]], Exception | None]:
        """Runs of the batch's program, and for each item and edge point the run and the row that hold it.

        Edge points that have the shapes of the items are in their run; others need a program for their shapes.
        """
        case = self.case
        points = [*case.items, *(case.points if case.smooth else [])]
        kinds: dict[Any, list[int]] = {}
        for index, point in enumerate(points):
            kinds.setdefault(signature(point), []).append(index)
        places = {
            index: (run, row)
            for run, members in enumerate(kinds.values())
            for row, index in enumerate(members)
        }
        rows = [stacked([points[index] for index in members]) for members in kinds.values()]
        failure = None
        if case.smooth:
            try:
                runs = [self._batches[True](row) for row in rows]
                return runs, [places[index] for index in range(len(points))], None
            except Exception as error:
                failure = error
        return [self._batches[False](rows[0])], [places[index] for index in range(len(case.items))], failure

    @property
    def batched_result(self) -> Any:
        """The results of all items under jit(vmap)."""
        size = len(self.case.items)
        return jax.tree.map(lambda leaf: plain(leaf)[:size], self._rows[0][0]["results"])

    def reverse(self, index: int) -> tuple[Any, Any]:
        """The number and the gradient at a point, by the gradient of the sum over the batch: items, then edges."""
        runs, places, failure = self._rows
        if failure is not None:
            raise failure
        run, row = places[index]
        pick = lambda leaf: np.asarray(leaf)[row]
        return pick(runs[run]["numbers"]), jax.tree.map(pick, runs[run]["gradients"])

    # Programs of the full tier.

    @functools.cached_property
    def slope(self) -> Callable[[tuple[Any, ...]], tuple[Any, Any]]:
        """Arguments -> the number and its gradient, under jit, without vmap."""

        def number(chosen: tuple[Any, ...], item: tuple[Any, ...]) -> Any:
            return self.case.combined(self.case(*self.case.replaced(item, chosen)))

        return jax.jit(lambda item: jax.value_and_grad(number)(self.case.chosen(item), item))

    @functools.cached_property
    def _leaves(self) -> tuple[Callable[..., list[Any]], dict[str, Any]]:
        structure = {}

        def leaves(*arguments: Any) -> list[Any]:
            """The leaves of a result: as a list they have the same names whichever way it was batched."""
            found, structure["result"] = jax.tree.flatten(self.case(*arguments))
            return found

        return leaves, structure

    @functools.cached_property
    def jit_of_vmap(self) -> Any:
        """The results under jit(vmap), of the function alone."""
        leaves, structure = self._leaves
        found = jax.jit(jax.vmap(leaves))(*self.case.batch)
        return jax.tree.unflatten(structure["result"], found)

    @functools.cached_property
    def vmap_of_jit(self) -> Any:
        """The results under vmap(jit): the compilation cache knows the program from jit_of_vmap."""
        leaves, structure = self._leaves
        found = jax.vmap(jax.jit(leaves))(*self.case.batch)
        return jax.tree.unflatten(structure["result"], found)
