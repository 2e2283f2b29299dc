"""Programs made to mislead: loops, layers, heads and what may vary with what."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import relu

from tests.symmetry.inference.traps.trap_programs import G, P, S, Trap, trap


def loops() -> list[Trap]:
    tanh = jnp.tanh
    swap = lambda x: lambda i, c: (tanh(c[1]), tanh(c[0] + x[0]))
    layers = {"i": (5, 4), "a": (3, 4, 6), "b": (3, 6), "c": (3, 6, 4), "o": (4, 2)}

    def layered(name, function, groups=None, **more):
        return Trap(name, function, {**layers, **more}, ((4, 5),), None if groups is None else tuple(groups))

    def block(h, w):
        return h + relu(h @ w[0] + w[1]) @ w[2], None

    def scanned(p, x, **options):
        return lax.scan(block, x @ p["i"], (p["a"], p["b"], p["c"]), **options)[0] @ p["o"]

    def unrolled(p, x):
        h = x @ p["i"]
        for one in range(3):
            h, _ = block(h, (p["a"][one], p["b"][one], p["c"][one]))
        return h @ p["o"]

    def shifted(p, x):
        body = lambda h, w: (h + relu(h @ w[0] + w[1] * w[2]) @ w[3], None)
        return lax.scan(body, x @ p["i"], (p["a"], p["b"], jnp.roll(p["b"], 1, 0), p["c"]))[0] @ p["o"]

    def carried(p, x):
        body = lambda c, w: ((c[0] + relu(c[0] @ w[0] + c[1]) @ w[2], w[1]), None)
        return lax.scan(body, (x @ p["i"], jnp.zeros(6)), (p["a"], p["b"], p["c"]))[0][0] @ p["o"]

    def counted(p, x):
        body = lambda c, w: ((c[0] + relu(c[0] @ w[0] + p["b"][c[1]]) @ w[1], c[1] + 1), None)
        return lax.scan(body, (x @ p["i"], 0), (p["a"], p["c"]))[0][0] @ p["o"]

    def backwards(p, x):
        h = x @ p["i"]
        for one in range(3):
            h = h + relu(h @ p["a"][one] + p["b"][2 - one]) @ p["c"][one]
        return h @ p["o"]

    def tied(p, x):
        for one in range(4):
            x = relu(x @ p[0][one % 2] + p[1][one])
        return x

    per_layer = [(P, 4), (G, 4), (P, 6), (S, 6)]
    three = [(P, 4), (G, 4), (P, 6), (P, 6), (P, 6), (S, 6), (S, 6), (S, 6)]
    at = lambda i: lambda p, x: jnp.dot(lax.cond(x[0] > 0, lambda a: a, i, p[0]), p[1]) * x
    ignored = lambda p, x: lax.scan(lambda h, w: (tanh(h @ w[0]), None), x, (p[0], p[1]))[0]
    return [
        trap("scanned, and ignored by the body", ignored, (2, 4, 4), (2, 4), inputs=((5, 4),), groups=[]),
        trap(
            "carries that swap",
            lambda p, x: jnp.dot(lax.fori_loop(0, 3, swap(x), (p[0], p[1]))[0], p[2]) * x,
            (4,),
            (4,),
            (4,),
            groups=[(P, 4)],
        ),
        trap(
            "ones that become a ramp",
            lambda p, x: (
                jnp.dot(lax.fori_loop(0, 3, lambda i, c: jnp.cumsum(c) + x[0], jnp.ones(4)), p[0]) * x
            ),
            (4,),
            groups=[],
        ),
        trap(
            "outputs of a loop counting",
            lambda p, x: jnp.dot(lax.scan(lambda c, _: (c + x[0], c), 0.0, None, length=4)[1], p[0]) * x,
            (4,),
            groups=[],
        ),
        trap(
            "weights in the condition",
            lambda p, x: (
                jnp.sum(
                    lax.while_loop(
                        lambda c: jnp.sum(c * p[1] ** 2) < 3, lambda c: 1.1 * c + p[0] ** 2 + 0.1, p[2] ** 2
                    )
                )
                * x
            ),
            (4,),
            (4,),
            (4,),
        ),
        trap(
            "one weight in the condition",
            lambda p, x: (
                jnp.sum(lax.while_loop(lambda c: c[0] < 3, lambda c: c + 0.1 + jnp.abs(p[0]), p[1]) * p[2])
                * x
            ),
            (4,),
            (4,),
            (4,),
        ),
        trap("branches that reverse", at(lambda a: a[::-1]), (4,), (4,)),
        trap("branches that roll", at(lambda a: jnp.roll(a, 2)), (4,), (4,)),
        trap("branches that sort", at(jnp.sort), (4,), (4,)),
        trap("a branch that is zero", at(jnp.zeros_like), (4,), (4,)),
        trap("a branch that is a ramp", at(lambda a: jnp.arange(4.0)), (4,), (4,), groups=[]),
        trap(
            "branches that exchange",
            lambda p, x: jnp.dot(*lax.cond(x[0] > 0, lambda a, b: (a, b), lambda a, b: (b * 2, a), *p)) * x,
            (4,),
            (4,),
        ),
        trap(
            "a condition on weights",
            lambda p, x: lax.cond(jnp.sum(p[0]) > 0, lambda a: a * 2, lambda a: a, x),
            (4,),
        ),
        layered("scan over layers", scanned, per_layer),
        layered("scan over layers, reversed", functools.partial(scanned, reverse=True), per_layer),
        layered("layers one by one", unrolled, three),
        layered(
            "layers in a loop by number",
            lambda p, x: (
                lax.fori_loop(0, 3, lambda i, h: block(h, (p["a"][i], p["b"][i], p["c"][i]))[0], x @ p["i"])
                @ p["o"]
            ),
            per_layer,
        ),
        layered("scan and one by one", lambda p, x: scanned(p, x) + unrolled(p, x)),
        layered("scan twice", lambda p, x: scanned(p, scanned({**p, "o": p["q"]}, x)), per_layer, q=(4, 5)),
        layered(
            "biases also summed over layers",
            lambda p, x: scanned(p, x) + jnp.sum(tanh(p["b"].sum(0))),
            [(P, 4), (G, 4), (P, 6)],
        ),
        layered("one layer's bias also outside", lambda p, x: scanned(p, x) + jnp.sum(tanh(p["b"][0]))),
        layered(
            "one by one, biases also summed",
            lambda p, x: unrolled(p, x) + jnp.sum(tanh(p["b"].sum(0))),
            [(P, 4), (G, 4), (P, 6)],
        ),
        layered(
            "one by one, also all at once",
            lambda p, x: unrolled(p, x) + jnp.sum(relu(jnp.einsum("lij,ljk->lik", p["a"], p["c"]))),
        ),
        layered(
            "one by one, flattened too",
            lambda p, x: unrolled(p, x) + jnp.sum(relu(p["a"].reshape(12, 6) @ p["z"])),
            z=(6, 2),
        ),
        layered(
            "one by one, Gram of layers",
            lambda p, x: unrolled(p, x) + jnp.sum(tanh(jnp.einsum("lio,mio->lm", p["a"], p["a"]))),
        ),
        layered(
            "one by one, cross layers",
            lambda p, x: unrolled(p, x) + jnp.sum(relu(jnp.einsum("lio,mio->lm", p["a"], p["z"]))),
            z=(3, 4, 6),
        ),
        layered(
            "one by one, a scale for all",
            lambda p, x: unrolled(p, x) + jnp.sum(tanh(p["b"] * p["z"])),
            z=(6,),
        ),
        layered("biases in the other order", backwards),
        layered("biases shifted", shifted),
        layered("biases carried to the next layer", carried, [(P, 4), (G, 4), (P, 6), (S, 6)]),
        layered("biases by a count", counted),
        trap("layers used in turn", tied, (2, 5, 5), (4, 5), inputs=((3, 5),)),
        trap(
            "batched, then one by one",
            lambda p, x: sum(h @ p[1][k] for k, h in enumerate(relu(jnp.einsum("bi,lij->lbj", x, p[0])))),
            (3, 5, 6),
            (3, 6, 5),
            inputs=((4, 5),),
            groups=[(P, 6)] * 3 + [(S, 6)] * 3,
        ),
        trap(
            "stacked outputs of layers",
            lambda p, x: jnp.stack([relu(x @ p[0][k]) for k in range(3)], 1)[:, ::-1].reshape(4, 12) @ p[1],
            (3, 5, 4),
            (12, 2),
            inputs=((4, 5),),
        ),
    ]


def heads() -> list[Trap]:
    base = {"q": (5, 6), "k": (5, 6), "v": (5, 6), "o": (6, 5)}

    def attention(
        p,
        x,
        scores="thd,shd->hts",
        mix="hts,shd->thd",
        after=lambda o: o,
        axis=-1,
        q=lambda p, q: q,
        k=lambda p, k: k,
    ):
        parts = [(x @ p[name]).reshape(-1, 2, 3) for name in "qkv"]
        weights = jax.nn.softmax(jnp.einsum(scores, q(p, parts[0]), k(p, parts[1])), axis=axis)
        return after(jnp.einsum(mix, weights, parts[2])).reshape(-1, 6) @ p["o"]

    def attend(name, groups=None, more=None, **options):
        return Trap(
            name,
            functools.partial(attention, **options),
            {**base, **(more or {})},
            ((4, 5),),
            None if groups is None else tuple(groups),
        )

    def together(p, x):
        outs = []
        for h in range(2):
            q, k, v = (x @ p[name][:, 3 * h : 3 * h + 3] for name in "qkv")
            outs.append(jax.nn.softmax(q @ k.T) @ v)
        return jnp.concatenate(outs, -1) @ p["o"]

    def rotary(p, x, stretch):
        angle = np.arange(4)[:, None] / 10 ** np.arange(3)
        c, s = np.cos(angle), np.sin(angle)

        def turn(z):
            a, b = z[:, :3], z[:, 3:]
            return jnp.concatenate([a * c - b * s, a * s * stretch + b * c], -1)

        return jax.nn.softmax(turn(x @ p["q"]) @ turn(x @ p["k"]).T) @ (x @ p["v"]) @ p["o"]

    full = [(P, 2), (P, 3), (P, 3), (G, 3), (G, 3)]
    unit = lambda p, z: z / jnp.linalg.norm(z, axis=-1, keepdims=True)
    return [
        attend("heads", full),
        attend("softmax over heads", full, axis=0),
        attend("heads summed before the softmax", scores="thd,shd->ts", mix="ts,shd->thd"),
        attend("bias of each head and entry", full, {"b": (2, 3)}, q=lambda p, z: z + p["b"]),
        attend("bias shared by heads", full, {"b": (3,)}, q=lambda p, z: z + p["b"]),
        attend("bias for each head", None, {"b": (2,)}, q=lambda p, z: z + p["b"][:, None]),
        attend("scale of keys shared by heads", None, {"b": (3,)}, k=lambda p, z: z * p["b"]),
        attend("relu of heads", [(P, 2), (P, 3), (P, 3), (G, 3), (S, 3)], after=relu),
        attend("heads turned before merging", after=lambda o: o.transpose(0, 2, 1)),
        attend("heads reversed before merging", after=lambda o: o[:, ::-1] + o),
        attend("normalised queries", q=unit),
        attend("entries rolled across heads", q=lambda p, z: jnp.roll(z, 1, 1) + z),
        Trap("heads by slices", together, base, ((4, 5),), ((P, 3),) * 4 + ((G, 3),) * 4),
        Trap("rotary", functools.partial(rotary, stretch=1.0), base, ((4, 5),)),
        Trap("rotary, unequal", functools.partial(rotary, stretch=1.5), base, ((4, 5),)),
        trap(
            "experts",
            lambda p, x: jnp.einsum(
                "bl,lbj,ljk->bk", jax.nn.softmax(x @ p[2]), relu(jnp.einsum("bi,lij->lbj", x, p[0])), p[1]
            ),
            (3, 5, 6),
            (3, 6, 5),
            (5, 3),
            inputs=((4, 5),),
            groups=[(P, 3), (P, 6), (S, 6)],
        ),
        trap(
            "experts, one bias",
            lambda p, x: jnp.einsum(
                "bl,lbj,ljk->bk",
                jax.nn.softmax(x @ p[2]),
                relu(jnp.einsum("bi,lij->lbj", x, p[0]) + p[3]),
                p[1],
            ),
            (3, 5, 6),
            (3, 6, 5),
            (5, 3),
            (6,),
            inputs=((4, 5),),
            groups=[(P, 3), (P, 6), (S, 6)],
        ),
        trap(
            "experts chosen",
            lambda p, x: jnp.einsum(
                "bj,bjk->bk",
                relu(jnp.einsum("bi,bij->bj", x, p[0][jnp.argmax(x @ p[2], -1)])),
                p[1][jnp.argmax(x @ p[2], -1)],
            ),
            (3, 5, 6),
            (3, 6, 5),
            (5, 3),
            inputs=((4, 5),),
        ),
        trap(
            "experts crossed",
            lambda p, x: jnp.einsum("lbj,mjk->bk", relu(jnp.einsum("bi,lij->lbj", x, p[0])), p[1]),
            (3, 5, 6),
            (3, 6, 5),
            inputs=((4, 5),),
        ),
        trap(
            "expert weights displaced",
            lambda p, x: jnp.einsum(
                "lbj,ljk->bk", relu(jnp.einsum("bi,lij->lbj", x, p[0])), p[1][::-1] + p[1]
            ),
            (3, 5, 6),
            (3, 6, 5),
            inputs=((4, 5),),
            groups=[(P, 6), (S, 6)],
        ),
        trap(
            "expert weights accumulated",
            lambda p, x: jnp.einsum(
                "lbj,ljk->bk", relu(jnp.einsum("bi,lij->lbj", x, p[0])), jnp.cumsum(p[1], 0)
            ),
            (3, 5, 6),
            (3, 6, 5),
            inputs=((4, 5),),
            groups=[(P, 6), (S, 6)],
        ),
        trap(
            "flips of what an inverse sees",
            lambda p, x: (
                jnp.linalg.slogdet(jnp.einsum("bik,bjk->bij", p[0], p[0]) + 0.1 * jnp.eye(4))[1].sum() * x
            ),
            (3, 4, 5),
        ),
        # An index that stands on two axes of an array does not say which of them a stack over it means.
        trap(
            "every other entry after a loop",
            lambda p, x: lax.fori_loop(0, 2, lambda _, y: y @ p[1], p[0])[:, ::2] * jnp.sum(x),
            (3, 6),
            (6, 6),
        ),
        trap(
            "rows of a matrix met by its turn",
            lambda p, x: jnp.einsum("abc,bz->acz", jnp.minimum(x, x.swapaxes(0, 1)), p[0])[1:2],
            (2, 3),
            inputs=((2, 2, 3),),
            groups=[],
        ),
        trap(
            "rows read at positions that move with them",
            lambda p, x: (
                p[0][jnp.argmax(p[1] @ jnp.concatenate([p[0][:1], p[0][1:]]), 0) % 2][1:] * jnp.sum(x)
            ),
            (2, 3),
            (5, 2),
        ),
        trap(
            "pieces of different length met by rows of pairs",
            lambda p, x: jnp.concatenate([(p[0] @ x).reshape(3, 2).reshape(6) @ p[1], p[2]]) @ p[0],
            (6, 2),
            (6, 4),
            (2,),
            inputs=((2,),),
        ),
    ]
