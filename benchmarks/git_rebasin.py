"""A peer: the weight matching published with Git Re-Basin (Ainsworth et al., Algorithm 1), rewritten for
MLPs.

The same steps in the same order: random order of layers in each sweep, one scipy assignment a layer on the
sum of the products of its incoming and outgoing weights, until a sweep brings no progress. numpy throughout.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment


def weight_matching(params_a, params_b, seed=0, max_sweeps=100):
    """One permutation for each hidden layer, the objective <A, P B>, and the number of sweeps."""
    a = [{name: np.asarray(x) for name, x in layer.items()} for layer in params_a]
    b = [{name: np.asarray(x) for name, x in layer.items()} for layer in params_b]
    rng = np.random.default_rng(seed)
    perms = [np.arange(layer["b"].size) for layer in a[:-1]]
    num_sweeps = 0
    for _ in range(max_sweeps):
        num_sweeps += 1
        progress = False
        for i in rng.permutation(len(perms)):
            n = perms[i].size
            rows = b[i]["w"] if i == 0 else b[i]["w"][perms[i - 1]]
            columns = b[i + 1]["w"] if i + 1 == len(perms) else b[i + 1]["w"][:, perms[i + 1]]
            gains = np.outer(a[i]["b"], b[i]["b"])
            gains = gains + a[i]["w"].T @ rows + a[i + 1]["w"] @ columns.T
            _, best = linear_sum_assignment(gains, maximize=True)
            before = np.vdot(gains, np.eye(n)[perms[i]])
            after = np.vdot(gains, np.eye(n)[best])
            progress = progress or after > before + 1e-12
            perms[i] = best
        if not progress:
            break
    moved = permute(b, perms)
    objective = sum(float(np.vdot(x[name], y[name])) for x, y in zip(a, moved, strict=True) for name in x)
    return perms, objective, num_sweeps


def permute(params, perms):
    """The network with hidden layer i reordered by perms[i]."""
    moved = []
    for i, layer in enumerate(params):
        w, bias = np.asarray(layer["w"]), np.asarray(layer["b"])
        if i > 0:
            w = w[perms[i - 1]]
        if i < len(perms):
            w, bias = w[:, perms[i]], bias[perms[i]]
        moved.append({"w": w, "b": bias})
    return moved
