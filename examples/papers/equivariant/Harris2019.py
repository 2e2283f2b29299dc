"""Characterizing the invariances of learning algorithms using category theory [Harris2019].

Claim: the predictor that linear regression learns moves with every invertible linear map of the features and every
    affine map of the targets; that of ridge regression with orthogonal maps and with scalings of the targets only.
    Neither depends on the order of the examples.

Differs: the paper proves this with natural transformations; here the groups are read off the programs of the two
    learners, as functions from data to coefficients, and the predictors are compared in numbers under drawn maps. The
    programs say more: both are invariant to every orthogonal map of the examples, not to their permutations alone.
"""

import jax
import jax.numpy as jnp

import geojax as gj
from examples.papers.harness import Claim, Size, above, below

EXAMPLES, FEATURES = 24, 4


def least_squares(x, y):
    """The coefficients of linear regression."""
    return jnp.linalg.solve(x.T @ x, x.T @ y)


def ridge(x, y):
    """The coefficients of ridge regression."""
    return jnp.linalg.solve(x.T @ x + 5.0 * jnp.eye(x.shape[1]), x.T @ y)


def with_offset(x, y):
    """A predictor: linear regression with a constant."""
    w = least_squares(jnp.column_stack([x, jnp.ones(len(x))]), y)
    return lambda z: z @ w[:-1] + w[-1]


def standardised(x, y):
    """A predictor: ridge regression on features of variance one."""
    scale = jnp.std(x, axis=0)
    w = ridge(x / scale, y)
    return lambda z: (z / scale) @ w


def linear(fit):
    """The predictor of a learner that returns coefficients."""
    return lambda x, y: (lambda w: lambda z: z @ w)(fit(x, y))


def moved_by(fit, group):
    """Whether a group of this kind on the features moves the coefficients, and whether examples may be permuted."""
    data = (
        jax.ShapeDtypeStruct((EXAMPLES, FEATURES), jnp.float32),
        jax.ShapeDtypeStruct((EXAMPLES,), jnp.float32),
    )
    found = gj.symmetry.equivariance(fit, *data)
    features = {found.groups[n].kind for n in found.equivariant if found.groups[n].size == FEATURES}
    examples = {found.groups[n].kind for n in found.invariant if found.groups[n].size == EXAMPLES}
    targets = {found.groups[n].kind for n in found.equivariant if found.groups[n].size == 1}
    return group in features, {"permutation", "orthogonal"} <= examples, "scaling" in targets


def defects(key):
    """How far the predictor of moved data is from the moved predictor, at new points, relative to its values."""
    keys = jax.random.split(key, 8)
    x = jax.random.normal(keys[0], (EXAMPLES, FEATURES)) + 0.3
    y = x @ jax.random.normal(keys[1], (FEATURES,)) + jax.random.normal(keys[2], (EXAMPLES,))
    z = jax.random.normal(keys[3], (16, FEATURES))
    left, right = jax.random.orthogonal(keys[4], FEATURES), jax.random.orthogonal(keys[5], FEATURES)
    scales = jnp.array([0.5, 0.8, 1.5, 2.0])
    general = left @ jnp.diag(scales) @ right
    order = jax.random.permutation(keys[6], EXAMPLES)
    same = jnp.eye(FEATURES)

    def of(learner, map_of_features, target=lambda t: t, order=None):
        rows = jnp.arange(EXAMPLES) if order is None else order
        before = target(learner(x, y)(z))
        after = learner((x @ map_of_features.T)[rows], target(y)[rows])(z @ map_of_features.T)
        return jnp.max(jnp.abs(after - before)) / jnp.max(jnp.abs(before))

    plain, shrunk = linear(least_squares), linear(ridge)
    return {
        "least squares, linear map": of(plain, general),
        "least squares, affine map of targets": of(with_offset, general, lambda t: 3 * t - 2),
        "least squares, order of examples": of(plain, same, order=order),
        "ridge, linear map": of(shrunk, general),
        "ridge, orthogonal map": of(shrunk, left),
        "ridge, scaled targets": of(shrunk, left, lambda t: 3 * t),
        "ridge, shifted targets": of(shrunk, same, lambda t: t + 10),
        "ridge, order of examples": of(shrunk, same, order=order),
        "ridge, scaled features": of(shrunk, jnp.diag(scales)),
        "standardised ridge, scaled features": of(standardised, jnp.diag(scales)),
    }


def run(size: Size) -> list[Claim]:
    """Groups read off both learners, and defects of their predictors under drawn maps."""
    least = moved_by(least_squares, "general_linear")
    shrunk = moved_by(ridge, "orthogonal")
    found = size.seeds(defects)
    zero = {
        "least squares, linear map",
        "least squares, affine map of targets",
        "least squares, order of examples",
        "ridge, orthogonal map",
        "ridge, scaled targets",
        "ridge, order of examples",
        "standardised ridge, scaled features",
    }
    return [
        Claim("least squares moves with GL(d), read off the program", "yes", float(least[0]), above(0.5)),
        Claim("ridge moves with O(d), read off the program", "yes", float(shrunk[0]), above(0.5)),
        Claim("ridge moves with GL(d)", "no", float(moved_by(ridge, "general_linear")[0]), below(0.5)),
        Claim(
            "learners of two invariant to permutations, and orthogonal maps, of the examples",
            "2",
            float(least[1]) + float(shrunk[1]),
            above(1.5),
        ),
        Claim(
            "learners of two that scale with the targets", "2", float(least[2]) + float(shrunk[2]), above(1.5)
        ),
        *(
            Claim(f"defect: {name}", "0", value, below(1e-3))
            if name in zero
            else Claim(f"defect: {name}", "above 0", value, above(0.01))
            for name, value in found.items()
        ),
    ]
