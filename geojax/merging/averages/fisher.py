"""Averages weighted by what each model knows: Fisher information, or the Gram matrices of a layer's inputs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, tree
from geojax.merging.aligned import permutations_onto_first
from geojax.merging.leaves import is_merged, map_stack, merged_only, stack_size, wide
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Key, Params, PyTree, Scalar

__all__ = ["diagonal_fisher", "fisher_average", "regmean"]


def diagonal_fisher(log_likelihood: Callable[..., Array], params: Params, *examples: PyTree) -> Params:
    """Diagonal of the empirical Fisher information: the mean square of each entry of the score.

    F = mean_n (d log p(example_n; theta) / d theta)^2.

    Args:
        log_likelihood: ``log_likelihood(params, *example)`` of one example, a scalar.
        params: Where to look, any pytree; only leaves of real numbers are differentiated.
        examples: Arrays or trees with a leading axis over the examples. Labels drawn from the model give the Fisher
            information itself in expectation, labels of the data the empirical one.

    Returns:
        A tree like params, nonnegative, None in place of leaves that are not real.

    Raises:
        ValueError: If there are no examples, or log_likelihood does not return a scalar.

    Differentiation: exact, a second derivative of log_likelihood.
    Complexity: one gradient an example, all at once under `jax.vmap`.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import diagonal_fisher
        >>> score = lambda mean, x: -0.5 * (x - mean) ** 2
        >>> float(diagonal_fisher(score, jnp.array(0.0), jnp.array([1.0, -1.0, 2.0])))
        2.0

    References: [Matena2022].
    """
    if not examples:
        raise ValueError(
            "diagonal_fisher: examples is empty; expected at least one array with an axis of examples."
        )

    def real(leaf: Any) -> bool:
        return is_merged(leaf) and not jnp.iscomplexobj(leaf)

    moving = jax.tree.map(lambda leaf: leaf if real(leaf) else None, params)

    def score(moving: Params, example: tuple[Any, ...]) -> Array:
        present = iter(jax.tree.leaves(moving))
        whole = jax.tree.map(lambda leaf: next(present) if real(leaf) else leaf, params)
        value = log_likelihood(whole, *example)
        checks.shapes("diagonal_fisher", **{"log_likelihood(params, *example)": (value, "")})
        return value

    scores = jax.vmap(jax.grad(score), in_axes=(None, 0))(moving, examples)
    return jax.tree.map(lambda leaf: jnp.mean(jnp.square(leaf), axis=0), scores)


def fisher_average(
    stack: Params, fishers: Params, *, spec: SymmetrySpec | None = None, key: Key | None = None
) -> Params:
    """Averages models entry by entry, each weighted by its Fisher information there.

    sum_i F_i theta_i / sum_i F_i:  the mode of the product of the Gaussians N(theta_i, 1 / F_i).

    Args:
        stack: The models as one tree with a leading axis of length k.
        fishers: Weights, a tree like stack, nonnegative, as `jax.vmap` of `diagonal_fisher` makes them; scale a model's
            to make it count more.
        spec: The symmetry of the function; if given, every model is first aligned with the first by `weight_matching`,
            and its weights move along. Only permutations take part: information has no sign, and another scale.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        One model. Entries whose weights are all zero are averaged evenly.

    Raises:
        ValueError: If trees or shapes disagree, or there is a spec without a key.

    Differentiation: exact in stack and fishers, with the alignment held.
    Complexity: linear in the parameters of all models.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import fisher_average
        >>> fisher_average(jnp.array([[0.0, 2.0], [4.0, 4.0]]), jnp.array([[1.0, 0.0], [3.0, 0.0]])).tolist()
        [3.0, 3.0]

    References: [Matena2022].
    """
    stack_size("fisher_average", stack)
    checks.same_tree("fisher_average", "fishers", merged_only(fishers), "stack", merged_only(stack))
    if spec is not None:
        spec, elements = permutations_onto_first("fisher_average", spec, stack, key)
        stack, fishers = (jax.vmap(partial(act, spec))(elements, models) for models in (stack, fishers))

    def merge(leaf: Array, weight: Array) -> Array:
        total = jnp.sum(weight, axis=0)
        some = total > 0
        mean = jnp.sum(weight * leaf, axis=0) / jnp.where(some, total, 1)
        # A NaN among the weights is no zero.
        return jnp.where(total == 0, jnp.mean(leaf, axis=0), jnp.where(some, mean, jnp.nan))

    return map_stack(merge, stack, fishers)


def regmean(
    stack: Params,
    grams: Params,
    *,
    shrink: Scalar = 0.9,
    spec: SymmetrySpec | None = None,
    key: Key | None = None,
) -> Params:
    """Merges linear layers so that the merged layer's outputs are closest to each model's on that model's inputs.

    W = (sum_i G_i)^-1 sum_i G_i W_i  minimises  sum_i |X_i W - X_i W_i|^2,  with the Gram matrices G_i = X_i^T X_i of
    the layer's inputs in model i, whose entries off the diagonal are multiplied by `shrink` first.

    Args:
        stack: The models as one tree with a leading axis of length k. Kernels are [k, n_in, ...].
        grams: A tree like stack: Gram matrices [k, n_in, n_in] in place of kernels, None in place of leaves that are to
            be averaged evenly.
        shrink: In [0, 1]; below 1 it keeps the sum of the Gram matrices definite, and keeps from overfitting them.
            Traced.
        spec: The symmetry of the function; if given, every model is first aligned with the first by `weight_matching`,
            and its Gram matrices move along. Only permutations take part: shrinking knows no other axes.
        key: Random key for the alignment; wanted with a spec only.

    Returns:
        One model. Where the sum of Gram matrices is singular the result is not finite.

    Raises:
        ValueError: If trees or shapes disagree, or there is a spec without a key.

    Differentiation: exact in stack, grams and shrink, with the alignment held.
    Complexity: one solve of size n_in a kernel.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import regmean
        >>> kernels, grams = jnp.array([[[1.0]], [[4.0]]]), jnp.array([[[2.0]], [[1.0]]])
        >>> regmean({"w": kernels, "b": jnp.array([0.0, 2.0])}, {"w": grams, "b": None})
        {'b': Array(1., dtype=float32), 'w': Array([[2.]], dtype=float32)}

    References: [Jin2023].
    """
    count = stack_size("regmean", stack)
    checks.shapes("regmean", shrink=(shrink, ""))
    found = tree.named_leaves(grams)
    unknown = sorted(set(found) - set(tree.named_leaves(stack)))
    if unknown:
        raise ValueError(
            f"regmean: grams has the leaf {unknown[0]!r}, which stack lacks; expected a tree like stack, with None in "
            "place of leaves to average."
        )

    for name, leaf in tree.named_leaves(stack).items():
        if name in found:
            n = leaf.shape[1] if leaf.ndim > 1 else 1
            checks.shapes("regmean", **{f"grams[{name!r}]": (found[name], f"{count} {n} {n}")})
    if spec is not None:
        spec, elements = permutations_onto_first("regmean", spec, stack, key)
        found = jax.vmap(partial(_moved_grams, spec))(elements, found, stack)
        stack = jax.vmap(partial(act, spec))(elements, stack)

    def merge(name: str, leaf: Any) -> Any:
        if name not in found or not is_merged(leaf):
            return map_stack(lambda x: jnp.mean(x, axis=0), leaf)
        dtype = wide(leaf.dtype)
        gram, kernels = jnp.asarray(found[name], dtype), jnp.asarray(leaf, dtype)
        n = gram.shape[1]
        eye = jnp.eye(n, dtype=dtype)
        gram = gram * (eye + jnp.asarray(shrink, dtype) * (1 - eye))
        right = jnp.einsum("kij,kjo->io", gram, kernels.reshape(count, n, -1))
        merged = jnp.linalg.solve(jnp.sum(gram, axis=0), right)
        return merged.reshape(kernels.shape[1:]).astype(leaf.dtype)

    return tree.map_named(merge, stack)


def _moved_grams(
    spec: SymmetrySpec, element: PyTree, grams: dict[str, Array], model: Params
) -> dict[str, Array]:
    """Gram matrices of the inputs of kernels whose rows an element permutes.

    What the element does to rows is read off a tree that holds in each entry the number of its row.
    """

    def rows(leaf: Any) -> Any:
        n = leaf.shape[0] if jnp.ndim(leaf) > 1 else 1
        return jnp.broadcast_to(jnp.arange(n).reshape(-1, *(1,) * (jnp.ndim(leaf) - 1)), jnp.shape(leaf))

    moved = tree.named_leaves(act(spec, element, jax.tree.map(rows, model)))
    order = {name: moved[name].reshape(len(gram), -1)[:, 0] for name, gram in grams.items()}
    return {name: gram[order[name]][:, order[name]] for name, gram in grams.items()}
