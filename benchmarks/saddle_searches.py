"""A part of bench_transport_papers.py: searches for a saddle with a Gaussian process, of all observations or a few."""

import functools
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from scipy.optimize import minimize_scalar
from threadpoolctl import threadpool_limits
from timing import clocked
from transport_estimates import mean_and_error

from geojax.transport import farthest_point_sampling


def muller_brown(p):
    """The surface's value and gradient, in hundreds."""
    a, b, c = np.array([[-1, -1, -6.5, 0.7], [0, 0, 11, 0.6], [-10, -10, -6.5, 0.7]])
    x, y = p[0] - np.array([1, 0, -0.5, -1]), p[1] - np.array([0, 0.5, 1.5, 1])
    terms = np.array([-2, -1, -1.7, 0.15]) * np.exp(a * x**2 + b * x * y + c * y**2)
    return np.array([terms.sum(), terms @ (2 * a * x + b * y), terms @ (b * x + 2 * c * y)])


def covariance(x, y, length):
    """Of (value, gradient) at x with those at y, under exp(-|x - y|^2 / (2 length^2)): [3 n, 3 m]."""
    gaps = (x[:, None] - y) / length
    blocks = np.empty((len(x), 3, len(y), 3))
    blocks[:, 0, :, 0] = 1
    blocks[:, 0, :, 1:], blocks[:, 1:, :, 0] = gaps / length, -gaps.transpose(0, 2, 1) / length
    blocks[:, 1:, :, 1:] = (
        np.eye(2)[:, None] - gaps.transpose(0, 2, 1)[..., None] * gaps[:, None]
    ) / length**2
    return (blocks * np.exp(-np.sum(gaps**2, -1) / 2)[:, None, :, None]).reshape(3 * len(x), -1)


def fitted(points, values):
    """The length of greatest marginal likelihood, of at most 15 tried, and the weights of the mean."""
    centred = (values - np.array([values[:, 0].mean(), 0, 0])).ravel()

    def factored(log_length):
        gram = covariance(points, points, np.exp(log_length)) + 1e-6 * np.eye(centred.size)
        factor = scipy.linalg.cho_factor(gram, lower=True)
        return factor[0], scipy.linalg.cho_solve(factor, centred)

    def loss(log_length):
        factor, weights = factored(log_length)
        return centred.size * np.log(centred @ weights) / 2 + np.sum(np.log(np.diag(factor)))

    found = minimize_scalar(loss, bounds=np.log((0.15, 1)), method="bounded", options={"maxiter": 13}).x
    return np.exp(found), factored(found)[1]


def climbed(points, length, weights, at, trust):
    """Up the softest direction of the surrogate and down the other, until as far as the trust from the start."""

    def slope(p):
        return covariance(p[None], points, length)[1:] @ weights

    start, shifts = at, 1e-4 * np.eye(2)
    for _ in range(8):
        hessian = np.stack([(slope(at + e) - slope(at - e)) / 2e-4 for e in shifts])
        curvature, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
        move = np.array([1, -1]) * (vectors.T @ slope(at)) / np.maximum(np.abs(curvature), 0.5)
        at = at + vectors @ move * min(1, 0.4 * trust / (np.linalg.norm(move) + 1e-12))
        far = np.linalg.norm(at - start)
        if far > trust:
            return start + (at - start) * trust / far
    return at


@functools.partial(jax.jit, static_argnums=1)
def farthest(pool, kept):
    return farthest_point_sampling(jnp.linalg.norm(pool[:, None] - pool, axis=-1), kept)


def search(start, kept, trust, most):
    """Until the gradient is below 1e-3: {seconds of fits, of everything, observations, error of the saddle}."""
    at, points, values = start, np.empty((0, 2)), np.empty((0, 3))
    fits, others, seen = 0.0, 0.0, 0
    while seen < most:
        seen, value = seen + 1, muller_brown(at)
        if np.linalg.norm(value[1:]) < 1e-3:
            break
        began = time.perf_counter()
        points, values = np.concatenate([at[None], points]), np.concatenate([value[None], values])
        if kept and len(points) > kept:  # the newest is the first, so that it stays
            chosen = np.asarray(farthest(points, kept))
            points, values = points[chosen], values[chosen]
        chosen_at = time.perf_counter()
        length, weights = fitted(points, values)
        fitted_at = time.perf_counter()
        at = climbed(points, length, weights, at, trust)
        fits, others = (
            fits + fitted_at - chosen_at,
            others + chosen_at - began + time.perf_counter() - fitted_at,
        )
    return {"fit": fits, "all": fits + others, "seen": seen, "miss": np.linalg.norm(at - [-0.82200, 0.62431])}


def pruned_searches(quick):
    """time of a Gaussian process along searches for a saddle, of all observations and of 10 of them."""
    with threadpool_limits(1):  # the matrices are small, and both are helped by it
        trusts = {0.05: 30} if quick else {0.05: 60, 0.01: 150}
        report = {
            f"steps of {trust}": compared_searches(trust, most, 2 if quick else 10)
            for trust, most in trusts.items()
        }
        report["milliseconds of a fit, by observations"] = lone = {}
        rng = np.random.default_rng(0)
        for n in (10, 20) if quick else (10, 20, 40, 80, 160):
            points = rng.uniform([-1.2, 0.2], [0, 1.6], (n, 2))
            values = np.stack([muller_brown(p) for p in points])
            lone[n] = statistics.median(clocked(lambda p=points, v=values: fitted(p, v))[0] for _ in range(5))
    return report


def compared_searches(trust, most, searches):
    """The same searches by both, in turns; a new observation takes the place of the one that sampling leaves out."""
    kept, runs = 10, {"unpruned": [], "pruned": []}
    farthest(np.zeros((kept + 1, 2)), kept)  # compiled
    for seed in range(searches):
        start = np.array([-0.7, 1.2]) + np.random.default_rng(seed).normal(0, 0.05, 2)
        runs["unpruned"].append(search(start, 0, trust, most))
        runs["pruned"].append(search(start, kept, trust, most))
    report = {
        name: {
            "milliseconds of a fit": mean_and_error([1e3 * run["fit"] / run["seen"] for run in found]),
            "milliseconds of a search": mean_and_error([1e3 * run["all"] for run in found]),
            "observations": mean_and_error([run["seen"] for run in found]),
            "share that end at the saddle": sum(run["miss"] < 0.01 for run in found) / searches,
        }
        for name, found in runs.items()
    }
    pairs = list(zip(runs["unpruned"], runs["pruned"], strict=True))
    both = [pair for pair in pairs if all(run["miss"] < 0.01 for run in pair)]
    for what in ("fit", "all"):
        for of, chosen in (("", pairs), (", where both end at the saddle", both)):
            if not chosen:
                continue
            whole, pruned = (
                sum(times) for times in zip(*((a[what], b[what]) for a, b in chosen), strict=True)
            )
            report[f"pruned / unpruned, {what}{of}"] = pruned / whole
    report["under half"] = report["pruned / unpruned, all"] < 0.5
    return report
