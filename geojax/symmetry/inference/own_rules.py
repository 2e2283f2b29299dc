"""rule: how labels pass through a primitive of the user's own; check_rule: whether that is true."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jaxtyping import Array

from geojax._core import checks
from geojax._core.tree import is_numeric
from geojax._program import jaxprs
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.symmetry.inference.build import build
from geojax.symmetry.inference.labels.interpreter import OWN, RULES, Interpreter
from geojax.symmetry.inference.labels.values import Value
from geojax.symmetry.inference.tracing import trace
from geojax.symmetry.inference.verify import verify
from geojax.typing import Key

DRAWS = 3
"""How often the arguments and the group elements are redrawn."""

Rule = TypeVar("Rule", bound=Callable[..., Any])


class RuleError(ValueError):
    """A rule that returns something other than the values of its primitive's outputs, or that is not sound."""


def rule(*primitives: str | Primitive) -> Callable[[Rule], Rule]:
    """Tells `infer` how labels pass through a primitive that it does not know; a decorator.

    The function under it is called as  ``rule(run, eqn, *values)``  with one value for each input of the equation
    ``eqn``, and returns the value of its output, or a list of them. A value has a label for each axis of its array,
    ``value.axes``. Equal labels say that one permutation, scaling or linear map moves both axes. The verbs of ``run``:

    * ``run.like(function, eqn, *values)``: the values that a JAX function of the same arrays gives. Enough for every
      primitive that has a reference in plain JAX (kernels, foreign calls).
    * ``run.hold(value.axes, dims, run.why(eqn, "is reversed"))``: entries along these axes are mixed or moved, so
      nothing may move them. The reason is shown in the table.
    * ``run.fixed(n, why)``: the label of an axis of the output that nothing moves.
    * ``run.fresh(var, why)``: the value of an output of which no axis may move.

    A rule is sound if inputs moved as labelled give outputs moved as labelled; `check_rule` tries that. Rules are kept
    for the whole process. A rule that is given again replaces the one before.

    Args:
        *primitives: The primitives, or their names.

    Returns:
        The decorator; the function under it stays as it is.

    Raises:
        TypeError: If a primitive is neither a name nor a ``jax.extend.core.Primitive``, or the rule is no function.
        ValueError: If no primitive is named, or geojax has a rule of its own for one.

    Differentiation: none; rules run on the host.
    Complexity: that of the rule, twice for each equation with the primitive.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> @gj.symmetry.rule("my_softcap")
        ... def softcap(run, eqn, x):
        ...     return run.like(lambda x: 30 * jnp.tanh(x / 30), eqn, x)

    References: [Ainsworth2022]
    """
    names = []
    for primitive in primitives:
        name = primitive if isinstance(primitive, str) else getattr(primitive, "name", None)
        if not isinstance(name, str):
            raise TypeError(
                f"rule: primitives holds {checks.described(primitive)}; expected a jax.extend.core.Primitive or its "
                'name. Write @rule("my_primitive") above the rule.'
            )
        names.append(name)
    if not names:
        raise ValueError('rule: no primitive is named. Write @rule("my_primitive") above the rule.')
    taken = [name for name in names if name in RULES]
    if taken:
        raise ValueError(
            f"rule: geojax has a rule for {', '.join(taken)}; give a rule for a primitive of your own."
        )

    def register(function: Rule) -> Rule:
        if not callable(function):
            raise TypeError(
                f"rule: the rule of {names[0]} is {checks.described(function)}; expected a function."
            )

        @functools.wraps(function)
        def checked(run: Interpreter, eqn: Any, *values: Value) -> list[Value]:
            try:
                result = function(run, eqn, *values)
            except Exception as error:
                raise RuleError(
                    f"the rule of {eqn.primitive.name} raised {type(error).__name__}: {error}"
                ) from error
            outputs = list(result) if isinstance(result, list | tuple) else [result]
            _check_outputs(eqn, outputs)
            return outputs

        OWN.register(*names)(checked)
        return function

    return register


def check_rule(function: Callable[..., Any], *inputs: Array, key: Key) -> SymmetrySpec:
    """Tries whether the rules of the primitives in a function are true; the test of soundness of `rule`.

    Reads the symmetry of  sum_k <w_k, y_k>  with  y = function(*inputs),  as a function of the inputs and of arrays
    w_k in the shapes of the outputs, and moves both by random elements of every group that the rules claim, several
    times. A rule that keeps the label of an axis whose entries its primitive mixes or moves is found out. A rule that
    holds more than it must is sound, and its axes are missing from the answer.

    Args:
        function: A function of arrays that uses the primitives; it must run under jit.
        *inputs: Arrays of the shapes to try it at. Floating-point numbers are redrawn.
        key: A typed key from `jax.random.key`.

    Returns:
        The symmetry that was claimed and holds: which axes of ``inputs/k`` move with which axes of ``outputs/k``.

    Raises:
        TypeError: If ``function`` is no function or an input no array.
        ValueError: If a primitive has no rule, or a rule is not sound; the message has what it claimed. If nothing
            that it gives is finite, there is nothing to compare.

    Differentiation: none; runs on the host.
    Complexity: a dozen evaluations of ``function``, compiled once.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import geojax as gj
        >>> spec = gj.symmetry.check_rule(lambda x: jnp.cumsum(x, axis=1), jnp.ones((4, 3)), key=jax.random.key(0))
        >>> [(group.kind, group.size) for group in spec.groups.values()]
        [('permutation', 4), ('general_linear', 4)]

    References: [Ainsworth2022]
    """
    where = "check_rule"
    checks.typed_key(where, key)
    if not callable(function):
        raise TypeError(f"{where}: function is {checks.described(function)}; expected a function of arrays.")
    for number, array in enumerate(inputs):
        if not is_numeric(array):
            raise TypeError(
                f"{where}: inputs[{number}] is {checks.described(array)}; expected an array of numbers."
            )
    outputs = jax.tree.leaves(jax.eval_shape(function, *inputs))
    params = {
        "inputs": list(inputs),
        "outputs": [jnp.ones(y.shape, jnp.result_type(y.dtype, jnp.float32)) for y in outputs],
    }

    def paired(params: Any) -> Array:
        results = jax.tree.leaves(function(*params["inputs"]))
        return sum((jnp.sum(w * y) for w, y in zip(params["outputs"], results, strict=True)), jnp.zeros(()))

    spec = build(trace(paired, params, ()))
    if spec.unknown:
        raise RuleError(
            f"{where}: no rule for {', '.join(spec.unknown)}. Write one with geojax.symmetry.rule."
        )
    for number in range(DRAWS):
        result = verify(spec, paired, params, key=jax.random.fold_in(key, number))
        if result.failed:
            claimed = spec.without(*(name for name in spec.groups if name not in result.failed))
            raise RuleError(
                f"{where}: not sound. These groups move inputs and outputs as the rules say, and the outputs of the "
                f"moved inputs are others (relative change above {result.tolerance:.0e}):\n{claimed.table()}\n"
                "Hold the axes along which the primitive mixes or moves entries, with run.hold."
            )
        if spec.members and not result.passed:
            raise RuleError(f"{where}: no output is finite, so nothing was tried. Give other inputs.")
    return spec


def _check_outputs(eqn: Any, outputs: list[Any]) -> None:
    """Checks that a rule returned one value of the right shape for each output of its primitive.

    Raises:
        RuleError: If it did not.
    """
    name = eqn.primitive.name
    shapes = [jaxprs.shape(var) for var in eqn.outvars]
    got = [value.shape if isinstance(value, Value) else checks.described(value) for value in outputs]
    if got != shapes:
        raise RuleError(
            f"the rule of {name} returned {got}; expected values with the shapes {shapes}, one for each output. "
            "Return run.like(function, eqn, *values), or values made of labels of the inputs and run.fixed(n, why)."
        )
