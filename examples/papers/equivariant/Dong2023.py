"""Symmetry-Aware Robot Design with Structured Subgroups [Dong2023].

Claim: designs that a subgroup of the dihedral group leaves alone form a subspace; a search over the subgroups, from the
    whole group down, finds symmetric designs with fewer trials, and the trivial subgroup keeps every design.

Differs: no robot is simulated. A design is four numbers for each of six limbs, two of which a reflection turns round;
    its value is a quadratic form about a planted design with a planted symmetry of order four to twelve. A trial is one
    value of the objective; within a subspace of k numbers (k + 1)(k + 2) / 2 trials determine the quadratic and its
    least point, and 2 trials for each number of a design tell whether it is the best of all.

Fails: if the planted design has no symmetry, the search over the lattice visits all of it and then searches freely: it
    takes more trials than the free search alone.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from examples.papers.harness import Claim, Size, above, below
from geojax.equivariant import reynolds

LIMBS = 6
ODD = np.array([1.0, 1.0, 0.0, 0.0])
NUM = LIMBS * len(ODD)


def dihedral_subgroups(n):
    """All subgroups of the symmetries of a regular polygon, as sets of elements (turn, whether reflected first)."""
    found = []
    for step in (d for d in range(1, n + 1) if n % d == 0):
        turns = frozenset((k, False) for k in range(0, n, step))
        found.append(turns)
        found += [turns | {((first + k) % n, True) for k in range(0, n, step)} for first in range(step)]
    return found


def generated(n, *generators):
    """The subgroup that elements generate."""
    group = {(0, False)}
    while True:
        more = {
            ((a + (-b if s else b)) % n, s != t)
            for (a, s), (b, t) in itertools.product(group, [*group, *generators])
        }
        if more <= group:
            return frozenset(group)
        group |= more


def divisor_sums(n):
    """The number and the sum of the divisors."""
    divisors = [d for d in range(1, n + 1) if n % d == 0]
    return len(divisors), sum(divisors)


def act(g, design):
    """Moves limbs, and turns their odd numbers round if it reflects."""
    return design[g["limb"]] * jnp.where(g["reflects"], 1 - 2 * jnp.asarray(ODD, design.dtype), 1)


def elements_of(group):
    """The elements, stacked, each as often as makes twelve: all groups share one program."""
    limbs = np.arange(LIMBS)
    pairs = list(group) * (2 * LIMBS // len(group))
    moved = np.stack([(turn + (-limbs if reflects else limbs)) % LIMBS for turn, reflects in pairs])
    return {"limb": np.argsort(moved, axis=1), "reflects": np.array([reflects for _, reflects in pairs])}


@jax.jit
def projector(elements):
    """The projector on designs that all elements leave alone, as a matrix."""
    project = reynolds(None, act, elements)
    return jax.vmap(lambda p: project(p).ravel())(jnp.eye(NUM).reshape(NUM, LIMBS, len(ODD)))


def least(value, basis):
    """The least point in a subspace, its value, and the number of trials."""
    k = basis.shape[1]
    steps = [np.zeros(k), *np.eye(k), *-np.eye(k)]
    steps += [a + b for a, b in itertools.combinations(np.eye(k), 2)]
    values = np.array([value(basis @ c) for c in steps])
    slope = (values[1 : k + 1] - values[k + 1 : 2 * k + 1]) / 2
    bend = np.diag(values[1 : k + 1] + values[k + 1 : 2 * k + 1] - 2 * values[0])
    for (i, j), both in zip(itertools.combinations(range(k), 2), values[2 * k + 1 :]):
        bend[i, j] = bend[j, i] = both - values[1 + i] - values[1 + j] + values[0]
    best = basis @ -np.linalg.solve(bend, slope)
    return best, value(best), len(values) + 1


def steepness(value, point):
    """The slope among all designs, by two trials for each number: 0 only at the best design of all."""
    return max(abs(value(point + step) - value(point - step)) for step in np.eye(len(point)))


def search(value, groups, bases):
    """Down the lattice, from the whole group to its best maximal subgroup, until no design near the best is better."""
    current, trials = groups[-1], 0
    options = {current: least(value, bases[-1])}
    while True:
        trials += sum(spent for *_, spent in options.values())
        current = min(options, key=lambda group: options[group][1])
        point, best, _ = options[current]
        trials += 2 * len(point)
        if steepness(value, point) < 1e-6:
            return current, best, trials
        inside = [group for group in groups if group < current]
        maximal = [group for group in inside if not any(group < other for other in inside)]
        options = {group: least(value, bases[groups.index(group)]) for group in maximal}


def run(size: Size) -> list[Claim]:
    """Count subgroups, project, and search for planted designs."""
    limit = 24 if size.full else 12
    miscounted = 0
    for n in range(1, limit + 1):
        group = [(k, s) for k in range(n) for s in (False, True)]
        brute = {generated(n, a, b) for a, b in itertools.combinations_with_replacement(group, 2)}
        miscounted += brute != set(dihedral_subgroups(n)) or len(brute) != sum(divisor_sums(n))

    groups = sorted(dihedral_subgroups(LIMBS), key=len)
    elements = [elements_of(group) for group in groups]
    projectors = [np.asarray(projector(each), float) for each in elements]
    bases = [np.linalg.svd(p)[0][:, : round(np.trace(p))] for p in projectors]
    broken = max(np.abs(p @ p - p).max() for p in projectors)
    gaps, moved = [], []
    for p, each in zip(projectors, elements):
        limbs, reflects = each["limb"], each["reflects"]
        fixed = np.sum(limbs == np.arange(LIMBS), axis=1)
        characters = fixed * np.where(reflects, np.sum(1 - 2 * ODD), len(ODD))
        gaps.append(abs(np.mean(characters) - np.linalg.matrix_rank(p, tol=1e-4)))
        for limb, reflect in zip(limbs, reflects):
            image = p.reshape(NUM, LIMBS, len(ODD))[:, limb] * (1 - 2 * ODD if reflect else 1)
            moved.append(np.abs(image.reshape(NUM, NUM) - p).max())

    kept = np.abs(projectors[0] - np.eye(NUM)).max()

    def trial(key):
        a, b, c = jax.random.split(key, 3)
        draw = np.asarray(jax.random.normal(a, (NUM, NUM)), float)
        form = draw @ draw.T / NUM + np.eye(NUM) / 10
        free = np.asarray(jax.random.normal(b, (NUM,)), float)
        symmetric = [g for g in groups if len(g) >= 4]
        planted = symmetric[int(jax.random.randint(c, (), 0, len(symmetric)))]

        def searched(optimum):
            def value(p):
                return float((p - optimum) @ form @ (p - optimum))

            group, best, trials = search(value, groups, bases)
            return group, best, trials / least(value, np.eye(NUM))[2]

        group, best, trials = searched(projectors[groups.index(planted)] @ free)
        _, covered, more = searched(free)
        return np.array([group == planted, best, trials, covered, more])

    right, best, trials, covered, more = size.seeds(trial, 24, batch=None).T
    return [
        Claim("numbers n with other than tau(n) + sigma(n) subgroups of D_n", "0", miscounted, below(0.5)),
        Claim("|P P - P|, largest entry over the subgroups of D_6", "0", broken, below(1e-5)),
        Claim("what an element moves of a projected design", "0", max(moved), below(1e-5)),
        Claim("rank of P less the mean character (Burnside)", "0", max(gaps), below(1e-3)),
        Claim("distance of P from the identity, trivial subgroup", "0", kept, below(1e-6)),
        Claim("planted subgroup found", "not given", right, above(0.99)),
        Claim("value of the design found", "0", best, below(1e-4)),
        Claim("trials over those of the free search, planted symmetry", "below 1", trials, below(1)),
        Claim("value found where no symmetry is planted", "0", covered, below(1e-4)),
        Claim("trials over those of the free search, nothing planted", "below 1", more, below(1), expected=False),
    ]  # fmt: skip
