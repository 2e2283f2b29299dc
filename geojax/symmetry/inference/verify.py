"""verify: is a spec right? Random parameters, random elements, and a control that must fail."""

import math
from collections.abc import Callable, Collection, Iterable
from typing import Any

import jax
import numpy as np

from geojax.symmetry.action import door
from geojax.symmetry.action.facts import VerifyResult
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.probing.probe import Probe, largest, running_probe
from geojax.typing import Key, Params

DRAWS = 2
CONTROLS = 64


def verify(
    spec: SymmetrySpec, apply: Callable[..., Any], params: Params, *inputs: Any, key: Key
) -> VerifyResult:
    """Checks numerically that every group of a spec leaves a function unchanged.

    The parameters are redrawn around their values (so that initial zeros and ones hide nothing), twice; a random
    element of all groups together acts on them, and the outputs must agree to rounding. If they do not, bisection
    names the groups at fault. As a control each group moves one block of one leaf alone: the outputs must change. Where
    that changes nothing, as for a group that moves a single block, the block's entries along the group's axis are mixed
    instead, which is an element of no smaller group. The program is checked in float64 with all its casts to coarser
    types made finer, so that rounding hides nothing; where that cannot be, in float32, and at last in its own types. If
    no output is finite there is nothing to check: then ``change`` is NaN and the check has not passed.

    Args:
        spec: The symmetry to check, from `infer` or made by hand.
        apply: The function ``apply(params, *inputs)``.
        params: Parameters it takes, concrete arrays.
        *inputs: Its other arguments; floating-point ones are redrawn too.
        key: A typed key from `jax.random.key`.

    Returns:
        A `VerifyResult` of host numbers.

    Raises:
        TypeError: If an argument is of the wrong kind, such as params in the place of apply.
        ValueError: If ``params`` does not fit the spec.

    Differentiation: none; runs on the host, around a compiled function.
    Complexity: a handful of evaluations of ``apply`` and one for each group; one compilation.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> mlp = lambda p, x: jnp.tanh(x @ p[0]) @ p[1]
        >>> params, x = [jnp.ones((3, 4)), jnp.ones((4, 2))], jnp.ones((5, 3))
        >>> spec = gj.symmetry.infer(mlp, params, x, verify=False)
        >>> gj.symmetry.verify(spec, mlp, params, x, key=jax.random.key(0)).passed
        True

    References: [Ainsworth2022]
    """
    call = "verify(spec, apply, params, *inputs, key=key)"
    door.check_spec(call, spec)
    door.check_apply(call, apply)
    door.check_params(call, spec, params)
    door.check_key(call, key)
    if not spec.members:
        return VerifyResult(0.0, 0.0, float("inf"))
    return check(running_probe(spec, apply, params, inputs), key)


def check(probe: Probe, key: Key, *, doubtful: Collection[str] = ()) -> VerifyResult:
    """`verify`, with a control for each doubtful group, and for up to `CONTROLS` others."""
    names = [name for name, _ in probe.spec.members]
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    draws = [probe.draw(generator) for _ in range(DRAWS)]
    elements = [probe.element(generator) for _ in range(DRAWS)]

    def change(chosen: Iterable[str]) -> float:
        return largest(
            probe.change(draw, element, chosen) for draw, element in zip(draws, elements, strict=True)
        )

    if math.isnan(change(names)):
        return VerifyResult(math.nan, probe.tolerance, math.nan)
    failed = _culprits(change, names, probe.tolerance)
    kept = [name for name in names if name not in failed]
    tried = dict.fromkeys([*(name for name in kept if name in doubtful), *kept[:CONTROLS]])
    controls = {
        name: probe.control(draws[0], elements[0], name, mixing=name not in doubtful) for name in tried
    }
    blind = tuple(name for name, value in controls.items() if not probe.sees(value))
    seen = [value for name, value in controls.items() if name not in blind]
    return VerifyResult(
        change=change(kept) if kept else 0.0,
        tolerance=probe.tolerance,
        control=min(seen, default=float("inf")),
        failed=tuple(failed),
        blind=blind,
    )


def _culprits(change: Callable[[Iterable[str]], float], names: list[str], tolerance: float) -> list[str]:
    """The groups that change the function by themselves, found by halving."""
    if not names or change(names) <= tolerance:
        return []
    if len(names) == 1:
        return names
    half = len(names) // 2
    return (_culprits(change, names[:half], tolerance) + _culprits(change, names[half:], tolerance)) or names
