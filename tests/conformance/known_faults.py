"""Faults of the library that a check has found and nobody has mended yet: {check: {label of a case: what happens}}.

The check still runs, and must fail: once the fault is mended its line here is stale, and the test says so.
"""

KNOWN_FAULTS: dict[str, dict[str, str]] = {
    "non_array_leaves": {
        "regmean": "a function among the leaves: AttributeError, as it is asked for its ndim",
        "reversible_merge": "a function among the leaves: vmap over the models refuses it from inside JAX",
        "revert": "a Python float in the basis: AttributeError, as it is asked for its dtype",
        "concrete_fit": "a function among the leaves reaches the loop, which refuses it from inside JAX",
        "learn_aggregation": "a function among the leaves reaches the loop, which refuses it from inside JAX",
        "weight_signature": "a function among the leaves: zeros_like refuses it from inside JAX",
        "collect_weights": "a function among the leaves reaches the scan, which refuses it from inside JAX",
        "weight_subspace": "a function among the leaves becomes None in the mean",
        "sample_subspace": "a Python float in the mean: AttributeError, as it is asked for its dtype",
        "pareto_loss": "typed keys in the stack reach arithmetic, which refuses them from inside JAX",
        "scale_by_scaled_gd": "a scalar leaf is refused without its path",
        "steepest_descent": "a function among the leaves is refused without its path",
        "scale_by_adamp": "a function among the leaves: zeros_like refuses it from inside JAX",
        "scale_by_sgdp": "a function among the leaves: zeros_like refuses it from inside JAX",
        "hidden_symmetry_defect": "a Python float: AttributeError, as it is asked for its dtype",
        "orbit_dimension": "a Python float: AttributeError, as it is asked for its dtype",
    }
}


def faults_of(label: str) -> dict[str, str]:
    """The known faults of a case, by check."""
    return {check: cases[label] for check, cases in KNOWN_FAULTS.items() if label in cases}
