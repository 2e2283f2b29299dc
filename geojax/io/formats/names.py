"""Names for the arrays of a tree: where a leaf lies in the tree is what its tensor is called in a file."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from geojax.io.formats.errors import listed, shown
from geojax.typing import Params

__all__ = ["flatten", "unflatten"]


def flatten(params: Params, *, separator: str = "/") -> dict[str, Any]:
    """Names every array of a tree of parameters by its path.

    Dict keys, attribute names and positions, joined by the separator: ``layers/0/kernel``. With "/" these are the paths
    that a `geojax.symmetry.SymmetrySpec` calls its leaves by. A dict keyed by tensor names is its own flattening.

    Args:
        params: Any tree: nested dicts and lists, flax variables, an nnx State, an equinox module.
        separator: What stands between the parts of a path; files for torch have ".".

    Returns:
        {name: array} in the tree's order, the arrays as they are. Leaves that are no arrays are left out: functions,
        plain numbers, None.

    Raises:
        ValueError: If two leaves have one name, as in ``{"a": {"b": x}, "a/b": y}``.
        TypeError: If a leaf holds random keys, which are no numbers.

    Differentiation: exact; the arrays are passed on.
    Complexity: linear in the number of leaves.

    Example:
        >>> import jax.numpy as jnp
        >>> from geojax.io import flatten
        >>> sorted(flatten({"layers": [{"w": jnp.ones(2)}, {"w": jnp.ones(3)}]}, separator="."))
        ['layers.0.w', 'layers.1.w']

    References: none; a naming convention of files.
    """
    named: dict[str, Any] = {}
    for name, leaf in _named(params, separator):
        if not _is_array(leaf):
            continue
        if name in named:
            raise ValueError(
                f"flatten: two leaves of params have the name {shown(name)}; expected distinct names. "
                "Rename a key, or choose a separator that no key contains."
            )
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended):
            raise TypeError(
                f"flatten: leaf {shown(name)} of params holds {leaf.dtype}; expected numbers. Turn keys into numbers "
                "with jax.random.key_data, or take parameters only, as nnx.state(model, nnx.Param) does."
            )
        named[name] = leaf
    return named


def unflatten(tensors: Mapping[str, Any], like: Params, *, separator: str = "/") -> Params:
    """Puts named arrays in their places in a tree: undoes `flatten`.

    Args:
        tensors: {name: array}; a `Checkpoint` will do, of which one tensor at a time is read.
        like: The tree to fill, of arrays or of ``jax.ShapeDtypeStruct`` as `jax.eval_shape` makes it.
        separator: What stands between the parts of a path.

    Returns:
        A tree like ``like`` with the tensors as its arrays: JAX arrays on the devices, and sharded, as those they take
        the place of; numpy arrays where those are. Leaves that are no arrays are those of ``like``.

    Raises:
        ValueError: If tensors are missing or left over, or have another shape or dtype; all are named in one message.

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
        _placed(tensors[name], leaf) if _is_array(leaf) else leaf for name, leaf in _named(like, separator)
    ]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def mismatches(found: Mapping[str, Any], wanted: Mapping[str, Any], *, dtypes: bool = True) -> list[str]:
    """A line for each name that is missing, left over, or has another shape or dtype."""
    lines = [f"missing: {shown(name)} {_kind(wanted[name])}" for name in wanted if name not in found]
    lines += [f"unexpected: {shown(name)} {_kind(found[name])}" for name in found if name not in wanted]
    for name in wanted:
        if name not in found:
            continue
        same = tuple(found[name].shape) == tuple(wanted[name].shape)
        same = same and (not dtypes or found[name].dtype == wanted[name].dtype)
        if not same:
            lines.append(f"{shown(name)}: got {_kind(found[name])}, expected {_kind(wanted[name])}")
    return lines


def _named(params: Params, separator: str) -> list[tuple[str, Any]]:
    pairs, _ = jax.tree_util.tree_flatten_with_path(params)
    return [(jax.tree_util.keystr(path, simple=True, separator=separator), leaf) for path, leaf in pairs]


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _kind(array: Any) -> str:
    return f"{array.dtype}{list(array.shape)}"


def _placed(value: Any, leaf: Any) -> Any:
    """A copy of the numbers where the leaf is."""
    if isinstance(leaf, np.ndarray):
        return np.array(value)
    # JAX may look at numpy's memory for as long as the array lives, and a view of a file is not there to stay.
    value = np.array(value) if isinstance(value, np.ndarray) else value
    return jax.device_put(value, getattr(leaf, "sharding", None))
