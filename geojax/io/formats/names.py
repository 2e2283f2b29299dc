"""Names for the arrays of a tree: the path of a leaf in the tree is the name of its tensor in a file."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from geojax._core.checks import described
from geojax._core.tree import is_array, is_key, leaf_pairs
from geojax.io.formats.errors import listed, shown
from geojax.typing import Params

__all__ = ["flatten", "unflatten"]


def flatten(params: Params, *, separator: str = "/") -> dict[str, Any]:
    """Names every array of a tree of parameters by its path.

    A path consists of dict keys, attribute names and positions, joined by the separator: ``layers/0/kernel``. With "/"
    the names are the paths of leaves in a `geojax.symmetry.SymmetrySpec`. A flat dict {name: array} is not changed.

    Args:
        params: Any tree: nested dicts and lists, flax variables, an nnx State, an equinox module.
        separator: The text between the parts of a path; files for torch have ".".

    Returns:
        {name: array} in the order of the tree; the arrays are not copied. Leaves that are not arrays are left out:
        functions, plain numbers, None.

    Raises:
        ValueError: If two leaves have the same name, as in ``{"a": {"b": x}, "a/b": y}``.
        TypeError: If a leaf holds random keys, which are not numbers.

    Differentiation: exact; the arrays are passed through.
    Complexity: linear in the number of leaves.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.io import flatten
        >>> sorted(flatten({"layers": [{"w": jnp.ones(2)}, {"w": jnp.ones(3)}]}, separator="."))
        ['layers.0.w', 'layers.1.w']

    References: none; a naming convention of files.
    """
    named: dict[str, Any] = {}
    for name, leaf in leaf_pairs(params, separator):
        if not is_array(leaf):
            continue
        if name in named:
            raise ValueError(
                f"flatten: two leaves of params have the name {shown(name)}; expected distinct names. "
                "Rename a key, or choose a separator that no key contains."
            )
        if is_key(leaf):
            raise TypeError(
                f"flatten: leaf {shown(name)} of params holds {leaf.dtype}; expected numbers. Turn keys into numbers "
                "with jax.random.key_data, or take parameters only, as nnx.state(model, nnx.Param) does."
            )
        named[name] = leaf
    return named


def unflatten(tensors: Mapping[str, Any], like: Params, *, separator: str = "/") -> Params:
    """Puts named arrays in their places in a tree: undoes `flatten`.

    Args:
        tensors: {name: array}. This may be a `Checkpoint`, which is read one tensor at a time.
        like: The tree to fill, of arrays or of ``jax.ShapeDtypeStruct`` as `jax.eval_shape` makes it.
        separator: The text between the parts of a path.

    Returns:
        A tree like ``like`` with the tensors in place of its arrays. Each is placed and sharded as the array that it
        replaces; numpy arrays are replaced by numpy arrays. Leaves that are not arrays are those of ``like``.

    Raises:
        ValueError: If tensors are missing, unexpected, or of another shape or dtype; one message names them all.

    Differentiation: none; the tensors are constants.
    Complexity: linear in the bytes; each tensor is copied once.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.io import flatten, unflatten
        >>> params = [jnp.ones(2), {"w": jnp.zeros(3)}]
        >>> unflatten(flatten(params), params)[1]["w"].tolist()
        [0.0, 0.0, 0.0]

    References: none; a naming convention of files.
    """
    wanted = flatten(like, separator=separator)
    problems = mismatches(getattr(tensors, "shapes", tensors), wanted)
    if problems:
        raise ValueError(
            f"unflatten: the tensors do not fit like, which has {len(wanted)} arrays:{listed(problems)}\n"
            "Pass tensors of the same model; cast them with .astype where only dtypes differ."
        )
    leaves = [
        _placed(tensors[name], leaf) if is_array(leaf) else leaf for name, leaf in leaf_pairs(like, separator)
    ]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def writable_only(where: str, params: Params) -> None:
    """Check that every leaf is an array, a number or text, which a checkpoint of flax or orbax can hold.

    Raises:
        TypeError: Naming the leaf.
    """
    for name, leaf in leaf_pairs(params):
        if not is_array(leaf) and not isinstance(leaf, bool | int | float | complex | str | bytes):
            raise TypeError(
                f"{where}: leaf {shown(name)} of params is {described(leaf)}; expected an array. "
                "Take such leaves out, or name the arrays with geojax.io.flatten and use save_safetensors."
            )


def mismatches(given: Mapping[str, Any], expected: Mapping[str, Any], *, dtypes: bool = True) -> list[str]:
    """A line for each name that is missing, unexpected, or of another shape or dtype."""
    lines = [f"missing: {shown(name)} {_kind(expected[name])}" for name in expected if name not in given]
    lines += [f"unexpected: {shown(name)} {_kind(given[name])}" for name in given if name not in expected]
    for name in expected:
        if name not in given:
            continue
        same = tuple(given[name].shape) == tuple(expected[name].shape)
        same = same and (not dtypes or given[name].dtype == expected[name].dtype)
        if not same:
            lines.append(f"{shown(name)}: got {_kind(given[name])}, expected {_kind(expected[name])}")
    return lines


def _kind(array: Any) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _placed(value: Any, leaf: Any) -> Any:
    """A copy of the numbers, placed as the leaf is."""
    if isinstance(leaf, np.ndarray):
        return np.array(value)
    # JAX may use numpy's memory as long as the array lives, but a view of a file may go away before: so copy.
    value = np.array(value) if isinstance(value, np.ndarray) else value
    return jax.device_put(value, getattr(leaf, "sharding", None))
