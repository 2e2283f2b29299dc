"""`infer` on architectures whose symmetry was derived by hand: the groups, their action, planted elements."""

import collections
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax._core.tree import path_name
from geojax._program.arguments import array_leaves
from geojax.symmetry.action.spec import SymmetrySpec
from tests.symmetry.inference import oracle
from tests.symmetry.inference.gallery import EXAMPLES
from tests.symmetry.inference.gallery.example import Example, found

# Each output is a few hundred products and sums of float64; matrices have condition numbers below 100.
TOLERANCE = 1e-9

gallery = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name.replace(" ", "-"))


def sample(step):
    """Every example, of which one in ``step`` belongs to the default tier: for tests that compile for each example."""
    cases = [
        pytest.param(example, marks=() if number % step == 0 else pytest.mark.full)
        for number, example in enumerate(EXAMPLES)
    ]
    return pytest.mark.parametrize("example", cases, ids=lambda example: example.name.replace(" ", "-"))


class Inferred:
    """An example with its spec and its function compiled once for all tests."""

    def __init__(self, example: Example):
        self.apply, self.params, self.inputs = example.build(jax.random.key(0))
        self.spec: SymmetrySpec = gj.symmetry.infer(self.apply, self.params, *self.inputs, verify=False)
        self.arrays = dict(array_leaves(self.params))
        self._outputs = jax.jit(lambda arrays, *inputs: self.apply(self.rebuild(arrays), *inputs))

    def rebuild(self, arrays):
        """The parameters with other arrays; functions and other static leaves stay."""

        def one(path, leaf):
            return arrays.get(path_name(path), leaf)

        return jax.tree_util.tree_map_with_path(one, self.params)

    def outputs(self, arrays):
        return [np.asarray(leaf) for leaf in jax.tree.leaves(self._outputs(arrays, *self.inputs))]

    @functools.cached_property
    def act(self):
        """(element, arrays) -> arrays, compiled."""
        return jax.jit(
            lambda element, arrays: dict(
                array_leaves(gj.symmetry.act(self.spec, element, self.rebuild(arrays)))
            )
        )


@functools.cache
def inferred(example: Example) -> Inferred:
    return Inferred(example)


def difference(got, expected):
    """Largest difference, relative to the largest entry of each array."""
    return max(np.max(np.abs(g - e)) / np.max(np.abs(e)) for g, e in zip(got, expected, strict=True))


def count(groups, permutations):
    return collections.Counter(group for group in groups if (group.kind == "permutation") == permutations)


@gallery
def test_permutations_are_the_maximal_group(example):
    got = count(found(inferred(example).spec), permutations=True)
    expected = collections.Counter(example.permutations)
    optional = collections.Counter(example.optional)
    report = f"expected because {example.reason}\n{inferred(example).spec}"
    assert not got - expected, f"too many: {got - expected}; {report}"
    missing = expected - got - optional
    assert not missing, f"missing: {missing}; {report}"


@gallery
def test_continuous_groups_are_found(example):
    got = count(found(inferred(example).spec), permutations=False)
    missing = collections.Counter(example.continuous) - got
    assert not missing, f"missing: {missing}; expected because {example.reason}\n{inferred(example).spec}"


@sample(3)
def test_outputs_do_not_change_under_random_elements(example):
    it = inferred(example)
    before = it.outputs(it.arrays)
    assert all(np.all(np.isfinite(out)) and np.max(np.abs(out)) > 1e-3 for out in before)
    leaves = {path: np.asarray(leaf) for path, leaf in it.arrays.items()}
    for seed in range(3):
        element = oracle.random_element(it.spec, np.random.default_rng(seed))
        change = difference(it.outputs(oracle.act(it.spec, element, leaves)), before)
        assert change < TOLERANCE, f"relative change {change:.1e}\n{it.spec}"


@gallery
def test_every_group_moves_the_parameters(example):
    it = inferred(example)
    leaves = {path: np.asarray(leaf) for path, leaf in it.arrays.items()}
    everything = oracle.random_element(it.spec, np.random.default_rng(2))
    for name, group in it.spec.groups.items():
        moved = oracle.act(it.spec, {name: everything[name]}, leaves)
        changed = any(np.any(moved[path] != leaves[path]) for path in leaves)
        still = group.kind == "sign" and np.all(everything[name] == 1)
        assert changed or still, f"{name} moves nothing\n{it.spec}"


@sample(10)
def test_act_agrees_with_the_numpy_action(example):
    it = inferred(example)
    leaves = {path: np.asarray(leaf) for path, leaf in it.arrays.items()}
    everything = oracle.random_element(it.spec, np.random.default_rng(2))
    moved = oracle.act(it.spec, everything, leaves)
    got = it.act(everything, it.arrays)
    for path, leaf in moved.items():
        np.testing.assert_allclose(got[path], leaf, rtol=1e-9, atol=1e-9 * np.max(np.abs(leaf)), err_msg=path)


@sample(3)
def test_moving_one_leaf_alone_changes_the_outputs(example):
    """The groups move leaves that matter: leaving any one of a permutation's leaves behind is noticed."""
    it = inferred(example)
    leaves = {path: np.asarray(leaf) for path, leaf in it.arrays.items()}
    before = it.outputs(it.arrays)
    for name, group in it.spec.groups.items():
        if group.kind != "permutation":
            continue
        only = it.spec.without(*(set(it.spec.groups) - {name}))
        moved = oracle.act(only, oracle.random_element(only, np.random.default_rng(3)), leaves)
        paths = sorted({leaf.path for leaf, _, _ in it.spec.occurrences(name)})
        changes = [difference(it.outputs({**it.arrays, path: moved[path]}), before) for path in paths]
        assert len(paths) == 1 or max(changes) > 1e-6, f"{name}: {dict(zip(paths, changes, strict=True))}"


@sample(20)
def test_planted_permutation_is_recovered(example):
    """The continuous groups rest, so that what comes back is the same to the last bit."""
    it = inferred(example)
    spec = it.spec.without(*(name for name, group in it.spec.groups.items() if group.kind != "permutation"))
    planted = oracle.random_element(it.spec, np.random.default_rng(4), kinds=("permutation",))
    moved = it.act(planted, it.arrays)
    match = jax.jit(
        lambda key, moved: gj.symmetry.weight_matching(spec, it.params, it.rebuild(moved), key=key).element
    )
    # Coordinate descent may stop in a local optimum: several orders, of which one must reach the global one.
    for key in jax.random.split(jax.random.key(5), 12):
        back = it.act(match(key, moved), moved)
        if all(bool(jnp.array_equal(back[path], leaf)) for path, leaf in it.arrays.items()):
            return
    pytest.fail(f"no start recovers the planted element\n{it.spec}")


@gallery
def test_json_round_trip(example):
    spec = inferred(example).spec
    assert SymmetrySpec.from_json(spec.to_json()) == spec


@gallery
def test_printed_table_fits_and_names_every_group(example):
    spec = inferred(example).spec
    full, short = spec.table(full=True).splitlines(), str(spec).splitlines()
    for name in spec.groups:
        assert any(line.startswith(name) for line in full), name
    assert max(map(len, short)) <= 160 and len(short) <= len(full)
    for pin in spec.pins:
        assert pin.primitive and pin.reason


def test_gallery_is_large_enough_and_names_are_unique():
    names = [example.name for example in EXAMPLES]
    assert len(set(names)) == len(names) >= 36
    assert {name.split()[0] for name in names} == {"linen", "nnx", "equinox", "plain"}
