"""Faults of the library that a check has found and nobody has mended yet: {check: {label of a case: what happens}}.

The check still runs, and must fail: once the fault is mended its line here is stale, and the test says so.
"""

KNOWN_FAULTS: dict[str, dict[str, str]] = {
    "gradient_matches_differences": {
        "Stiefel": "log is NaN between frames that are off the manifold by 1e-10, as difference quotients move them",
    },
    "non_array_leaves": {
        "concrete_fit": "a function among the leaves reaches the loop, which refuses it from inside JAX",
        "collect_weights": "a function among the leaves reaches the scan, which refuses it from inside JAX",
        "weight_subspace": "a function among the leaves becomes None in the mean",
        "sample_subspace": "a Python float in the mean: AttributeError, as it is asked for its dtype",
        "scale_by_scaled_gd": "a scalar leaf is refused without its path",
        "steepest_descent": "a function among the leaves is refused without its path",
    },
}


def faults_of(label: str) -> dict[str, str]:
    """The known faults of a case, by check."""
    return {check: cases[label] for check, cases in KNOWN_FAULTS.items() if label in cases}
