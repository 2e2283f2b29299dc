"""Averages weighted by how much each parameter matters: Fisher information, or Gram matrices of a layer's inputs."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from geojax._core import checks, tree
from geojax._core.precision import rounded_once
from geojax.merging.aligned import WeightMatching, act_on_each, permutations_onto_first, stacked
from geojax.merging.leaves import as_stack, is_merged, map_stack, merged_only, model_of, stack_size, wide
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.spec import SymmetrySpec
from geojax.typing import Params, PyTree, Scalar

__all__ = ["diagonal_fisher", "fisher_average", "regmean"]


def diagonal_fisher(log_likelihood: Callable[..., Array], params: Params, *examples: PyTree) -> Params:
    """Diagonal of the empirical Fisher information: the mean square of each entry of the score.

    F = mean_n (d log p(example_n; theta) / d theta)^2.

    Args:
        log_likelihood: ``log_likelihood(params, *example)`` of one example, a scalar.
        params: The parameters, any pytree; only leaves of real numbers are differentiated.
        examples: Arrays or trees with a leading axis over the examples. Labels drawn from the model give the Fisher
            information itself in expectation, labels of the data the empirical one.

    Returns:
        A tree like params, nonnegative, with None in place of leaves that are not real.

    Raises:
        ValueError: If there are no examples, or log_likelihood does not return a scalar.

    Differentiation: exact, a second derivative of log_likelihood.
    Complexity: one gradient for each example, all at once under `jax.vmap`.

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
    return _mean_square(scores)


@rounded_once
def _mean_square(scores: Params) -> Params:
    return jax.tree.map(lambda leaf: jnp.mean(jnp.square(leaf), axis=0), scores)


def fisher_average(stack: Params, fishers: Params, *, align: WeightMatching | None = None) -> Params:
    """Averages models entry by entry, each weighted by its Fisher information there.

    sum_i F_i theta_i / sum_i F_i:  the mode of the product of the Gaussians N(theta_i, 1 / F_i).

    Args:
        stack: The models, a list of k, or one tree with a leading axis of length k.
        fishers: Nonnegative weights, a list or a tree like stack, from `diagonal_fisher` of each model. Scale the
            weights of a model to make it count more.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto the first, and its weights
            with it. Only permutations take part. Weights have no sign, and scale otherwise than parameters do.

    Returns:
        One model. An entry whose weights are all zero is the plain mean.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in stack and fishers, with the alignment held constant.
    Complexity: linear in the parameters of all models.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import fisher_average
        >>> fisher_average(jnp.array([[0.0, 2.0], [4.0, 4.0]]), jnp.array([[1.0, 0.0], [3.0, 0.0]])).tolist()
        [3.0, 3.0]

    References: [Matena2022].
    """
    stack, fishers = (stacked("fisher_average", align, models) for models in (stack, fishers))
    checks.same_tree("fisher_average", "fishers", merged_only(fishers), "stack", merged_only(stack))
    if align is not None:
        spec, elements = permutations_onto_first(align, stack)
        stack, fishers = (act_on_each(spec, elements, models) for models in (stack, fishers))

    def merge(leaf: Array, weight: Array) -> Array:
        total = jnp.sum(weight, axis=0)
        some = total > 0
        mean = jnp.sum(weight * leaf, axis=0) / jnp.where(some, total, 1)
        # With NaN among the weights neither comparison holds: the result is NaN.
        return jnp.where(total == 0, jnp.mean(leaf, axis=0), jnp.where(some, mean, jnp.nan))

    return map_stack(merge, stack, fishers)


def regmean(
    stack: Params,
    grams: Params,
    *,
    shrink: Scalar = 0.9,
    align: WeightMatching | None = None,
) -> Params:
    """Merges linear layers so that the merged layer's outputs are closest to each model's on that model's inputs.

    W = (sum_i G_i)^-1 sum_i G_i W_i  minimises  sum_i |X_i W - X_i W_i|^2,  where G_i = X_i^T X_i is the Gram matrix of
    the layer's inputs X_i in model i. The entries of G_i off the diagonal are multiplied by `shrink` first.

    Args:
        stack: The models, a list of k, or one tree with a leading axis of length k. Kernels are [k, n_in, ...].
        grams: A tree like stack, or a list of trees like the models: Gram matrices [k, n_in, n_in] in place of kernels,
            None in place of leaves to take the plain mean of.
        shrink: In [0, 1]; below 1 the sum of the Gram matrices is definite, and overfits less. Traced.
        align: Whether to align first: `WeightMatching(spec, key=key)` moves every model onto the first, and its Gram
            matrices with it. Only permutations take part, because `shrink` treats the diagonal of a Gram matrix apart.

    Returns:
        One model. A kernel whose sum of Gram matrices is singular is not finite.

    Raises:
        ValueError: If trees or shapes disagree.

    Differentiation: exact in stack, grams and shrink, with the alignment held constant.
    Complexity: one linear system of size n_in for each kernel.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.merging import regmean
        >>> kernels, grams = jnp.array([[[1.0]], [[4.0]]]), jnp.array([[[2.0]], [[1.0]]])
        >>> regmean({"w": kernels, "b": jnp.array([0.0, 2.0])}, {"w": grams, "b": None})
        {'b': Array(1., dtype=float32), 'w': Array([[2.]], dtype=float32)}

    References: [Jin2023].
    """
    checks.shapes("regmean", shrink=(shrink, ""))
    stack = stacked("regmean", align, stack)
    count, names = stack_size("regmean", stack), set(tree.named_leaves(stack))
    several = type(grams) in (list, tuple) and not set(tree.named_leaves(grams)) <= names
    given = tree.named_leaves(as_stack("regmean", grams) if several else grams)
    unknown = sorted(set(given) - names)
    if unknown:
        raise ValueError(
            f"regmean: grams has the leaf {unknown[0]!r}, which stack lacks; expected a tree like stack, with None in "
            "place of leaves to average."
        )

    for name, leaf in tree.named_leaves(stack).items():
        if name in given and not tree.is_numeric(leaf):
            raise ValueError(
                f"regmean: grams[{name!r}] is {checks.described(given[name])}, but the leaf {name!r} of stack is "
                f"{checks.described(leaf)}; expected None for a leaf that is no array."
            )
        if name in given:
            n = leaf.shape[1] if leaf.ndim > 1 else 1
            checks.shapes("regmean", **{f"grams[{name!r}]": (given[name], f"{count} {n} {n}")})
    if align is not None:
        spec, elements = permutations_onto_first(align, stack)
        model = model_of(stack)
        given = jax.vmap(lambda element, grams: _permuted_grams(spec, element, grams, model))(elements, given)
        stack = act_on_each(spec, elements, stack)

    def merge(name: str, leaf: Any) -> Any:
        if name not in given or not is_merged(leaf):
            return map_stack(lambda x: jnp.mean(x, axis=0), leaf)
        dtype = wide(leaf.dtype)
        gram, kernels = jnp.asarray(given[name], dtype), jnp.asarray(leaf, dtype)
        n = gram.shape[1]
        eye = jnp.eye(n, dtype=dtype)
        gram = gram * (eye + jnp.asarray(shrink, dtype) * (1 - eye))
        right = jnp.einsum("kij,kjo->io", gram, kernels.reshape(count, n, -1))
        merged = jnp.linalg.solve(jnp.sum(gram, axis=0), right)
        return merged.reshape(kernels.shape[1:]).astype(leaf.dtype)

    return tree.map_named(merge, stack)


def _permuted_grams(
    spec: SymmetrySpec, element: PyTree, grams: dict[str, Array], model: Params
) -> dict[str, Array]:
    """Gram matrices of the inputs of kernels whose rows an element permutes.

    How the element permutes the rows is read from a tree like the model in which each entry is the number of its row.
    """

    def row_numbers(leaf: Any) -> Any:
        if not tree.is_array(leaf):
            return leaf
        n = leaf.shape[0] if jnp.ndim(leaf) > 1 else 1
        return jnp.broadcast_to(jnp.arange(n).reshape(-1, *(1,) * (jnp.ndim(leaf) - 1)), jnp.shape(leaf))

    moved = tree.named_leaves(act(spec, element, jax.tree.map(row_numbers, model)))
    order = {name: moved[name].reshape(len(gram), -1)[:, 0] for name, gram in grams.items()}
    return {name: gram[order[name]][:, order[name]] for name, gram in grams.items()}
