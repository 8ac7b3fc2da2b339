"""What an evaluation amounts to, in a few sentences.

Warnings are not among them: whoever measures warns (`Findings.warnings`).
"""

from kgen.evaluation.record import Record, Value
from kgen.evaluation.report import catalogue
from kgen.evaluation.report.entry import Entry

SURE = 5
"""Standard deviations that a difference must have to be one."""
USUAL_COPIES = 0.01
"""Share of real held-out pictures that count as copies, by definition."""


def verdict(record: Record) -> tuple[str, ...]:
    """Say how close the pictures are, how much of the variety they have, whether they are copies.

    Returns:
        Sentences; at least one.
    """
    values, extractor = record.findings.values, record.protocol.extractor
    said = []
    for name in ("frechet_distance", "kernel_distance"):
        if name in values:
            said.append(_closeness(catalogue.value(name, extractor), values[name]))
            break
    if "coverage" in values:
        said.append(_variety(values["coverage"]))
    if "copies" in values:
        said.append(_copies(values["copies"].value))
    for name, say in (("reconstruction_mse", _rebuilding), ("eps_mse", _denoising)):
        if name in values and (bar := values[name].bar) is not None:
            said.append(say(values[name].value, bar))
    return tuple(said) or ("Nothing was measured that a verdict could rest on.",)


def place(value: Value) -> float | None:
    """Return where a number lies between real pictures, 0, and the Gaussian generator, 1.

    Returns:
        Below 0 is beyond real, above 1 is worse than Gaussian; None where either is unknown, or the
        two are the same.
    """
    if value.floor is None or value.bar is None or value.floor == value.bar:
        return None
    return (value.value - value.floor) / (value.bar - value.floor)


def placed(entry: Entry, value: Value) -> str:
    """Say in words where a number lies between real pictures and the bar, or beside the bar."""
    if value.bar is None:
        return ""
    bar = f"{entry.bar} ({entry.write(value.bar)})"
    at = place(value)
    if at is None or value.floor is None:
        gain = entry.badness(value.bar) - entry.badness(value.value)
        return f"{'Better' if gain > 0 else 'No better'} than {bar}."
    real = entry.write(value.floor)
    if at > 1:
        return f"Worse than {bar}; real pictures score {real}."
    if at < 0:
        return (
            f"Beyond real pictures ({real}), seen from {bar}: noise, or pictures that are too "
            "simple, not better than real."
        )
    return f"{percent(1 - at)} of the way from {bar} to real pictures ({real})."


def written(entry: Entry, value: Value) -> str:
    """Write a number with its standard deviation."""
    number = entry.write(value.value)
    return number if value.sd is None else f"{number} ± {entry.write(value.sd)}"


def percent(share: float, digits: int = 0) -> str:
    """Write a share as a percentage, which no line breaks."""
    return f"{100 * share:.{digits}f}\u00a0%"


def _closeness(entry: Entry, value: Value) -> str:
    said = f"{entry.label} is {written(entry, value)}"
    if value.floor is not None and value.value - value.floor <= SURE * (value.sd or 0.0):
        return f"{said}, which cannot be told from real pictures ({entry.write(value.floor)})."
    if value.bar is not None and value.value >= value.bar:
        return (
            f"{said}, no better than the Gaussian generator ({entry.write(value.bar)}), which "
            "needs no training: it is not worth using yet."
        )
    where = placed(entry, value)
    return f"{said}: {where[:1].lower()}{where[1:]}" if where else f"{said}."


def _variety(value: Value) -> str:
    said = (
        f"Of the real pictures, {percent(value.value)} have a generated one in their neighbourhood"
    )
    if value.floor is None:
        return f"{said}."
    return f"{said}; other real pictures reach {percent(value.floor)}."


def _copies(share: float) -> str:
    if share <= 2 * USUAL_COPIES:
        return (
            f"Nothing hints at memorised pictures: {percent(share, 1)} of the samples are as near "
            f"to a training picture as {percent(USUAL_COPIES)} of real ones are."
        )
    return (
        f"Look at the closest pairs: {percent(share, 1)} of the samples are nearer to a training "
        f"picture than real ones are, of which {percent(USUAL_COPIES)} are."
    )


def _rebuilding(mse: float, pca: float) -> str:
    if mse < pca:
        return (
            f"It rebuilds held-out pictures with {percent(mse / pca)} of the error of PCA with as "
            "many latents."
        )
    return (
        f"It rebuilds held-out pictures no better than PCA with as many latents ({mse:.4f} against "
        f"{pca:.4f})."
    )


def _denoising(mse: float, linear: float) -> str:
    if mse < linear:
        share = percent(mse / linear)
        return f"It predicts the noise with {share} of the best linear denoiser's error."
    return (
        f"It predicts the noise no better than the best linear denoiser ({mse:.4f} against "
        f"{linear:.4f})."
    )
