"""`kgen sample`: every drawing of every family, refusals in one line, nothing overwritten."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kgen.device.spread import Spread
from kgen.families import FAMILIES
from kgen.sampler_options import SAMPLERS, VARIANCES
from kgen_cli.diffusion import Sampler, Variance
from kgen_cli.request import FAMILIES_OF


@pytest.fixture(autouse=True)
def _pictures():
    for name in ("a", "b", "c"):
        Image.new("L", (8, 8), 100).save(f"{name}.png")
    Path("text.png").write_text("no picture")


def drawn(result):
    """Return the paths that were printed; every one is there."""
    assert result.exit_code == 0, result.output
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert all(path.exists() for path in paths)
    return paths


@pytest.mark.parametrize("family", ["gan", "vae"])
def test_sample_draws_a_square_grid_into_the_run_s_folder(kgen, trained, family):
    run, model = trained(family)
    [path] = drawn(kgen("sample", family))
    assert path == run.samples / "sample-64-seed0.png"
    assert model.calls == [("generate", 64, {"seed": 0})]
    with Image.open(path) as image:
        assert image.size == (8 * 66 + 2, 8 * 66 + 2)  # 8 pictures of 8 x 8, scaled by 8


def test_run_is_named_by_its_path_too(kgen, trained):
    run, _ = trained("gan")
    assert drawn(kgen("sample", run.path, "-n", 4, "--seed", 3)) == [
        run.samples / "sample-4-seed3.png"
    ]


def test_default_names_never_collide(kgen, trained):
    run, _ = trained("gan")
    names = [drawn(kgen("sample", "gan", "-n", 4))[0].name for _ in range(3)]
    assert names == [f"sample-4-seed0{copy}.png" for copy in ("", "-2", "-3")]
    assert len(list(run.samples.iterdir())) == 3


def test_autoencoder_is_sampled_with_a_word_of_warning(kgen, trained):
    trained("ae")
    result = kgen("sample", "ae")
    assert result.exit_code == 0
    assert result.stderr.startswith("Note: An autoencoder is not trained to be sampled from")


@pytest.mark.parametrize(
    ("options", "passed", "name"),
    [
        ([], {"sampler": "dpmpp", "num_steps": 25, "eta": 1.0}, "sample-4-dpmpp25-seed0"),
        (["--eta", "1"], {"sampler": "dpmpp", "num_steps": 25, "eta": 1.0},
         "sample-4-dpmpp25-seed0"),
        (["--sampler", "ddim"], {"sampler": "ddim", "num_steps": 50, "eta": 0.0},
         "sample-4-ddim50-seed0"),
        (["--num-steps", "9", "--eta", "0.5"], {"sampler": "dpmpp", "num_steps": 9, "eta": 0.5},
         "sample-4-dpmpp9-eta-0.5-seed0"),
        (["--sampler", "ddpm"],
         {"sampler": "ddpm", "num_steps": 1000, "variance": "fixed_small"},
         "sample-4-ddpm1000-seed0"),
        (["--sampler", "ddpm", "--variance", "fixed_large", "--num-steps", "7"],
         {"sampler": "ddpm", "num_steps": 7, "variance": "fixed_large"},
         "sample-4-ddpm7-variance-fixed_large-seed0"),
    ],
)  # fmt: skip
def test_diffusion_model_s_sampler_is_chosen(kgen, trained, options, passed, name):
    run, model = trained("ddpm")
    assert drawn(kgen("sample", "ddpm", "-n", 4, *options)) == [run.samples / f"{name}.png"]
    assert model.calls == [("generate", 4, {"seed": 0, **passed})]


def test_short_chain_has_no_more_steps_than_it_has_timesteps(kgen, trained):
    _, model = trained("ddpm", model__num_timesteps=10)
    drawn(kgen("sample", "ddpm"))
    assert model.calls[0][2]["num_steps"] == 10


def test_trajectory_is_a_strip_and_an_animation(kgen, trained):
    _, model = trained("ddpm")
    strip, animation = drawn(kgen("sample", "ddpm", "--trajectory", "-n", 3, "--out", "t.png"))
    assert (strip.name, animation.name) == ("t.png", "t.gif")
    assert model.calls[0][2]["frames"] == 41
    with Image.open(strip) as image:
        assert image.size == (9 * 66 + 2, 3 * 66 + 2)
    with Image.open(animation) as image:
        assert image.n_frames == 41


def test_reconstructions_are_below_their_pictures(kgen, trained):
    trained("vae")
    [path] = drawn(kgen("sample", "vae", "--reconstruct", "a.png", "b.png", "c.png"))
    assert path.name == "reconstruct-a-b.png"
    with Image.open(path) as image:
        assert image.size == (3 * 66 + 2, 2 * 66 + 2)
        assert image.getpixel((10, 10)) == 100


def test_many_reconstructions_take_several_pairs_of_rows(kgen, trained):
    trained("ae")
    [path] = drawn(kgen("sample", "ae", "--reconstruct", *["a.png"] * 20))
    with Image.open(path) as image:
        assert image.size == (16 * 66 + 2, 4 * 66 + 2)


def test_variations_come_after_their_picture(kgen, trained):
    _, model = trained("vae")
    [path] = drawn(kgen("sample", "vae", "--variations", "a.png", "-n", 8, "--seed", 2))
    assert path.name == "variations-a-8-seed2.png"
    assert model.calls[0][2]["seed"] == 2
    with Image.open(path) as image:
        assert image.size == (3 * 66 + 2, 3 * 66 + 2)
        assert image.getpixel((10, 10)) == 100


def test_interpolation_of_pictures_is_one_row(kgen, trained):
    _, model = trained("vae")
    [path] = drawn(kgen("sample", "vae", "--interpolate", "a.png", "b.png", "-n", 5))
    assert path.name == "interpolate-a-b-5.png"
    assert [end.shape for end in model.calls[0][2]["ends"]] == [(8, 8, 1)] * 2
    with Image.open(path) as image:
        assert image.size == (5 * 66 + 2, 66 + 2)


def test_interpolation_of_a_gan_is_between_seeds(kgen, trained):
    _, model = trained("gan")
    [path] = drawn(kgen("sample", "gan", "--interpolate", 3, 14))
    assert path.name == "interpolate-3-14-10.png"
    assert model.calls == [("interpolate", 10, {"ends": (3, 14)})]


def test_manifold_is_a_square(kgen, trained):
    trained("vae")
    [path] = drawn(kgen("sample", "vae", "--manifold", "-n", 20))
    assert path.name == "manifold-4x4.png"
    with Image.open(path) as image:
        assert image.size == (4 * 66 + 2, 4 * 66 + 2)


def test_folder_gets_a_file_per_picture(kgen, trained):
    trained("gan")
    assert drawn(kgen("sample", "gan", "-n", 3, "--out", "new/")) == [Path("new")]
    assert sorted(p.name for p in Path("new").iterdir()) == ["0000.png", "0001.png", "0002.png"]


@pytest.mark.parametrize(
    ("family", "options", "names"),
    [
        ("gan", [], {"images"}),
        ("vae", ["--reconstruct", "a.png"], {"images", "originals"}),
        ("ddpm", ["--trajectory"], {"images", "frames"}),
    ],
)
def test_npz_has_the_arrays(kgen, trained, family, options, names):
    trained(family)
    [path] = drawn(kgen("sample", family, *options, "--out", "all.npz"))
    with np.load(path) as arrays:
        assert set(arrays) == names
        assert arrays["images"].dtype == np.uint8


def test_backend_and_device_are_free_to_choose(kgen, trained):
    _, model = trained("gan")
    drawn(kgen("sample", "gan", "--backend", "jax", "--device", "cpu"))
    assert model.started == [{"backend_name": "jax", "device": "cpu", "devices": 1, "debug": False}]


@pytest.mark.parametrize(("asked", "devices"), [("4", 4), ("all", None)])
def test_several_devices_draw_together(kgen, trained, monkeypatch, asked, devices):
    _, model = trained("gan")
    monkeypatch.setattr("kgen.device.spread", lambda: Spread(devices=4))
    drawn(kgen("sample", "gan", "--backend", "jax", "--devices", asked))
    assert model.started[0]["devices"] == devices


def test_devices_by_which_a_batch_does_not_divide_are_refused(fails, trained, monkeypatch):
    trained("gan")
    monkeypatch.setattr("kgen.device.spread", lambda: Spread(devices=3))
    said = fails("sample", "gan", "--backend", "jax", "--devices", "3", status=1)
    assert said.startswith("Pictures are drawn 128 at a time, by a number of devices that divides")


SAMPLER_OPTIONS = [
    ["--sampler", "ddpm"], ["--num-steps", "3"], ["--eta", "0"], ["--variance", "fixed_large"]
]  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "family"),
    [(mode, f) for mode, owners in FAMILIES_OF.items() for f in FAMILIES if f not in owners],
)
def test_drawing_of_another_family_is_refused(fails, trained, family, mode):
    _, model = trained(family)
    said = fails("sample", family, f"--{mode}", status=1)
    owners = " and ".join(FAMILIES_OF[mode])
    assert said == f"--{mode} is for runs of {owners}. Received: a run of {family}."
    assert model.started == []


@pytest.mark.parametrize("options", SAMPLER_OPTIONS, ids=lambda o: o[0])
@pytest.mark.parametrize("family", ["gan", "ae", "vae"])
def test_sampler_of_another_family_is_refused(fails, trained, family, options):
    trained(family)
    said = fails("sample", family, *options, status=1)
    assert said == f"{options[0]} is for runs of ddpm. Received: a run of {family}."


@pytest.mark.parametrize(
    ("family", "arguments", "says"),
    [
        ("gan", ["--out", "grid.tiff"], "--out takes something.png (one grid), something.npz"),
        ("gan", ["--out", "noext"], "--out noext is a file, not a folder."),
        ("gan", ["--out", "there.png"], "there.png is there already. Give another --out, or --f"),
        ("gan", ["--out", "there.npz"], "there.npz is there already."),
        ("gan", ["--out", "full"], "full is not empty."),
        ("ddpm", ["--trajectory", "--out", "there2.png"], "there2.gif is there already."),
        ("gan", ["--out", "there.png/x.png"], "Cannot write there.png/x.png"),
        ("gan", ["a.png"], "Sampling takes no inputs after the run. Received: a.png."),
        (
            "gan",
            ["--interpolate", "1"],
            "--interpolate takes two seeds after the run. Receiv",
        ),
        ("gan", ["--interpolate", "1", "b.png"], "--interpolate takes two seeds for a gan"),
        ("gan", ["--interpolate", "1", "2147483648"], "--interpolate takes two seeds for a gan"),
        ("gan", ["--interpolate", "1", "2", "-n", "1"], "--interpolate takes at least 2 pictures."),
        ("vae", ["--interpolate", "a.png"], "--interpolate takes two picture files after the run."),
        ("vae", ["--reconstruct"], "--reconstruct takes picture files after the run. Received: n"),
        ("vae", ["--reconstruct", "a.png", "-n", "2"], "--reconstruct draws one picture per input"),
        ("vae", ["--reconstruct", "none.png"], "There is no picture file none.png."),
        ("vae", ["--reconstruct", "text.png"], "Cannot read the picture text.png: not a PNG"),
        ("vae", ["--variations", "a.png", "b.png"], "--variations takes one picture file after"),
        ("vae", ["--manifold", "-n", "1"], "--manifold takes at least 2 pictures."),
        ("ddpm", ["--num-steps", "1001"], "num_steps takes 1 to 1000, the num_timesteps that"),
        (
            "ddpm",
            ["--sampler", "ddpm", "--eta", "0"],
            "--eta goes with --sampler dpmpp or ddim. Received",
        ),
        ("ddpm", ["--variance", "fixed_small"], "--variance goes with --sampler ddpm. Received"),
    ],
)
def test_wrong_input_is_one_line_and_loses_nothing(fails, trained, family, arguments, says):
    trained(family)
    kept = {"noext": Path("noext"), "png": Path("there.png"), "npz": Path("there.npz"),
            "gif": Path("there2.gif")}  # fmt: skip
    for path in kept.values():
        path.write_text("kept")
    Path("full").mkdir()
    Path("full/file").write_text("kept")
    assert fails("sample", family, *arguments, status=1).startswith(says)
    assert {path.read_text() for path in (*kept.values(), Path("full/file"))} == {"kept"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-n", "0"], "'-n' / '--number'"),
        (["--seed", "-1"], "'--seed'"),
        (["--num-steps", "0"], "'--num-steps': expected at least 1. Received: 0."),
        (["--eta", "2"], "'--eta': expected 0 to 1. Received: 2."),
        (["--sampler", "euler"], "'euler' is not one of 'dpmpp', 'ddim', 'ddpm'"),
        (["--variance", "learned"], "is not one of 'fixed_small', 'fixed_large'"),
        (["--reconstruct", "--manifold"], "--reconstruct and --manifold are different drawings"),
    ],
)
def test_value_of_the_wrong_kind_is_one_line_and_status_2(fails, trained, arguments, says):
    trained("ddpm")
    assert says in fails("sample", "ddpm", *arguments, status=2)


@pytest.mark.parametrize("out", ["there.png", "there.npz", "there/"])
def test_force_writes_over_what_is_there(kgen, trained, out):
    trained("gan")
    for _ in range(2):
        drawn(kgen("sample", "gan", "-n", 2, "--out", out, "--force"))
    assert "--force to write over it" in kgen("sample", "gan", "--out", out).stderr


def test_unknown_run_says_how_to_list_them(fails):
    assert fails("sample", "nope", status=1).endswith("List the runs with: kgen runs")


def test_no_run_of_a_family_says_how_to_make_one(fails):
    said = fails("sample", "vae", status=1)
    assert said == "There is no vae run under runs/. Train one with: kgen train vae"


def test_the_options_know_every_sampler_and_variance():
    assert (tuple(Sampler), tuple(Variance)) == (SAMPLERS, VARIANCES)
