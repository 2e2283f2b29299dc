"""The operations of the fuzzer's language that numpy and JAX spell differently, once in each.

A fuzz program is written against `backend.np` (numpy or jax.numpy) and these methods. Run with `Jax` it is what
`infer` traces; run with `Numpy` it is the judge: another implementation, fast on tiny arrays, and with decisions
(sorting, comparing, choosing the largest) taken on rounded values, so that rounding errors flip none of them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jax import lax


@jax.custom_jvp
def _soft_sign(x):
    return x / (1 + jnp.abs(x))


_soft_sign.defjvp(
    lambda primals, tangents: (_soft_sign(*primals), tangents[0] / (1 + jnp.abs(primals[0])) ** 2)
)


class Jax:
    """The language in JAX."""

    np = jnp
    relu, leaky_relu, relu6, elu = map(
        staticmethod, (jax.nn.relu, jax.nn.leaky_relu, jax.nn.relu6, jax.nn.elu)
    )
    silu, sigmoid, softplus = map(staticmethod, (jax.nn.silu, jax.nn.sigmoid, jax.nn.softplus))
    erf, soft_sign = map(staticmethod, (lax.erf, _soft_sign))
    softmax, logsumexp = map(staticmethod, (jax.nn.softmax, jax.scipy.special.logsumexp))
    jit, checkpoint, vmap, cond = map(staticmethod, (jax.jit, jax.checkpoint, jax.vmap, lax.cond))

    def decide(self, x):
        return x

    def scan(self, f, carry, xs):
        return lax.scan(f, carry, xs)

    def repeat(self, n, f, x):
        return lax.fori_loop(0, n, lambda _, y: f(y), x)

    def repeat_while(self, active, f, x):
        return lax.while_loop(active, f, x)

    def cummax(self, x, axis):
        return lax.cummax(x, axis % x.ndim)

    def top_k(self, x, k):
        return lax.top_k(x, k)

    def sort_payload(self, key, value, axis):
        return lax.sort((key, value), dimension=axis, num_keys=1)[1]

    def put(self, x, axis, index, value, mode):
        at = x.at[(slice(None),) * axis + (index,)]
        return at.set(value) if mode == "set" else at.add(value)

    def dynamic_slice(self, x, axis, start, size):
        return lax.dynamic_slice_in_dim(x, start, size, axis)

    def dynamic_update(self, x, axis, start, value):
        return lax.dynamic_update_slice_in_dim(x, value, start, axis)

    def segment_sum(self, x, index, n):
        return jax.ops.segment_sum(x, index, num_segments=n)

    def conv(self, x, kernel, padding, groups):
        """x [batch, space, channels], kernel [window, channels / groups, features]."""
        names = ("NWC", "WIO", "NWC")
        return lax.conv_general_dilated(
            x, kernel, (1,), padding, dimension_numbers=names, feature_group_count=groups
        )

    def pool(self, x, axis, kind):
        """Windows of three along one axis, padded at both ends with the neutral element."""
        window = tuple(3 if i == axis else 1 for i in range(x.ndim))
        start, op = (0.0, lax.add) if kind == "sum" else (-jnp.inf, lax.max)
        return lax.reduce_window(x, start, op, window, (1,) * x.ndim, "SAME")


class Numpy:
    """The language in numpy."""

    np = np
    jit = checkpoint = staticmethod(lambda f: f)
    relu = staticmethod(lambda x: np.maximum(x, 0.0))
    leaky_relu = staticmethod(lambda x: np.where(x >= 0, x, 0.01 * x))
    relu6 = staticmethod(lambda x: np.minimum(np.maximum(x, 0.0), 6.0))
    elu = staticmethod(lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))))
    soft_sign = staticmethod(lambda x: x / (1 + np.abs(x)))
    sigmoid = staticmethod(lambda x: 1 / (1 + np.exp(-x)))
    silu = staticmethod(lambda x: x / (1 + np.exp(-x)))
    softplus = staticmethod(lambda x: np.logaddexp(x, 0.0))
    erf = staticmethod(scipy.special.erf)

    def decide(self, x):
        return np.round(x, 9)

    def softmax(self, x, axis):
        shifted = np.exp(x - x.max(axis, keepdims=True))
        return shifted / shifted.sum(axis, keepdims=True)

    def logsumexp(self, x, axis):
        top = x.max(axis, keepdims=True)
        return np.log(np.exp(x - top).sum(axis)) + np.squeeze(top, axis)

    def vmap(self, f, in_axes=0, out_axes=0):
        def mapped(*args):
            axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
            n = next(x.shape[a] for x, a in zip(args, axes) if a is not None)
            rows = [
                f(*(x if a is None else np.take(x, i, a) for x, a in zip(args, axes, strict=True)))
                for i in range(n)
            ]
            return np.stack(rows, out_axes)

        return mapped

    def cond(self, predicate, f, g, *args):
        return f(*args) if predicate else g(*args)

    def scan(self, f, carry, xs):
        ys = []
        for x in xs:
            carry, y = f(carry, x)
            ys.append(y)
        return carry, None if ys[0] is None else np.stack(ys)

    def repeat(self, n, f, x):
        for _ in range(n):
            x = f(x)
        return x

    def repeat_while(self, active, f, x):
        while active(x):
            x = f(x)
        return x

    def cummax(self, x, axis):
        return np.maximum.accumulate(x, axis)

    def top_k(self, x, k):
        index = np.argsort(-x, axis=-1, kind="stable")[..., :k]
        return np.take_along_axis(x, index, -1), index

    def sort_payload(self, key, value, axis):
        return np.take_along_axis(value, np.argsort(key, axis=axis, kind="stable"), axis)

    def put(self, x, axis, index, value, mode):
        new = np.moveaxis(x.copy(), axis, 0)
        value = np.moveaxis(value, axis, 0)
        if mode == "add":
            np.add.at(new, index, value)
        else:
            new[index] = value
        return np.moveaxis(new, 0, axis)

    def dynamic_slice(self, x, axis, start, size):
        start = int(np.clip(start, 0, x.shape[axis] - size))
        return np.take(x, np.arange(start, start + size), axis)

    def dynamic_update(self, x, axis, start, value):
        start = int(np.clip(start, 0, x.shape[axis] - value.shape[axis]))
        new = x.copy()
        np.moveaxis(new, axis, 0)[start : start + value.shape[axis]] = np.moveaxis(value, axis, 0)
        return new

    def segment_sum(self, x, index, n):
        total = np.zeros((n, *x.shape[1:]), x.dtype)
        np.add.at(total, index, x)
        return total

    def conv(self, x, kernel, padding, groups):
        window, _, features = kernel.shape
        if padding == "SAME":
            before = (window - 1) // 2
            x = np.pad(x, ((0, 0), (before, window - 1 - before), (0, 0)))
        steps = x.shape[1] - window + 1
        patches = np.stack([x[:, i : i + steps] for i in range(window)], 2)
        patches = patches.reshape(*patches.shape[:3], groups, -1)
        kernel = kernel.reshape(window, -1, groups, features // groups)
        return np.einsum("bskgc,kcgf->bsgf", patches, kernel).reshape(x.shape[0], steps, features)

    def pool(self, x, axis, kind):
        pad = [(1, 1) if i == axis else (0, 0) for i in range(x.ndim)]
        padded = np.pad(x, pad, constant_values=0.0 if kind == "sum" else -np.inf)
        n = x.shape[axis]
        pieces = np.stack([np.take(padded, np.arange(k, k + n), axis) for k in range(3)])
        return pieces.sum(0) if kind == "sum" else pieces.max(0)


JAX, NUMPY = Jax(), Numpy()
