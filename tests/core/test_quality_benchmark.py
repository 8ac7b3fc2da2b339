"""The bookkeeping of benchmarks/quality.py: budgets, results, table. Nobody trains here."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.contestants import CONTESTANTS, Codes, Outcome, budget, results, scoring

ROOT = Path(__file__).resolve().parents[2]


def result(who="dcgan", minutes=5.0, seed=0, **values):
    """Make a result as the benchmark stores it."""
    family = CONTESTANTS[who].family
    return {
        "who": who, "family": family, "minutes": minutes, "seed": seed, "n": 1000,
        "steps": 600 + seed, "cpu_seconds": 300.0, "sampling_seconds": 2.0,
        "extractor": "lenet64-v1", "values": {"frechet_distance": 20.0, "recall": 0.5, **values},
    }  # fmt: skip


# The budget.


def test_a_budget_pays_for_the_start_once_and_for_every_step():
    speed = budget.Speed(start=8.0, step=0.25)
    steps = speed.affordable(300.0)
    cost = speed.start + steps * speed.step
    # All of it but the margin, to a step.
    assert 300.0 * (1 - budget.MARGIN) - speed.step < cost <= 300.0 * (1 - budget.MARGIN)


@pytest.mark.parametrize(("spent", "steps"), [(271, None), (314, None), (250, 1176), (330, 891)])
def test_a_run_that_misses_its_budget_tells_how_many_steps_meet_it(spent, steps):
    # 1,000 steps; 98 % of 300 seconds pay for 294 / spent of them.
    assert budget.corrected(1000, spent, 300.0) == steps


def test_a_budget_that_the_start_uses_up_pays_for_one_step():
    assert budget.Speed(start=20.0, step=0.1).affordable(10.0) == 1


def test_a_trial_tells_compilation_from_steps():
    # 7 s before the first step is done, then 0.5 s each: compilation is in the first half only.
    marks = [(step, 7.0 + 0.5 * step) for step in range(1, 40)]
    speed = budget.Speed.of(marks)
    assert speed.step == pytest.approx(0.5)
    assert speed.start == pytest.approx(7.0)


def test_a_trial_of_one_moment_is_refused():
    with pytest.raises(ValueError, match="A trial takes several steps"):
        budget.Speed.of([(5, 1.0)])


@pytest.mark.parametrize(("seconds", "trial"), [(30.0, 6.0), (300.0, 15.0), (1200.0, 30.0)])
def test_a_trial_is_short_beside_its_budget(seconds, trial):
    assert budget.trial_seconds(seconds) == trial


# The results.


def test_results_come_back_by_contestant_budget_seed_and_count(tmp_path):
    path = tmp_path / "new" / "results.jsonl"
    stored = [result(seed=0), result(seed=1), result("pythae", elbo=500.0), result(minutes=20.0)]
    for each in stored:
        results.append(path, each)
    assert list(results.read(path).values()) == stored
    results.append(path, result(seed=1, recall=0.9))
    assert results.read(path)[("dcgan", 5.0, 1, 1000)]["values"]["recall"] == 0.9


def test_a_line_that_a_kill_cut_short_is_left_out_and_written_over(tmp_path):
    path = tmp_path / "results.jsonl"
    results.append(path, result(seed=0))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"who": "dcg')
    assert list(results.read(path)) == [("dcgan", 5.0, 0, 1000)]
    results.append(path, result(seed=1))
    assert list(results.read(path)) == [("dcgan", 5.0, 0, 1000), ("dcgan", 5.0, 1, 1000)]


def test_what_is_not_a_number_is_not_stored(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.append(tmp_path / "results.jsonl", result(recall=math.nan))


# The table.


def cells(line):
    return line.replace(" ± ", "±").split()


def test_the_table_has_means_and_deviations_over_seeds():
    stored = [result(seed=s, frechet_distance=fd) for s, fd in enumerate((10.0, 12.0, 14.0))]
    title, heads, row = results.table([*stored])
    assert "lenet64-v1" in title
    found = dict(zip(heads.replace("CPU s", "CPU_s").split(), cells(row), strict=True))
    # The deviation of 10, 12, 14 is exactly 2 (n - 1).
    assert found["FD"] == "12.0±2.0"
    assert found["recall"] == "0.50±0.00"
    assert found["steps"] == "601"
    assert found["ms/picture"] == "2.0"
    assert found["seeds"] == "3"


def test_the_table_puts_rivals_side_by_side_and_kgen_first():
    stored = [
        result("diffusers"), result("dcgan", 20.0), result("kgen-ddpm"), result("dcgan"),
        result("kgen-gan", 20.0), result("pythae", elbo=500.0),
    ]  # fmt: skip
    lines = [cells(line)[:3] for line in results.table(stored)[2:]]
    assert lines == [
        ["gan", "dcgan", "5"], ["gan", "kgen-gan", "20"], ["gan", "dcgan", "20"],
        ["vae", "pythae", "5"], ["ddpm", "kgen-ddpm", "5"], ["ddpm", "diffusers", "5"],
    ]  # fmt: skip


def test_a_value_that_a_family_has_not_is_a_dash():
    *_, gan, vae = results.table([result(), result("pythae", elbo=612.4)])
    assert cells(gan)[-1] == "-"
    assert cells(vae)[-1] == "612"


def test_results_of_two_extractors_make_no_table():
    with pytest.raises(ValueError, match="Numbers of one extractor compare"):
        results.table([result(), {**result(seed=1), "extractor": "other"}])


def test_no_results_make_a_sentence():
    assert results.table([]) == ["There are no results yet."]


# The bound.


def test_the_bound_is_the_best_over_variances_of_the_pixels():
    codes = Codes(train_error=9.0, test_error=9.0, test_kl=30.0, pixels=784)

    def bound(v):
        return -392 * math.log(2 * math.pi * v) - codes.test_error / (2 * v) - codes.test_kl

    best = max(bound(v) for v in np.linspace(0.5, 2.0, 3001) * 9.0 / 784)
    # The grid's nearest variance is within 0.025 % of the best: 784 / 4 * 0.00025^2 = 1e-5 nats.
    assert scoring.elbo(codes) == pytest.approx(best, abs=1e-4)


def test_a_linear_vae_gets_its_likelihood():
    # Probabilistic PCA with one latent, at its optimum, where the bound is the log-likelihood
    # (Tipping & Bishop 1999): variance `large` along a unit vector u, v in the other directions.
    # q(z | x) has mean sqrt(large - v) u.x / large and variance v / large; the decoder is
    # W z with W = u sqrt(large - v).
    large, v, d = 4.0, 1.0, 3
    residual = (d - 1) * v + v * v / large  # of the mean: E (u.x)^2 = large, times (v / large)^2
    error = residual + (large - v) * v / large  # and of the draw: |W|^2 v / large
    kl = 0.5 * (v / large + (large - v) / large - 1 - math.log(v / large))
    logs = math.log(large) + (d - 1) * math.log(v)
    likelihood = -0.5 * (d * math.log(2 * math.pi) + logs + d)
    found = scoring.elbo(Codes(train_error=error, test_error=error, test_kl=kl, pixels=d))
    assert error / d == pytest.approx(v)
    assert found == pytest.approx(likelihood, rel=1e-12)


# The program.


def test_jobs_are_all_combinations_the_short_budgets_first(monkeypatch):
    asked = ["quality.py", "--who", "kgen-gan", "diffusers", "--minutes", "20", "5", "--seeds", "3"]
    monkeypatch.setattr(sys, "argv", asked)
    found = [(j["who"], j["minutes"], j["seed"], j["n"]) for j in quality.jobs(quality.parse())]
    assert found == [
        ("kgen-gan", 5.0, 3, 10_000), ("diffusers", 5.0, 3, 2_000),
        ("kgen-gan", 20.0, 3, 10_000), ("diffusers", 20.0, 3, 2_000),
    ]  # fmt: skip


def test_a_finished_result_is_not_run_again(monkeypatch, tmp_path, capsys):
    ran = []

    def run(job, options):
        ran.append(job["seed"])
        return {**result(seed=job["seed"]), "n": job["n"]}

    monkeypatch.setattr(quality, "run", run)
    common = ["quality.py", "--who", "dcgan", "--minutes", "5", "--folder", str(tmp_path)]
    for seeds in (["0"], ["0", "1"], ["0", "1"]):
        monkeypatch.setattr(sys, "argv", [*common, "--seeds", *seeds])
        quality.main()
    assert ran == [0, 1]
    assert "dcgan" in capsys.readouterr().out


def test_the_table_is_printed_at_any_time_and_needs_no_reference(tmp_path, subprocess_env):
    results.append(tmp_path / quality.RESULTS, result())
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "quality.py"), "--table", "--folder",
         str(tmp_path)],
        env=subprocess_env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "dcgan" in done.stdout


def test_the_facts_of_an_outcome_are_plain_and_keep_the_codes():
    codes = Codes(train_error=1.0, test_error=2.0, test_kl=3.0, pixels=784)
    outcome = Outcome(
        images=np.zeros((1, 28, 28, 1), np.uint8), steps=3, batch_size=64, cpu_seconds=1.5,
        sampling_seconds=0.5, parameters={"decoder": 10}, codes=codes,
    )  # fmt: skip
    facts = json.loads(json.dumps(outcome.facts()))
    assert "images" not in facts
    assert Codes(**facts["codes"]) == codes
    assert facts["steps"] == 3


@pytest.mark.parametrize("who", CONTESTANTS)
def test_every_contestant_has_its_module(who):
    module = CONTESTANTS[who].module
    text = (ROOT / "benchmarks" / "contestants" / f"{module}.py").read_text(encoding="utf-8")
    assert "\ndef compete(task: Task" in text
