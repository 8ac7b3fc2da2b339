"""The sampler's table: its numbers, and those of other steps, against kgen's own sampler."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from keras import ops

from kgen import sampler_plans, samplers, schedule
from kgen.config import DDPMConfig
from kgen.errors import KgenError
from kgen.models.ddpm import DDPM
from kgen.noise import normal
from kgen_exports.parts import sampler_table
from kgen_exports.runtime import load
from kgen_exports.sampler import COLUMNS, SamplerTable
from tests.exports import tiny_bundle

pytestmark = pytest.mark.backend

LENGTH = 1000
# Columns are float64 results rounded to float32, which is within 2**-24 = 6e-8 of each number; two
# roundings, and what the products of alpha_bars lose in float64.
RTOL, ATOL = 1e-6, 1e-6


@cache
def model(prediction, kind="cosine"):
    config = DDPMConfig(widths=(8, 16), num_timesteps=LENGTH, prediction=prediction, schedule=kind)
    return DDPM(config, (8, 8, 1))


@pytest.fixture(params=["eps", "x0", "v"])
def prediction(request):
    return request.param


@pytest.mark.parametrize(("num_steps", "eta"), [(1, 1.0), (20, 0.0), (333, 0.5), (LENGTH, 1.0)])
@pytest.mark.parametrize("kind", ["cosine", "linear"])
@pytest.mark.parametrize(
    ("sampler", "name", "make"),
    [("dpmpp", "dpmpp", sampler_plans.dpmpp_plan), ("ddim", "ddim", sampler_plans.ddim_plan),
     ("ddpm", "ddim", sampler_plans.ddim_plan)],
)  # fmt: skip
def test_respaced_tables_are_their_samplers_plan(
    prediction, kind, num_steps, eta, sampler, name, make
):
    made = sampler_table(model(prediction, kind), sampler=sampler).respaced(num_steps, eta)
    tables = model(prediction, kind).schedule.tables
    plan = make(tables, schedule.timesteps(LENGTH, num_steps), eta)
    np.testing.assert_array_equal(made.timesteps, plan.timesteps)
    for column in ("coef_x0", "coef_xt", "coef_last", "sigma"):
        expected = getattr(plan, column)
        np.testing.assert_allclose(getattr(made, column), expected, rtol=RTOL, atol=ATOL)
    assert (made.name, made.eta, made.variance) == (name, eta, None)
    assert SamplerTable.from_mapping(made.to_mapping()) == made


def test_the_shipped_table_can_be_computed_from_its_alpha_bars(prediction):
    # The formulas of docs/manifest.md, written out again for one step at a time.
    table = sampler_table(model(prediction), num_steps=20, eta=0.3)
    assert table.name == "dpmpp"
    lambdas = [math.log(ab / (1 - ab)) / 2 for ab in (table.alpha_bars[t] for t in table.timesteps)]
    h = [after - before for before, after in pairwise(lambdas)]
    for i, t in enumerate(table.timesteps):
        assert t == round(LENGTH - i * LENGTH / 20) - 1
        ab = table.alpha_bars[t]
        ab_next = table.alpha_bars[table.timesteps[i + 1]] if i < 19 else 1.0
        sigma = 0.3 * ((1 - ab_next) / (1 - ab) * (1 - ab / ab_next)) ** 0.5
        coef_xt = ((1 - ab_next - sigma**2) / (1 - ab)) ** 0.5
        c_x0 = ab_next**0.5 - coef_xt * ab**0.5
        k = h[i] / (2 * h[i - 1]) if 0 < i < 19 else 0.0
        from_prediction = {"eps": -(((1 - ab) / ab) ** 0.5), "x0": 1.0, "v": -((1 - ab) ** 0.5)}
        row = {
            "x0_from_xt": {"eps": ab**-0.5, "x0": 0.0, "v": ab**0.5}[prediction],
            "x0_from_prediction": from_prediction[prediction],
            "coef_x0": (1 + k) * c_x0,
            "coef_xt": coef_xt,
            "coef_last": -k * c_x0,
            "sigma": sigma,
        }
        assert list(row) == list(COLUMNS)
        shipped = table.coefficients()[i]
        np.testing.assert_allclose(shipped, list(row.values()), rtol=RTOL, atol=ATOL)


def test_x0_is_read_off_a_prediction_as_the_model_reads_it(prediction):
    table = sampler_table(model(prediction), num_steps=20)
    xt, made = normal(0, (20, 8, 8, 1)), normal(1, (20, 8, 8, 1))
    t = np.array(table.timesteps, np.int32)
    read, _ = model(prediction).schedule.x0_eps(prediction, made, xt, ops.convert_to_tensor(t))
    rows = table.coefficients().astype(np.float64).reshape(20, 6, 1, 1, 1)
    expected = rows[:, 0] * xt + rows[:, 1] * made
    # The model multiplies and divides in float32: a few roundings of 6e-8 of the largest term.
    scale = np.abs(expected).max(axis=(1, 2, 3), keepdims=True)
    assert np.all(np.abs(ops.convert_to_numpy(read) - expected) <= 1e-6 * np.maximum(scale, 1))


def test_eta_1_is_ddpm_with_the_small_variance(prediction):
    ddpm = sampler_table(model(prediction), sampler="ddpm", num_steps=20)
    made = ddpm.respaced(20, ddpm.eta)
    # Two formulas for the same numbers; at the noisiest step both lose digits of 1 - alpha_bar.
    np.testing.assert_allclose(made.coefficients(), ddpm.coefficients(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("steps", "eta", "told"),
    [(0, 0.0, "num_steps"), (LENGTH + 1, 0.0, "num_steps"), (True, 0.0, "num_steps"),
     (2.5, 0.0, "num_steps"), (5, -0.1, "eta"), (5, 1.1, "eta"), (5, float("nan"), "eta"),
     (5, "0", "eta")],
)  # fmt: skip
def test_steps_and_eta_out_of_range_are_refused(steps, eta, told):
    with pytest.raises(KgenError, match=f"^{told} is .*Received: "):
        sampler_table(model("v")).respaced(steps, eta)


# Pictures from a bundle with other steps.


@pytest.mark.parametrize(("num_steps", "eta"), [(2, None), (10, 0.7), (None, 1.0)])
@pytest.mark.parametrize(
    ("sampler", "make"), [("dpmpp", sampler_plans.dpmpp_plan), ("ddim", sampler_plans.ddim_plan)]
)
def test_a_bundle_draws_with_other_steps_as_kgens_sampler_does(
    num_steps, eta, sampler, make, tmp_path
):
    bundle = tiny_bundle.make(tmp_path, "ddpm", sampler=sampler)
    table = bundle.manifest.sampler
    steps = num_steps or table.num_steps
    bars = np.array(table.alpha_bars)
    tables = schedule.ScheduleTables.from_alpha_bars(bars)
    plan = make(tables, schedule.timesteps(len(bars), steps), eta or 0.0)
    session = bundle.session(bundle.entry("denoiser"))

    def predict_x0(xt, t):
        xt, t = ops.convert_to_numpy(xt), ops.convert_to_numpy(t)
        ab = bars[t].reshape(-1, 1, 1, 1)
        v = session.run({"xt": xt, "t": t})["v"]
        x0 = np.sqrt(ab) * xt - np.sqrt(1 - ab) * v
        return ops.convert_to_tensor(x0.astype(np.float32))

    shape = (3, *tiny_bundle.SHAPE)
    image = samplers.sample(
        predict_x0, normal(5, shape), plan, lambda i, s: normal(5, s, stream=i + 1)
    )
    drawn = bundle.generate(3, seed=5, num_steps=num_steps, eta=eta)
    expected = bundle.pictures(ops.convert_to_numpy(image))
    # Roundings may send a pixel that lies between two bytes to the other one.
    assert np.abs(drawn.astype(int) - expected).max() <= 1
    assert np.abs(drawn.astype(int) - bundle.generate(3, seed=5)).max() > 5


def test_progress_reaches_the_end_with_other_steps(tmp_path):
    told = []
    bundle = tiny_bundle.make(tmp_path, "ddpm")
    bundle.generate(2, num_steps=7, progress=lambda done, of: told.append((done, of)))
    assert len(told) == 7
    assert told[-1] == (2, 2)


def test_steps_of_a_model_without_any_are_refused(tmp_path):
    tiny_bundle.make(tmp_path, "gan")
    with pytest.raises(KgenError, match="num_steps and eta belong to a ddpm"):
        load(tmp_path).generate(1, num_steps=5)
    with pytest.raises(KgenError, match="num_steps and eta belong to a ddpm"):
        load(tmp_path).generate(1, eta=0.5)
