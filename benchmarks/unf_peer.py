"""The layer of Universal Neural Functionals, written from the paper [Zhou2024], for permutations and channels.

For every pair of an output and an input, and every valid partition of their axes: the mean over what the output has
not, repeated over what the input has not, zero off the diagonals; each such tensor times its own matrix of channels,
all of them added. The coefficients are {(output, input, labels of the output, labels of the input): [c_in, c_out]}.
"""

import itertools
import string

import jax.numpy as jnp


def partitions(items):
    """All set partitions of a list."""
    if not items:
        yield []
        return
    first, *rest = items
    for parts in partitions(rest):
        yield [[first], *parts]
        for k in range(len(parts)):
            yield [*parts[:k], [first, *parts[k]], *parts[k + 1 :]]


def valid_partitions(out_axes, in_axes):
    """Labels of the axes of the output and of the input, for every partition that joins only axes of one name."""
    axes = [*out_axes, *in_axes]
    names = list(dict.fromkeys(axes))
    places = [[i for i, axis in enumerate(axes) if axis == name] for name in names]
    for choice in itertools.product(*(list(partitions(each)) for each in places)):
        of = {i: (name, k) for name, parts in enumerate(choice) for k, part in enumerate(parts) for i in part}
        number = {}
        labels = [number.setdefault(of[i], len(number)) for i in range(len(axes))]
        yield tuple(labels[: len(out_axes)]), tuple(labels[len(out_axes) :])


def term(x, outer, inner, shape):
    """One basis map of a tensor with channels, in the shape of the output."""
    letters = string.ascii_letters
    kept = [label for label in dict.fromkeys(outer) if label in inner]
    gone = {label: x.shape[inner.index(label)] for label in inner if label not in kept}
    text = "".join(letters[label] for label in inner)
    y = jnp.einsum(f"{text}Z->{''.join(letters[label] for label in kept)}Z", x)
    for size in gone.values():
        y = y / size
    first = {label: outer.index(label) for label in outer}
    sizes = [1] * len(outer)
    for label in kept:
        sizes[first[label]] = shape[first[label]]
    y = jnp.broadcast_to(y.reshape(*sizes, y.shape[-1]), (*shape, y.shape[-1]))
    for axis, label in enumerate(outer):
        if axis != first[label]:
            unit = [1] * (len(outer) + 1)
            unit[axis] = unit[first[label]] = shape[axis]
            y = y * jnp.eye(shape[axis], dtype=y.dtype).reshape(unit)
    return y


def layer(theta, tree, axes):
    """{name: tensor [axes..., c_in]} -> {name: tensor [axes..., c_out]}; `axes` names the axes of each."""
    result = {}
    for out, out_axes in axes.items():
        shape = tree[out].shape[:-1]
        total = 0
        for given, in_axes in axes.items():
            for outer, inner in valid_partitions(out_axes, in_axes):
                total = total + term(tree[given], outer, inner, shape) @ theta[out, given, outer, inner]
        result[out] = total
    return result
