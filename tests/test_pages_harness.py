"""The harness of the pages: one compiled program is many runs, numbers carry their error, and files are whole."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from examples.papers import __main__ as runner
from examples.papers import harness
from examples.papers.harness import Claim, above, below

pytestmark = pytest.mark.x32
DATA = (np.linspace(-1, 1, 32, dtype=np.float32)[:, None], np.linspace(-2, 2, 32, dtype=np.float32))


def line(optimizer=None, **settings):
    """A line fitted to its data by gradient steps."""

    def loss(params, batch):
        x, y = DATA if batch is None else batch
        return jnp.mean((x[:, 0] * params - y) ** 2)

    return harness.fit(loss, lambda key: jax.random.normal(key), optimizer or optax.sgd(0.3), 40, **settings)


def test_fit_is_the_loop_that_it_stands_for():
    run = line()
    params, history = run(jax.random.key(0))
    at, losses = jax.random.normal(jax.random.split(jax.random.key(0))[0]), []
    for _ in range(40):
        losses.append(jnp.mean((DATA[0][:, 0] * at - DATA[1]) ** 2))
        at = at - 0.3 * jnp.mean(2 * (DATA[0][:, 0] * at - DATA[1]) * DATA[0][:, 0])
    np.testing.assert_allclose(history, losses, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(params, at, rtol=1e-5)
    np.testing.assert_allclose(params, 2, atol=1e-2)


def test_fit_records_what_is_asked_and_draws_batches_anew():
    params, history = line(record=lambda p: {"slope": p}, batches=harness.minibatches(DATA, 4))(
        jax.random.key(1)
    )
    assert history["slope"].shape == (40,)
    np.testing.assert_allclose(params, 2, atol=0.1)
    one, other = (harness.minibatches(DATA, 4)(jax.random.key(i)) for i in (0, 1))
    assert not np.array_equal(one[0], other[0])
    np.testing.assert_allclose(one[1], 2 * one[0][:, 0], rtol=1e-6)


def test_fit_tells_the_optimiser_the_loss():
    params, _ = line(optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(10)))(
        jax.random.key(0)
    )
    np.testing.assert_allclose(params, 2, atol=1e-3)


@pytest.mark.parametrize("batch", [jax.vmap, harness.in_turn, None])
def test_seeds_are_a_loop_over_keys(batch):
    run = line()
    found = harness.seeds(run, 3, batch=batch, start=5)
    expected = [run(jax.random.key(i)) for i in (5, 6, 7)]
    np.testing.assert_allclose(found[0], [each[0] for each in expected], rtol=1e-5)
    np.testing.assert_allclose(found[1], [each[1] for each in expected], rtol=1e-4, atol=1e-6)


def test_a_size_starts_where_it_is_told():
    draw = lambda key: jax.random.uniform(key)
    size = harness.QUICK._replace(start=1)
    np.testing.assert_array_equal(size.seeds(draw, 2), harness.seeds(draw, 3)[1:])
    assert len(harness.QUICK.seeds(draw)) == 3


def test_sweep_is_a_loop_over_values():
    rates = jnp.array([0.1, 0.2])
    found = harness.sweep(lambda rate: line(optax.sgd(rate)), rates)(jax.random.key(0))
    expected = [line(optax.sgd(float(rate)))(jax.random.key(0)) for rate in rates]
    np.testing.assert_allclose(found[1], jnp.stack([each[1] for each in expected]), rtol=1e-4, atol=1e-6)
    both = harness.seeds(harness.sweep(lambda rate: line(optax.sgd(rate)), rates), 3)
    assert both[1].shape == (3, 2, 40)


def test_a_claim_shows_the_mean_and_its_standard_error():
    claim = Claim("w", "1", [1.0, 2.0, 3.0], above(1.5))
    assert (claim.mean, claim.error) == (2.0, pytest.approx(1 / 3**0.5))
    assert claim.held
    assert claim.as_expected
    assert str(claim) == "w: paper 1; ours 2 ± 0.6, asked > 1.5: holds"
    assert Claim("w", "1", 2.0, below(1)).error == 0


def test_a_claim_that_surprises_says_so():
    assert "UNEXPECTED" in str(Claim("w", "1", 2.0, above(1), expected=False))
    assert "UNEXPECTED" in str(Claim("w", "1", 2.0, below(1)))
    failing = Claim("w", "1", 2.0, below(1), expected=False)
    assert failing.as_expected
    assert not failing.held
    assert not Claim("w", "1", [np.nan, 1.0], above(0)).held


def test_judges_print_themselves():
    assert [str(judge) for judge in (above(1), below(0.5), harness.Between(0, 1))] == [
        "> 1",
        "< 0.5",
        "in (0, 1)",
    ]


def test_digits_are_split_and_networks_learn_them(tmp_path):
    train, test = harness.digits()
    assert (train[0].shape, test[0].shape) == ((1397, 64), (400, 64))
    assert train[0].dtype == np.float32
    apply, params = harness.networks(2, hidden=(16,), steps=150, folder=tmp_path)
    right = jax.vmap(harness.accuracy(apply, test))(params)
    assert np.all(np.asarray(right) > 0.8)


def test_networks_are_kept_and_survive_a_damaged_file(tmp_path, monkeypatch):
    settings = {"num": 2, "hidden": (4,), "steps": 3, "folder": tmp_path}
    first = harness.networks(**settings)[1]
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    again = harness.networks(**settings)[1]
    jax.tree.map(np.testing.assert_array_equal, again, first)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    monkeypatch.setattr(harness, "fit", None)  # nothing is trained any more
    jax.tree.map(np.testing.assert_array_equal, harness.networks(**settings)[1], first)


def test_other_seeds_are_other_networks(tmp_path):
    settings = {"num": 2, "hidden": (4,), "steps": 3, "folder": tmp_path}
    near, far = (harness.networks(**settings, start=start)[1] for start in (0, 1))
    np.testing.assert_allclose(near[0]["w"][1], far[0]["w"][0], rtol=1e-4, atol=1e-5)
    assert not np.allclose(near[0]["w"][0], far[0]["w"][0])
    assert len(list(tmp_path.iterdir())) == 2


def test_measures():
    assert harness.slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    assert harness.flops(lambda a: a @ a, jnp.ones((8, 8))) == pytest.approx(2 * 8**3, rel=0.2)
    assert harness.seconds(jnp.sin, jnp.ones(4), repeats=2) > 0


def test_the_runner_prints_keeps_and_counts_surprises(tmp_path, monkeypatch, capsys):
    class Page:
        @staticmethod
        def run(size):
            draws = size.seeds(lambda key: jax.random.uniform(key))
            return [Claim("d", "0.5", draws, above(0)), Claim("s", "2", 1.0, above(2))]

    monkeypatch.setattr(runner, "page", lambda key: Page)
    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    assert runner.main(["Cuturi2013", "--start", "4", "--write"]) == 1
    assert "UNEXPECTED" in capsys.readouterr().out
    report = runner.json.loads((tmp_path / "Cuturi2013.json").read_text())
    assert report["first seed"] == 4
    expected = np.mean([jax.random.uniform(jax.random.key(i)) for i in (4, 5, 6)])
    assert report["claims"][0]["mean"] == pytest.approx(expected, rel=1e-6)


def test_a_page_that_breaks_does_not_stop_the_others(monkeypatch, capsys):
    class Page:
        @staticmethod
        def run(size):
            raise RuntimeError("broken")

    monkeypatch.setattr(runner, "page", lambda key: Page)
    assert runner.main(["A", "B"]) == 2
    assert capsys.readouterr().err.count("RuntimeError: broken") == 2
