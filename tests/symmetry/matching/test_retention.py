"""Weight matching of a retention layer: linear maps of the residual stream and in each head, and signs of both."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from geojax.results import Status
from geojax.symmetry.action.acting import act
from geojax.symmetry.action.elements import random_element
from geojax.symmetry.inference.infer import infer
from geojax.symmetry.matching.by_weights import weight_matching

WIDTH, HEADS, SIZE, SEEDS = 4, 3, 2, 3
SHAPES = {
    "emb": (3, WIDTH),
    **dict.fromkeys(("q", "k", "v", "gate"), (WIDTH, HEADS, SIZE)),
    "o": (HEADS, SIZE, WIDTH),
    "out": (WIDTH, 2),
}


def retention(p, x):
    """Heads of one decay, so that they may change places."""
    h = x @ p["emb"]
    q, k, v, gate = (jnp.einsum("td,dhk->thk", h, p[name]) for name in ("q", "k", "v", "gate"))
    age = jnp.arange(len(x))[:, None] - jnp.arange(len(x))
    scores = jnp.einsum("thk,shk->hts", q, k) * jnp.where(age >= 0, 0.9**age, 0.0)
    mixed = jnp.einsum("hts,shk->thk", scores, v) * jax.nn.silu(gate)
    return (h + jnp.einsum("thk,hkd->td", mixed, p["o"])) @ p["out"]


def draw(*batch):
    random = np.random.default_rng(0)
    return {name: random.normal(size=(*batch, *shape)) for name, shape in SHAPES.items()}


@pytest.mark.full
def test_matching_stops_short_of_a_planted_element_where_heads_and_their_units_have_signs():
    spec = infer(retention, draw(), np.ones((5, 3)), verify=False)
    kinds = {(group.kind, len(group.parents)) for group in spec.groups.values()}
    assert {("general_linear", 0), ("general_linear", 1), ("sign", 0), ("sign", 1)} <= kinds

    @jax.jit
    @jax.vmap
    def law(key, params):
        moved = act(spec, random_element(spec, key), params)
        result = weight_matching(spec, moved, params, key=jax.random.key(0))
        back = act(spec, result.element, params)
        errors = [jnp.max(jnp.abs(back[k] - moved[k])) / jnp.max(jnp.abs(moved[k])) for k in params]
        return jnp.max(jnp.stack(errors)), result.status

    error, status = law(jax.random.split(jax.random.key(1), SEEDS), draw(SEEDS))
    np.testing.assert_array_equal(status, Status.CONVERGED)
    # Balancing stops at the square root of the rounding unit.
    assert np.all(error < 1e-6), error
