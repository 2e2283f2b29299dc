"""Random functions of data with planted equivariances, for judging `equivariance` without asking it.

Every axis has a tag: a set (P, Q: permutations), space (S: orthogonal matrices) or a digit (a held axis of that
length). `planted(seed)` draws some inputs and a dozen steps each of which keeps what the tags say; sizes are small and
often equal, so that axes of different tags can be mistaken for each other.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from geojax import symmetry

SETS = "PQ"
SPACE = "S"
TEXTS = {"P": "P", "Q": "Q", "S": "S:orthogonal"}
CURVED: dict[str, Callable] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "sin": jnp.sin,
    "square": lambda x: x**2,
    "abs": jnp.abs,
    "sigmoid": jax.nn.sigmoid,
    "exp of the bounded": lambda x: jnp.exp(jnp.tanh(x)),
}
WRAPPED: dict[str, Callable] = {
    "jit": jax.jit,
    "checkpoint": jax.checkpoint,
    "map": lambda f: lambda x: jax.lax.map(f, x) if x.ndim else f(x),
    "vmap": lambda f: lambda x: jax.vmap(f)(x) if x.ndim else f(x),
    "loop": lambda f: lambda x: jax.lax.fori_loop(0, 2, lambda i, y: 0.5 * y + f(y), x),
}
REDUCED: dict[str, Callable] = {"sum": jnp.sum, "mean": jnp.mean}
REDUCED_CURVED: dict[str, Callable] = {
    **REDUCED,
    "max": jnp.max,
    "min": jnp.min,
    "logsumexp": lambda x, axis: jax.nn.logsumexp(x, axis),
    "var": jnp.var,
}


class Unsuitable(Exception):
    """A move that does not fit what there is."""


@dataclasses.dataclass
class Planted:
    """A function of arrays, with a tag for each axis of its inputs and outputs.

    Attributes:
        sizes: The length of each tag.
        inputs: The tags of each input.
        steps: Pairs (function, numbers of its arguments); inputs come first.
        names: What each step does.
        tags: The tags of every value.
        outputs: The numbers of the values that are returned.
    """

    seed: int
    sizes: dict[str, int]
    inputs: list[str]
    steps: list[tuple[Callable, tuple[int, ...]]] = dataclasses.field(default_factory=list)
    names: list[str] = dataclasses.field(default_factory=list)
    tags: list[str] = dataclasses.field(default_factory=list)
    outputs: tuple[int, ...] = ()

    def size(self, tag: str) -> int:
        return int(tag) if tag.isdigit() else self.sizes[tag]

    def __call__(self, *arrays):
        values = list(arrays)
        for function, arguments in self.steps:
            values.append(function(*(values[k] for k in arguments)))
        return [values[k] for k in self.outputs]

    @functools.cached_property
    def run(self) -> Callable:
        """The function of a list of arrays, compiled."""
        return jax.jit(lambda arrays: self(*arrays))

    def draw(self, random: np.random.Generator) -> list[np.ndarray]:
        return [random.normal(size=[self.size(tag) for tag in tags]) for tags in self.inputs]

    def declared(self) -> tuple[symmetry.SymmetrySpec, symmetry.SymmetrySpec]:
        """What was planted, as specs of the list of inputs and that of outputs."""
        sides = []
        for rows in (self.inputs, [self.tags[k] for k in self.outputs]):
            shapes = tuple(jax.ShapeDtypeStruct([self.size(tag) for tag in row], jnp.float64) for row in rows)
            axes = tuple(tuple(TEXTS.get(tag) for tag in row) for row in rows)
            sides.append(symmetry.declare(list(shapes), list(axes)))
        return sides[0], sides[1]

    def __str__(self) -> str:
        lines = [f"planted {self.seed} {self.sizes}"]
        lines += [f"  v{k} = input {tags}" for k, tags in enumerate(self.inputs)]
        for k, (name, (_, arguments)) in enumerate(zip(self.names, self.steps), len(self.inputs)):
            lines.append(f"  v{k} = {name}({', '.join(f'v{i}' for i in arguments)})  {self.tags[k]}")
        return "\n".join([*lines, f"  return {', '.join(f'v{k}' for k in self.outputs)}"])


def planted(seed: int) -> Planted:
    """The function of a seed: the first draw whose outputs are finite and neither huge nor constant."""
    random = np.random.default_rng(seed)
    while True:
        grower = Grower(random, seed)
        try:
            program = grower.grown()
        except Unsuitable:
            continue
        runs = [program.run(program.draw(random)) for _ in range(2)]
        arrays = [np.asarray(out) for run in runs for out in run]
        fine = all(np.all(np.isfinite(a)) and 1e-3 < np.max(np.abs(a)) < 1e4 for a in arrays)
        moves = all(np.max(np.abs(a - b)) > 1e-3 for a, b in zip(*runs))
        if fine and moves:
            return program


class Grower:
    """Grows a planted function step by step."""

    def __init__(self, random: np.random.Generator, seed: int):
        self.random = random
        sizes = {tag: int(random.integers(2, 5)) for tag in "PQS"}
        inputs = [
            "".join(self.some(["P", "P", "Q", "S", "2", "3", "4"], int(random.integers(1, 4))))
            for _ in range(int(random.integers(1, 4)))
        ]
        self.program = Planted(seed, sizes, inputs, tags=list(inputs))

    def some(self, options, count=1):
        return [options[int(self.random.integers(len(options)))] for _ in range(count)]

    def one(self, options):
        options = list(options)
        if not options:
            raise Unsuitable
        return options[int(self.random.integers(len(options)))]

    def value(self, fits=lambda tags: True) -> int:
        """A value that fits, rather a late one."""
        numbers = [k for k, tags in enumerate(self.program.tags) if fits(tags)]
        late = [k for k in numbers if k >= len(self.program.tags) - 3]
        return self.one(late if late and self.random.random() < 0.7 else numbers)

    def add(self, name, function, arguments, tags) -> int:
        if len(tags) > 4 or np.prod([self.program.size(tag) for tag in tags], dtype=int) > 400:
            raise Unsuitable
        self.program.steps.append((function, arguments))
        self.program.names.append(name)
        self.program.tags.append(tags)
        return len(self.program.tags) - 1

    def grown(self) -> Planted:
        moves = [move for name, move in vars(Grower).items() if name.startswith("do_")]
        wanted, tries = int(self.random.integers(3, 13)), 0
        while len(self.program.steps) < wanted and tries < 100:
            tries += 1
            try:
                self.one(moves)(self)
            except Unsuitable:
                continue
        if len(self.program.steps) < 3:
            raise Unsuitable
        used = {k for _, arguments in self.program.steps for k in arguments}
        if not used.issuperset(range(len(self.program.inputs))):
            raise Unsuitable
        self.program.outputs = tuple(k for k in range(len(self.program.tags)) if k not in used)
        return self.program

    # -- moves: each keeps what the tags say ----------------------------------------------------------------------

    def do_mix(self):
        """A dense layer along a held axis."""
        x = self.value(lambda tags: any(map(str.isdigit, tags)))
        tags = self.program.tags[x]
        axis = self.one(k for k, tag in enumerate(tags) if tag.isdigit())
        after = self.one("234")
        w = self.random.normal(size=(int(tags[axis]), int(after)))
        function = lambda v: jnp.moveaxis(jnp.tensordot(v, w, (axis, 0)), -1, axis)
        self.add(f"mix axis {axis}", function, (x,), tags[:axis] + after + tags[axis + 1 :])

    def do_curve(self):
        x = self.value(lambda tags: SPACE not in tags)
        name = self.one(CURVED)
        wrap = self.one(WRAPPED) if self.random.random() < 0.3 else None
        function = CURVED[name] if wrap is None else WRAPPED[wrap](CURVED[name])
        self.add(f"{name} {wrap or ''}", function, (x,), self.program.tags[x])

    def do_weigh(self):
        """Numbers of the program along a held axis, added or multiplied."""
        x = self.value(lambda tags: any(map(str.isdigit, tags)))
        tags = self.program.tags[x]
        axis = self.one(k for k, tag in enumerate(tags) if tag.isdigit())
        w = self.random.normal(
            size=[n if k == axis else 1 for k, n in enumerate(map(self.program.size, tags))]
        )
        times = SPACE in tags or self.random.random() < 0.5
        self.add("times" if times else "plus", (lambda v: v * w) if times else (lambda v: v + w), (x,), tags)

    def do_reduce(self):
        x = self.value(len)
        tags = self.program.tags[x]
        axis = self.one(k for k, tag in enumerate(tags) if tag != SPACE)
        name = self.one(REDUCED if SPACE in tags else REDUCED_CURVED)
        self.add(
            f"{name} axis {axis}",
            lambda v: REDUCED_CURVED[name](v, axis),
            (x,),
            tags[:axis] + tags[axis + 1 :],
        )

    def do_normalise(self):
        """The mean taken off along a set, or a softmax."""
        x = self.value(lambda tags: set(tags) & set(SETS))
        tags = self.program.tags[x]
        axis = self.one(k for k, tag in enumerate(tags) if tag in SETS)
        if SPACE in tags or self.random.random() < 0.5:
            self.add(f"center axis {axis}", lambda v: v - jnp.mean(v, axis, keepdims=True), (x,), tags)
        else:
            self.add(f"softmax axis {axis}", lambda v: jax.nn.softmax(v, axis), (x,), tags)

    def do_length(self):
        """The squared length along space, or the length."""
        x = self.value(lambda tags: tags.count(SPACE) == 1)
        tags = self.program.tags[x]
        axis = tags.index(SPACE)
        root = self.random.random() < 0.5
        function = lambda v: jnp.sqrt(0.1 + jnp.sum(v**2, axis)) if root else jnp.sum(v * v, axis)
        self.add(f"length axis {axis}", function, (x,), tags.replace(SPACE, ""))

    def do_combine(self):
        """A sum or a product with a value that has some of the axes."""
        x = self.value(len)
        tags = self.program.tags[x]
        y = self.value(lambda other: not collections.Counter(other) - collections.Counter(tags))
        other = self.program.tags[y]
        if other.count(SPACE) not in (0, tags.count(SPACE)):
            raise Unsuitable
        free = list(range(len(tags)))
        places = []
        for tag in other:
            places.append(self.one(k for k in free if tags[k] == tag))
            free.remove(places[-1])
        order = tuple(int(k) for k in np.argsort(places)) if places else ()
        shape = tuple(self.program.size(tag) if k in places else 1 for k, tag in enumerate(tags))
        align = lambda v: jnp.reshape(jnp.transpose(v, order), shape)
        both = SPACE in other
        if both or (SPACE not in tags and self.random.random() < 0.5):
            self.add("plus", lambda v, u: v - align(u), (x, y), tags)
        elif SPACE not in tags and self.random.random() < 0.3:
            self.add("chosen", lambda v, u: jnp.where(align(u) > 0.1, v, 0.5 * v + 0.2), (x, y), tags)
        else:
            self.add("times", lambda v, u: v * align(u), (x, y), tags)

    def do_pairs(self):
        """All pairs of a set."""
        x = self.value(lambda tags: any(tags.count(tag) == 1 for tag in SETS))
        tags = self.program.tags[x]
        axis = self.one(k for k, tag in enumerate(tags) if tag in SETS and tags.count(tag) == 1)
        function = lambda v: jnp.expand_dims(v, axis) - jnp.expand_dims(v, axis + 1)
        self.add(f"pairs axis {axis}", function, (x,), tags[:axis] + tags[axis] + tags[axis:])

    def do_contract(self):
        """A sum over an axis that two values share; others that they share may be kept in step."""
        x, y = self.value(len), self.value(len)
        left, right = self.program.tags[x], self.program.tags[y]
        shared = self.one(set(left) & set(right))
        a = self.one(k for k, tag in enumerate(left) if tag == shared)
        b = self.one(k for k, tag in enumerate(right) if tag == shared)
        first, second, tags, out = list("abcd"[: len(left)]), list("efgh"[: len(right)]), "", ""
        second[b] = first[a]
        free = [k for k in range(len(right)) if k != b]
        for k, tag in enumerate(left):
            if k == a:
                continue
            match = [i for i in free if right[i] == tag and tag != SPACE]
            if match and self.random.random() < 0.5:
                second[match[0]] = first[k]
                free.remove(match[0])
            out, tags = out + first[k], tags + tag
        for k in free:
            out, tags = out + second[k], tags + right[k]
        formula = f"{''.join(first)},{''.join(second)}->{out}"
        self.add(formula, lambda v, u: jnp.einsum(formula, v, u), (x, y), tags)

    def do_move_axes(self):
        x = self.value(lambda tags: len(tags) > 1)
        order = tuple(int(k) for k in self.random.permutation(len(self.program.tags[x])))
        tags = "".join(self.program.tags[x][k] for k in order)
        self.add(f"transpose {order}", lambda v: jnp.transpose(v, order), (x,), tags)

    def do_along_held(self):
        """What is allowed along a held axis only: slices, joins, running sums, reversal, sorting."""
        x = self.value(lambda tags: any(map(str.isdigit, tags)))
        tags = self.program.tags[x]
        axis = self.one(k for k, tag in enumerate(tags) if tag.isdigit())
        n = int(tags[axis])
        how = self.one(["cumsum", "flip", "join", "cut", "sort"])
        if how == "sort" and SPACE in tags:
            raise Unsuitable
        functions = {
            "cumsum": lambda v: jnp.cumsum(v, axis),
            "flip": lambda v: jnp.flip(v, axis),
            "sort": lambda v: jnp.sort(v, axis),
            "join": lambda v: jnp.concatenate([v, -0.5 * v], axis),
            "cut": lambda v: jax.lax.slice_in_dim(v, 0, n - 1, axis=axis),
        }
        after = {"join": 2 * n, "cut": n - 1}.get(how, n)
        if not 1 < after < 5:
            raise Unsuitable
        self.add(f"{how} axis {axis}", functions[how], (x,), tags[:axis] + str(after) + tags[axis + 1 :])

    def do_solve(self):
        """The inverse of a matrix on space, of second moments, applied to a vector; sometimes with a ridge."""
        x = self.value(lambda tags: tags.count(SPACE) == 1 and len(tags) > 1)
        y = self.value(lambda tags: tags.count(SPACE) == 1)
        tags, other = self.program.tags[x], self.program.tags[y]
        axis, at = tags.index(SPACE), other.index(SPACE)
        n = self.program.size(SPACE)
        ridge = self.random.random() < 0.5
        if not ridge and np.prod([self.program.size(tag) for tag in tags], dtype=int) < 2 * n * n:
            raise Unsuitable

        def solve(v, u):
            rows = jnp.reshape(jnp.moveaxis(v, axis, -1), (-1, n))
            moments = rows.T @ rows + (jnp.eye(n) if ridge else 0.0)
            columns = jnp.moveaxis(u, at, 0)
            return jnp.moveaxis(
                jnp.reshape(jnp.linalg.solve(moments, columns.reshape(n, -1)), columns.shape), 0, at
            )

        self.add("ridge" if ridge else "solve", solve, (x, y), other)
