"""The whole configuration of a run, from all the places it can come from."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import tomli_w

from kgen import families, presets
from kgen.config import DataConfig, OptimizerConfig, OutputConfig, TrainingConfig
from kgen.errors import KgenError
from kgen.option import Section, unknown_name

SECTIONS = ("model", "optimizer", "data", "training", "output")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """Family, preset and the five sections, checked and complete."""

    family: str
    preset: str
    model: Section
    optimizer: OptimizerConfig
    data: DataConfig
    training: TrainingConfig
    output: OutputConfig

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Build from nested plain values, as `config.toml` holds them.

        Raises:
            KgenError: a family, section, key or value is wrong.
        """
        family = values.get("family")
        if not isinstance(family, str):
            raise KgenError(
                f"A configuration names its family ({' | '.join(families.FAMILIES)}). "
                f"Received: family={family!r}."
            )
        classes = section_classes(family)
        for key, value in values.items():
            if key not in ("family", "preset") and key not in classes:
                raise unknown_name("section", key, list(classes))
            if key in classes and not isinstance(value, Mapping):
                raise KgenError(f"[{key}] takes a table of options. Received: {key}={value!r}.")
        sections: dict[str, Any] = {
            name: section.from_mapping(values.get(name, {})) for name, section in classes.items()
        }
        preset = str(values.get("preset", presets.DEFAULT_PRESET))
        return cls(family=family, preset=preset, **sections)

    def to_mapping(self) -> dict[str, Any]:
        """Return nested plain values, ready for TOML."""
        sections = {name: getattr(self, name).to_mapping() for name in SECTIONS}
        return {"family": self.family, "preset": self.preset, **sections}

    def to_toml(self) -> str:
        """Write the configuration as TOML text that :func:`read_toml` reads back."""
        return tomli_w.dumps(self.to_mapping())


def section_classes(family: str) -> dict[str, type[Section]]:
    """Return the dataclass of each section for a family."""
    entry = families.family(family)
    return {
        "model": families.resolve(entry.config),
        "optimizer": families.resolve(entry.optimizer),
        "data": DataConfig,
        "training": TrainingConfig,
        "output": OutputConfig,
    }


def resolve(
    family: str,
    *,
    preset: str | None = None,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Settle a run's configuration: defaults, then preset, then file, then overrides.

    A preset's values are those for the kind of network and the optimizer that are asked for.

    Args:
        family: name in :data:`kgen.families.FAMILIES`.
        preset: name in :data:`kgen.presets.PRESETS`; None takes the file's, else ``quick``.
        file: a TOML file with any of the sections, or None.
        overrides: ``"section.key" -> value``, such as ``{"model.latent_dim": 32}``; these win.

    Raises:
        KgenError: any name or value is wrong, or the file belongs to another family.
    """
    families.family(family)
    from_file = read_toml(file) if file else {}
    if from_file.get("family", family) != family:
        raise KgenError(
            f"{file} configures family {from_file['family']!r}. Received: family={family!r}. "
            "Train that family, or take the line out of the file."
        )
    chosen = str(preset or from_file.get("preset") or presets.DEFAULT_PRESET)
    known = presets.PRESETS[family]
    if chosen not in known:
        raise unknown_name(f"{family} preset", chosen, list(known))
    merged: dict[str, Any] = {"family": family, "preset": chosen}
    overrides = overrides or {}
    variants = [
        values
        for (*whose, option, value), values in presets.VARIANTS.items()
        if whose == [family, chosen] and _asked(option, from_file, overrides) == value
    ]
    for layer in (known[chosen], *variants, from_file):
        for section, values in layer.items():
            if isinstance(values, Mapping):
                _merge(merged.setdefault(section, {}), section, values)
            elif section not in merged:
                merged[section] = values
    if {"training.epochs", "training.steps"} <= overrides.keys():
        raise KgenError("Training length takes epochs or steps. Received: both.")
    for key, value in overrides.items():
        section, dot, name = key.partition(".")
        if not dot or section not in SECTIONS:
            raise KgenError(
                f"An option is named section.key, with a section of {', '.join(SECTIONS)}. "
                f"Received: {key!r}."
            )
        _merge(merged.setdefault(section, {}), section, {name: value})
    return RunConfig.from_mapping(merged)


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        KgenError: it cannot be read, or is not TOML; the message has the file and the line.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise KgenError(f"Cannot read {file}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KgenError(f"{file} is not TOML: {error}.") from error


def _asked(option: str, from_file: Mapping[str, Any], overrides: Mapping[str, Any]) -> Any:
    """Return what overrides or a file say of an option, unchecked, or None if they say nothing."""
    section, _, name = option.partition(".")
    values = from_file.get(section)
    in_file = values.get(name) if isinstance(values, Mapping) else None
    return overrides.get(option) or in_file


def _merge(target: dict[str, Any], section: str, values: Mapping[str, Any]) -> None:
    """Lay values over a section; a training length replaces one given in the other unit."""
    if section == "training" and ("epochs" in values) != ("steps" in values):
        target.pop("steps" if "epochs" in values else "epochs", None)
    target.update(values)
