"""Parts of bench_transport_papers.py that measure errors over seeds: predicted scores, random features, effects."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from geojax.transport import feature_sinkhorn, random_directions, simplex_directions, sinkhorn
from geojax.transport.features import (
    gaussian_features,
    gaussian_frequencies,
    simplex_plus_frequencies,
    softmax_features,
)
from geojax.transport.laws import (
    ate_ustatistic,
    fit_ot_predictor,
    mixture_ot,
    project_scale,
    uniform_transform,
)


def mean_and_error(values):
    """Mean over seeds, and its standard error."""
    values = np.asarray(values, float)
    return {"mean": values.mean(), "std_error": values.std(ddof=1) / len(values) ** 0.5}


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, 0))
def mixture_cost(sources, target, alpha):
    return mixture_ot(sources, target, alpha, epsilon=0.5, tol=1e-4)


def mixture_scores(quick):
    """absolute error of predicted accuracies, of unseen mixtures of digits and of unseen sizes."""
    seeds, trials, draws, sizes = (2, 6, 1, (40, 80, 120)) if quick else (5, 20, 4, (60, 120, 360))
    rows = [mixture_row(np.random.default_rng(seed), trials, draws, *sizes) for seed in range(seeds)]
    about = {
        "sizes tried": sizes[:2],
        "size unseen": sizes[2],
        "mixtures tried": trials,
        "draws of each": draws,
    }
    return about | {name: mean_and_error([row[name] for row in rows]) for name in rows[0]}


def mixture_row(rng, trials, draws, small, large, unseen):
    """Mean absolute errors of one set of three sources, which differ in their labels."""
    x, y = load_digits(return_X_y=True)
    x, left, sources = x / 16, np.arange(len(x)), []
    for group in ((0, 1, 2, 3), (4, 5, 6), (7, 8, 9)):  # a source has thirty times as many of its digits
        odds = np.where(np.isin(y[left], group), 30.0, 1.0)
        sources.append(rng.choice(left, 400, replace=False, p=odds / odds.sum()))
        left = np.setdiff1d(left, sources[-1])

    def accuracy(alpha, size):
        found = []
        for _ in range(draws):
            counts = np.round(alpha * size).astype(int)
            each = [rng.choice(s, c, replace=False) for s, c in zip(sources, counts, strict=True)]
            chosen = np.concatenate(each)
            found.append(RidgeClassifier().fit(x[chosen], y[chosen]).score(x[left], y[left]))
        return np.mean(found)

    tried, new = (rng.dirichlet(np.ones(3), trials) for _ in range(2))
    target = jnp.asarray(x[rng.choice(left, 120, replace=False)])
    costs, new_costs = (
        mixture_cost(jnp.stack([x[s[:80]] for s in sources]), target, a) for a in (tried, new)
    )
    seen = {n: np.array([accuracy(a, n) for a in tried]) for n in (small, large)}
    true = {n: np.array([accuracy(a, n) for a in new]) for n in (small, large, unseen)}
    again = np.array([accuracy(a, large) for a in new])

    def predicted(sizes, n):
        """Accuracies of the new mixtures at size n, from those that were tried at these sizes."""
        many = len(sizes)
        scores = np.concatenate([seen[size] for size in sizes])
        fit = fit_ot_predictor(
            np.tile(tried, (many, 1)), np.repeat(sizes, trials).astype(float), np.tile(costs, many), scores
        )
        return np.asarray(jax.vmap(fit.predict, (0, 0, None))(new, new_costs, float(n)))

    linear = new @ np.linalg.lstsq(tried, seen[large], rcond=None)[0]
    wrong = [np.clip(1 - predicted([n], n), 0.01, 1) for n in (small, large)]
    power = 1 - np.asarray(jax.vmap(lambda a, b: project_scale(a, b, small, large, unseen))(*wrong))
    guesses = {
        "unseen mixtures": (predicted([large], large), large),
        "unseen mixtures, the mean of those tried": (seen[large].mean(), large),
        "unseen mixtures, linear in the shares, no transport": (linear, large),
        "unseen mixtures, other draws of the same": (again, large),
        "unseen mixtures and size, power law": (power, unseen),
        "unseen mixtures and size, linear in the logarithm": (predicted([small, large], unseen), unseen),
        "unseen mixtures and size, the mean of the largest tried": (seen[large].mean(), unseen),
    }
    errors = {name: np.mean(np.abs(guess - true[n])) for name, (guess, n) in guesses.items()}
    spread = {f"spread of the true accuracies, size {n}": true[n].std() for n in (large, unseen)}
    return errors | spread


FREQUENCIES = {
    "independent": functools.partial(gaussian_frequencies, directions=random_directions),
    "orthogonal": gaussian_frequencies,
    "simplex": functools.partial(gaussian_frequencies, directions=simplex_directions),
    "simplex plus": simplex_plus_frequencies,
}


def random_features(quick):
    """squared error of kernels, of linear attention and linear Sinkhorn, at equal counts of features."""
    groups, draws, d, n = (2, 4, 4, 16) if quick else (20, 50, 8, 128)
    count = 8 * d
    keys = jax.random.split(jax.random.key(1), (groups, draws))
    frequencies = {
        name: jax.jit(lambda k, draw=draw: jax.lax.map(jax.vmap(lambda k: draw(k, (count, d))), k))(keys)
        for name, draw in FREQUENCIES.items()
    }
    q, k, v = jax.random.normal(jax.random.key(0), (3, n, d))

    def kernel(size):
        x, y = (size * z[:8] / jnp.linalg.norm(z[:8], axis=1, keepdims=True) for z in (q, k))

        def error(w):
            """Mean over blocks of d features each."""
            blocks = w.reshape(-1, d, d)
            found = jax.vmap(lambda w: softmax_features(x, w) @ softmax_features(y, w).T)(blocks)
            return jnp.mean((found - jnp.exp(x @ y.T)) ** 2)

        return error

    def attention(size):
        scaled = size * q / d**0.25, size * k / d**0.25
        exact = jax.nn.softmax(scaled[0] @ scaled[1].T) @ v

        def error(w):
            weights = softmax_features(scaled[0], w) @ softmax_features(scaled[1], w).T
            return jnp.mean((weights @ v / weights.sum(1, keepdims=True) - exact) ** 2)

        return error

    x, y, ones, epsilon = q / 4, k / 4 + 0.2, jnp.full(n, 1 / n), 1.0
    costs = jnp.sum((x[:, None] - y) ** 2, -1)
    exact = jax.jit(sinkhorn)(costs, ones, ones, epsilon=epsilon, tol=1e-8).cost

    def transport(w):
        phi = [gaussian_features(z * (2 / epsilon) ** 0.5, w) for z in (x, y)]
        return (feature_sinkhorn(*phi, ones, ones, epsilon=epsilon, tol=1e-6).cost - exact) ** 2

    report = {"dimension": d, "keys": groups * draws, "cost of the transport": float(exact)}
    errors = {f"kernel, points of norm {size}, {d} features": kernel(size) for size in (0.5, 1.0)}
    errors |= {f"attention, normal times {size}, {count} features": attention(size) for size in (0.5, 1.0)}
    errors[f"Sinkhorn, {count} features"] = transport
    for name, error in errors.items():
        call = jax.jit(lambda w, error=error: jax.lax.map(jax.vmap(error), w).mean(1))
        report[name] = ratios({kind: np.asarray(call(w)) for kind, w in frequencies.items()})
    return report


def ratios(errors):
    """Mean squared errors over groups of keys, and how many times that of orthogonal features."""
    base, report = errors["orthogonal"], {}
    for name, error in errors.items():
        ratio = error.mean() / base.mean()
        spread = mean_and_error(error - ratio * base)["std_error"] / base.mean()
        report[name] = {
            "mean squared error": mean_and_error(error),
            "over orthogonal": {"mean": ratio, "std_error": spread},
        }
    return report


def rough(x, phases, roughness):
    """A sum of cosines of a Hoelder exponent in each coordinate, of variance 1."""
    k = np.arange(phases.shape[1])
    heights = 2.0 ** (-roughness * k)
    waves = np.cos(2 * np.pi * 2.0**k * x[..., None] + phases) * heights
    return waves.sum((-1, -2)) / np.sqrt(x.shape[1] * np.sum(heights**2) / 2)


def treatment_effects(quick):
    """error of the effect (which is 1) where a rough function confounds outcomes and treatment."""
    seeds, half = (3, 60) if quick else (20, 500)
    widths = (0.01, 0.03, 0.1)
    report = {"units": 2 * half}
    for d, roughness in ((1, 0.2), (1, 1.0), (2, 0.2)):
        estimate = jax.jit(functools.partial(effects, widths=widths, num_bins=1 if d == 1 else 16))
        rows = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            phases = rng.uniform(0, 2 * np.pi, (d, 9))
            x = rng.uniform(size=(20 * half, d))
            share = 1 / (1 + np.exp(-rough(x, phases, roughness)))
            treated = rng.uniform(size=len(x)) < share
            chosen = np.concatenate([np.flatnonzero(treated)[:half], np.flatnonzero(~treated)[:half]])
            x, share, t = x[chosen], share[chosen], np.arange(2 * half) < half
            outcome = rough(x, phases, roughness) + t + 0.5 * rng.normal(size=2 * half)
            found = {"difference of means": outcome[t].mean() - outcome[~t].mean()}
            for width, value in zip(widths, estimate(x, x[half:], outcome, t), strict=True):
                found[f"U-statistic, h = {width}"] = float(value)
            for degree in (1, 5):
                polynomials = PolynomialFeatures(degree)
                model = make_pipeline(polynomials, LogisticRegression(C=1e3, max_iter=1000)).fit(x, t)
                found[f"inverse propensity, logistic of degree {degree}"] = weighted(
                    outcome, t, model.predict_proba(x)[:, 1]
                )
            near = KNeighborsClassifier(30).fit(x, t).predict_proba(x)[:, 1]
            found["inverse propensity, of 30 neighbours"] = weighted(outcome, t, np.clip(near, 0.02, 0.98))
            found["inverse propensity, the true one"] = weighted(outcome, t, share)
            rows.append(found)
        report[f"dimension {d}, exponent {roughness}"] = {
            name: mean_and_error([abs(row[name] - 1) for row in rows]) for name in rows[0]
        }
    return report


def effects(x, reference, outcome, t, *, widths, num_bins):
    u = uniform_transform(x, reference, num_bins=num_bins)
    return [ate_ustatistic(u, outcome, t, h=h) for h in widths]


def weighted(outcome, t, share):
    """The effect on all, by normalised inverse propensities."""
    return np.average(outcome[t], weights=1 / share[t]) - np.average(outcome[~t], weights=1 / (1 - share[~t]))
