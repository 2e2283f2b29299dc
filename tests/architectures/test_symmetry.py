"""The symmetry of each architecture as inferred, against a derivation by hand."""

import collections
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.architectures import from_config
from tests.architectures.models import GPT2, MODELS
from tests.symmetry.inference import oracle
from tests.symmetry.inference.gallery.example import found

# Each output is a few hundred products and sums of float64; matrices have condition numbers below 100.
TOLERANCE = 1e-9

models = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name.replace(" ", "-"))


@functools.cache
def spec(model):
    """Read off shapes; rotations of rotary positions are only found with numbers, by verification."""
    concrete = model.arch.name == "llama"
    params = model.params if concrete else model.arch.shapes()
    return gj.symmetry.infer(model.arch.apply, params, *model.arch.inputs(), verify=False)


@models
def test_groups_are_those_derived_by_hand(model):
    got, expected = collections.Counter(found(spec(model))), collections.Counter(model.groups)
    assert got == expected, (
        f"too many: {got - expected}, missing: {expected - got}; {model.reason}\n{spec(model)}"
    )
    assert all(leaf.read for leaf in spec(model).leaves)


@models
def test_law_random_elements_leave_outputs_unchanged(model):
    """On longer inputs than those the spec was read from, with masks and segments."""
    leaves = alive(model)
    before = model.run(leaves)
    for seed in range(3):
        moved = oracle.act(
            spec(model), oracle.random_element(spec(model), np.random.default_rng(seed)), leaves
        )
        assert max(np.max(np.abs(moved[name] - leaves[name])) for name in leaves) > 0.1
        np.testing.assert_allclose(model.run(moved), before, rtol=0, atol=TOLERANCE * np.max(np.abs(before)))


@models
def test_moving_one_leaf_alone_changes_the_outputs(model):
    leaves = alive(model)
    before = model.run(leaves)
    everything = oracle.random_element(spec(model), np.random.default_rng(5))
    for name in spec(model).groups:
        alone = spec(model).without(*(set(spec(model).groups) - {name}))
        moved = oracle.act(alone, {name: everything[name]}, leaves)
        changed = [path for path in leaves if np.any(moved[path] != leaves[path])]
        if not changed:  # signs may have been drawn as ones
            assert spec(model).groups[name].kind == "sign" and np.all(everything[name] == 1)
            continue
        assert len(changed) > 1, f"{name} moves {changed} alone"
        effects = [np.max(np.abs(model.run({**leaves, path: moved[path]}) - before)) for path in changed]
        assert max(effects) > 1e-6, f"{name}: {dict(zip(changed, effects))}"


def alive(model):
    """The parameters, with channels lifted so that every relu lets something through."""
    lift = lambda name: 1.0 if name.endswith("normalization.bias") else 0.0
    return {name: np.asarray(leaf) + lift(name) for name, leaf in model.params.items()}


def test_verification_passes_and_its_control_does_not():
    model = next(m for m in MODELS if m.name == "bert for masked tokens")
    result = gj.symmetry.verify(
        spec(model), model.arch.apply, model.params, *model.arch.inputs(), key=jax.random.key(0)
    )
    assert result.passed and result.change < 1e-12 and not result.blind
    assert result.control > 1e-3


def test_gpt2_small_is_read_from_its_config_alone():
    """124 million parameters, of which none is made."""
    arch = from_config(
        {**GPT2, "vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024}
    )
    assert sum(np.prod(s.shape) for s in arch.shapes().values()) == 124_439_808
    read = gj.symmetry.infer(arch.apply, arch.shapes(), *arch.inputs())
    kinds = collections.Counter((g.kind, g.size, g.parent_sizes) for g in read.groups.values())
    assert kinds == {
        ("permutation", 768, ()): 1,
        ("permutation", 12, ()): 12,
        ("permutation", 64, (12,)): 24,
        ("permutation", 3072, ()): 12,
        ("general_linear", 64, (12,)): 24,
        ("scaling", 768, ()): 24,
        ("sign", 768, ()): 24,
    }


def test_similarities_of_embeddings_free_the_stream_that_embeddings_hold():
    """Any function may be asked: angles between states depend neither on the units' order nor on their signs."""
    model = next(m for m in MODELS if m.name == "bert")

    def angles(params, tokens):
        states = model.arch.apply(params, tokens).mean(1)
        return states @ states.T / jnp.linalg.norm(states, axis=1)

    free = gj.symmetry.infer(angles, model.arch.shapes(), *model.arch.inputs())
    more = collections.Counter(found(free)) - collections.Counter(model.groups)
    assert [(g.kind, g.size) for g in more] == [("permutation", 12), ("sign", 12)]
