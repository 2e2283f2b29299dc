"""Cases of rankings; `cases_symmetry` takes them into its list."""

import jax
import jax.numpy as jnp

from geojax.symmetry.rankings import breakdown, bucket_merge, kemeny_median, kendall_tau, spearman_footrule
from tests.conformance.case import Case

SMOOTH = ("gradient_matches_differences", "forward_equals_reverse", "gradient_finite_at_edges")
INTEGERS = {
    "nan_is_honest": "takes integers, which hold no NaN",
    **dict.fromkeys(SMOOTH, "a distance of integers has no derivative"),
}
HALVES = "takes integers; halves of ties are in the default precision"
CHOICE = dict.fromkeys(SMOOTH, "documented as not differentiated: it chooses among rankings")
RANKING = {**CHOICE, "nan_is_honest": "integers only; every position is -1"}


def two_rankings(key, dtype):
    return tuple(jax.random.permutation(k, jnp.arange(4, dtype=jnp.int32)) for k in jax.random.split(key))


def pairwise(key, dtype):
    draws = jax.random.uniform(key, (3, 3), dtype, 0.1, 1)
    return (draws / (draws + draws.T),)


CASES = [
    Case("kendall_tau", kendall_tau, two_rankings, exemptions={**INTEGERS, "dtypes_kept": HALVES}),
    Case("spearman_footrule", spearman_footrule, two_rankings, exemptions=INTEGERS),
    Case("kemeny_median", kemeny_median, pairwise, exemptions=RANKING),
    Case(
        "bucket_merge",
        bucket_merge,
        lambda key, dtype: (*pairwise(key, dtype), jnp.asarray(0.1, dtype)),
        call=lambda p, threshold: bucket_merge(p, threshold=threshold),
        exemptions=RANKING,
    ),
    Case(
        "breakdown",
        breakdown,
        pairwise,
        call=lambda p: breakdown(p, kemeny_median, delta=1),
        exemptions=CHOICE,
        tolerance=1e-6,
    ),
]
