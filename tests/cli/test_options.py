"""Options: every configuration field is one, with the field's help, range and default."""

import dataclasses

import pytest
import typer

from kgen import run_config
from kgen.families import FAMILIES
from kgen.option import section_fields
from kgen.presets import PRESETS
from kgen_cli.options import config_options, parse_assignments

# The sections beside the model are the same in all families.
CASES = [
    pytest.param(family, option, id=f"{family}-{option.key}")
    for family in FAMILIES
    for option in config_options(family)
    if option.section == "model" or family == "gan"
]


BOUNDS = {
    "model.beta_start": {"model.beta_end": 0.99},
    "training.accumulate": {"training.batch_size": 65_536},
}
"""What else must be set for the other value of an option that is bound to another one."""


def other_value(option):
    """Return a value that the field takes and that is not its default, and how it is written."""
    field, limits = option.field, option.field.option
    if field.type is bool:
        return True, []
    if limits.choices:
        value = next(choice for choice in limits.choices if choice != option.default)
    elif field.type is str:
        value = "mnist"
    elif field.type == tuple[int, ...]:
        return (8, 16), ["8,16"]
    else:
        high = 3 if limits.high is None else limits.high
        low = high / 2 if limits.low is None else limits.low
        value = field.type(low if low != option.default else high)
    return value, [str(value)]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_field_has_a_flag_of_its_own(family):
    flags = [option.flag for option in config_options(family)]
    assert len(set(flags)) == len(flags)
    fields = [f for s in run_config.section_classes(family).values() for f in section_fields(s)]
    assert len(flags) == len(fields)


@pytest.mark.parametrize(("family", "option"), CASES)
def test_option_given_changes_that_field_and_no_other(kgen, training, family, option):
    value, text = other_value(option)
    bound = BOUNDS.get(option.key, {})
    extra = [word for key, value in bound.items() for word in ("--set", f"{key}={value}")]
    result = kgen("train", family, option.flag, *text, *extra)
    assert result.exit_code == 0, result.output
    [config] = [call[1].config for call in training.calls if call[0] == "train"]
    assert config == run_config.resolve(family, overrides={option.key: value} | bound)
    assert getattr(getattr(config, option.section), option.field.name) == value


@pytest.mark.parametrize(("family", "option"), CASES)
def test_help_of_an_option_has_meaning_range_and_default(option, family):
    text = option.help().replace("\\[", "[")
    assert option.field.option.help in text
    assert option.field.option.range_text() in text
    if not isinstance(option.default, bool | tuple | None):
        shown = f"{option.default:g}" if isinstance(option.default, float) else option.default
        assert f"default: {shown}]" in text


def test_defaults_shown_are_those_of_the_quick_preset(kgen, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    text = kgen("train", "gan", "--help").stdout
    line = next(line for line in text.splitlines() if "--learning-rate " in line)
    rate = PRESETS["gan"]["quick"]["optimizer"]["learning_rate"]
    assert f"default: {rate}]" in line


def out_of_range():
    for case in CASES:
        option = case.values[1]
        limits = option.field.option
        if option.field.type not in (int, float):
            continue
        bounds = [limits.above, None if limits.low is None else limits.low - 1]
        bounds += [None if limits.high is None else limits.high + 1]
        for bound in bounds:
            if bound is not None:
                name = f"{case.id}-{bound:g}"
                yield pytest.param(case.values[0], option, option.field.type(bound), id=name)


@pytest.mark.parametrize(("family", "option", "value"), list(out_of_range()))
def test_number_out_of_range_is_refused_before_any_work(fails, training, family, option, value):
    said = fails("train", family, option.flag, value, status=1)
    name = option.field.name
    assert said == f"{name} takes {option.field.option.range_text()}. Received: {name}={value!r}."
    assert training.calls == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--batch-size", "x"], "'--batch-size': expected an integer. Received: 'x'."),
        (["--batch-size", "1.5"], "'--batch-size': expected an integer. Received: '1.5'."),
        (["--learning-rate", "fast"], "'--learning-rate': expected a number. Received: 'fast'."),
        (["--gan-loss", "hinge"], "'hinge' is not one of 'non_saturating', 'minimax', 'relat"),
        (["--backend", "theano"], "is not one of 'jax', 'tensorflow', 'torch'"),
        (["--preset", "huge"], "is not one of 'quick', 'paper', 'notes', 'gpu'"),
        (["--generator-widths", "64,x"], "expected integers with commas between"),
        (["--set", "model.latent_dim"], "expected section.key=value"),
        (["--set", "=3"], "expected section.key=value"),
        (["--epochs", "2", "--steps", "3"], "takes epochs or steps, not both"),
        (["--latent-dim", "3", "--set", "model.latent_dim=3"], "is given twice"),
    ],
)
def test_value_of_the_wrong_kind_is_one_line_and_status_2(fails, training, arguments, says):
    assert says in fails("train", "gan", *arguments, status=2)
    assert training.calls == []


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("latent_dim=3", "An option is named section.key"),
        ("modle.latent_dim=3", "An option is named section.key"),
        ("model.latentdim=3", "Unknown option 'latentdim'. Did you mean 'latent_dim'?"),
        ("model.latent_dim=3.5", "latent_dim takes an integer. Received: latent_dim=3.5."),
        ("model.latent_dim=true", "latent_dim takes an integer. Received: latent_dim=True."),
        ("model.generator_widths=3", "generator_widths takes a list of integers. Received"),
        ("model.generator_widths=[8, 0]", "generator_widths takes integers, each 1 to 65536."),
        ("optimizer.clip_norm=inf", "clip_norm takes at most 2147483647. Received: clip_norm=inf."),
        ("training.steps=2147483648", "steps takes at most 2147483647. Received: steps=2147483648"),
        ("model.network=cnn", "network takes conv | mlp. Received: network='cnn'."),
        ("training.deterministic=2026-01-01", "deterministic takes"),
    ],
)
def test_wrong_assignment_is_one_line(fails, training, assignment, says):
    assert fails("train", "gan", "--set", assignment, status=1).startswith(says)
    assert training.calls == []


def test_assignments_take_toml_values_and_bare_text():
    assert parse_assignments(
        ["a.b=3", "a.c = 0.5", "a.d=mlp", 'a.e="x y"', "a.f=[1, 2]", "a.g=true", "a.h=a=b", "a.i="]
    ) == {
        "a.b": 3, "a.c": 0.5, "a.d": "mlp", "a.e": "x y", "a.f": [1, 2], "a.g": True,
        "a.h": "a=b", "a.i": "",
    }  # fmt: skip


def test_assignment_cannot_smuggle_in_a_second_key():
    assert parse_assignments(["a.b=1\nc=2"]) == {"a.b": "1\nc=2"}


def test_assignment_without_equals_is_refused():
    with pytest.raises(typer.BadParameter, match=r"expected section\.key=value"):
        parse_assignments(["a.b"])


def test_empty_list_takes_back_the_preset_s_widths(kgen, training):
    kgen("train", "gan", "--preset", "gpu", "--generator-widths", "")
    assert training.calls[-1][1].config.model.generator_widths == ()


def test_config_is_frozen_so_that_a_command_cannot_change_it(kgen, training):
    kgen("train", "gan")
    with pytest.raises(dataclasses.FrozenInstanceError):
        training.calls[-1][1].config.model.latent_dim = 3
