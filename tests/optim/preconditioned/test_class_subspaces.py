"""Subspaces of classes, trained with ordinary weights in one update by riemannian_sgd."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.linalg

from geojax.manifolds import Grassmann, Power
from geojax.manifolds.frames import grassmann_logits
from geojax.optim import riemannian_sgd

CLASSES, DIM, RANK = 3, 8, 2


def test_planted_subspaces_are_recovered_and_stay_orthonormal_in_float32():
    """Largest principal angle below 0.05 by scipy, after 500 float32 steps that start anywhere.

    The planes are random but orthogonal to each other, so that to tell them apart is to find them.
    """
    k1, k2, k3 = jax.random.split(jax.random.key(0), 3)
    manifold = Power(Grassmann())
    frame = Grassmann().random_point(k1, (DIM, CLASSES * RANK), dtype=jnp.float32)
    planted = jnp.moveaxis(frame.reshape(DIM, CLASSES, RANK), 1, 0)
    labels = jnp.repeat(jnp.arange(CLASSES), 64)
    inside = jax.random.normal(k2, (labels.size, RANK), jnp.float32)
    points = jnp.einsum("ndk,nk->nd", planted[labels], inside)
    points = points / jnp.linalg.norm(points, axis=1, keepdims=True)

    def loss(params):
        cosines = jax.vmap(lambda x: grassmann_logits(x, params["planes"]))(points)
        errors = optax.softmax_cross_entropy_with_integer_labels(4 * cosines + params["bias"], labels)
        own = jnp.take_along_axis(cosines, labels[:, None], axis=1)
        return jnp.mean(errors) + jnp.mean(4 * (1 - own))

    params = {
        "planes": manifold.random_point(k3, (CLASSES, DIM, RANK), dtype=jnp.float32),
        "bias": jnp.asarray([1.0, 0.0, -1.0], jnp.float32),
    }
    rate = optax.cosine_decay_schedule(0.3, 500)
    optimiser = riemannian_sgd(rate, {"planes": manifold, "bias": None}, momentum=0.9)

    def step(carry, _):
        params, state = carry
        updates, state = optimiser.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    (params, _), _ = jax.jit(lambda p: jax.lax.scan(step, (p, optimiser.init(p)), length=500))(params)
    found = params["planes"]
    assert found.dtype == jnp.float32
    gram = jnp.einsum("cdk,cdl->ckl", found, found)
    np.testing.assert_allclose(gram, jnp.broadcast_to(jnp.eye(RANK), gram.shape), atol=1e-5)
    for ours, true in zip(found, planted):
        assert np.max(scipy.linalg.subspace_angles(np.asarray(ours), np.asarray(true))) < 0.05
    # The ordinary weights of the same update: balanced classes need no bias.
    assert float(jnp.max(jnp.abs(params["bias"] - jnp.mean(params["bias"])))) < 0.2
