"""meta_init: parameters from which a few steps of descent reach the solution of any task."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks
from geojax._core.loops import vary_with
from geojax._core.precision import rounded_once
from geojax.typing import Params, PyTree, Scalar


@rounded_once
def meta_init(
    loss: Callable[[Params, Any], Array],
    tasks: PyTree,
    theta0: Params,
    *,
    inner_rate: Scalar,
    inner_steps: int,
    rate: Scalar,
    num_steps: int,
    first_order: bool = False,
) -> Params:
    """Learns initial parameters for many tasks: MAML with its exact derivative, or Reptile.

    U(theta, i) = theta after ``inner_steps`` steps  theta <- theta - inner_rate * grad loss(theta, task_i)
    MAML:     theta <- theta - rate * grad_theta mean_i loss(U(theta, i), task_i)
    Reptile:  theta <- theta - rate * mean_i (theta - U(theta, i))

    Args:
        loss: A function loss(theta, task) that returns a scalar.
        tasks: A tree whose leaves have one leading axis of tasks.
        theta0: Where to start.
        inner_rate: Step size of a task's own descent.
        inner_steps: Number of steps of a task's own descent.
        rate: Step size of the initial parameters.
        num_steps: How often they are moved; each step reads all tasks.
        first_order: Reptile, which needs no second derivatives.

    Returns:
        The learned initial parameters, a tree like theta0.

    Raises:
        TypeError: If loss is no function, a number of steps no integer, or a leaf of theta0 no array.
        ValueError: If the tasks do not share a leading axis, or the loss is no scalar.

    Differentiation: exact, by unrolling; in theta0, tasks and both rates.
    Complexity: num_steps x tasks x inner_steps gradients; MAML keeps the inner steps of all tasks for its derivative.

    Example:
        >>> import jax.numpy as jnp
        >>> import geojax as gj
        >>> loss = lambda theta, center: jnp.sum((theta - center) ** 2) / 2
        >>> centers = jnp.array([[0.0, 1.0], [2.0, 5.0]])
        >>> theta = gj.metanets.meta_init(
        ...     loss, centers, jnp.zeros(2), inner_rate=0.1, inner_steps=2, rate=0.5, num_steps=60)
        >>> [round(float(entry), 3) for entry in theta]
        [1.0, 3.0]

    References: [Tancik2021], [Finn2017], [Nichol2018]
    """
    where = "meta_init"
    checks.function(where, "loss", loss, "Pass loss(theta, task), which returns a scalar.")
    checks.arrays_only(where, "theta0", theta0)
    checks.arrays_only(where, "tasks", tasks)
    inner_steps = checks.count(where, "inner_steps", inner_steps, minimum=0)
    num_steps = checks.count(where, "num_steps", num_steps, minimum=0)
    _check_tasks(where, loss, tasks, theta0)

    def adapted(theta: Params, task: Any) -> Params:
        def step(now: Params, _: None) -> tuple[Params, None]:
            return _descended(now, jax.grad(loss)(now, task), inner_rate), None

        return jax.lax.scan(step, vary_with(theta, task, inner_rate), length=inner_steps)[0]

    def mean_loss(theta: Params) -> Array:
        return jnp.mean(jax.vmap(lambda task: loss(adapted(theta, task), task))(tasks))

    def reptile(theta: Params) -> Params:
        moved = jax.vmap(lambda task: adapted(theta, task))(tasks)
        return jax.tree.map(lambda a, b: a - jnp.mean(b, 0), theta, moved)

    direction = reptile if first_order else jax.grad(mean_loss)

    def move(theta: Params, _: None) -> tuple[Params, None]:
        return _descended(theta, direction(theta), rate), None

    start = vary_with(jax.tree.map(jnp.asarray, theta0), tasks, inner_rate, rate)
    return jax.lax.scan(move, start, length=num_steps)[0]


def _descended(theta: Params, slope: Params, size: Scalar) -> Params:
    return jax.tree.map(lambda a, b: a - (size * b).astype(a.dtype), theta, slope)


def _check_tasks(where: str, loss: Callable[..., Any], tasks: PyTree, theta0: Params) -> None:
    sizes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(tasks)}
    if len(sizes) != 1 or () in sizes or (0,) in sizes:
        raise ValueError(
            f"{where}: the leaves of tasks have the leading axes {sorted(sizes)}; expected one axis of tasks that all "
            "share. Stack the tasks."
        )
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf)[1:], jnp.result_type(leaf)), tasks)
    out = jax.eval_shape(loss, theta0, one)
    if jnp.shape(out) != () or not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"{where}: loss(theta, task) is {checks.described(out)}; expected a scalar. Take its mean."
        )
