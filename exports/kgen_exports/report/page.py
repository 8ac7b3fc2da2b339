"""The report as a page: whole in itself, light or dark, wide or narrow.

Everything that comes from a run or a manifest goes through :func:`kgen.page.text`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kgen.page import columns, document, facts, scroll, table, text
from kgen_exports.report.figure import COLOURS, GAIN, beside, histogram, label
from kgen_exports.report.record import READINGS, Record, Row, gate, reading
from kgen_exports.sampler import COLUMNS, SamplerTable

Golden = Mapping[str, np.ndarray]

HEAD = ("file", "result", "precision", "batch", "size", "of fp32", "max. error", "dB of a call",
        "dB of the picture", "limit")  # fmt: skip


def page(record: Record, golden: Golden) -> str:
    """Write the page.

    Args:
        record: what it says.
        golden: the pictures by Keras, under ``part/out/image``.
    """
    manifest = record.manifest
    title = f"{manifest.kind.upper()} {manifest.training.get('run') or ''}".strip()
    good = all(row.passed for row in record.rows)
    body = [
        f"<h1>{text(title)}: the files beside the model</h1>",
        f'<p class="verdict{"" if good else " bad"}">{text(record.verdict())}</p>',
        _facts(record),
        "<h2>Every file</h2>",
        _table(record),
        _reading(record),
        "<h2>How large the differences are</h2>",
        *(_histogram(record, part) for part in manifest.parts),
        "<h2>The pictures</h2>",
        f"<p>Upper row: Keras. Middle row: the file. Lower row: the difference, {GAIN} times "
        "enlarged, where even grey is none. All rows have the same noise.</p>",
        *(_pictures(record, part, golden) for part in manifest.parts),
        "<h2>Sizes</h2>",
        *(_bars(record.of_part(part), part) for part in manifest.parts),
        _sampler(manifest.sampler) if manifest.sampler else "",
    ]
    return document(f"{title}: export report", body)


def _facts(record: Record) -> str:
    """List what was exported, of what, by what."""
    m = record.manifest
    training, image = m.training, m.image
    return facts({
        "Model": f"{m.kind}, {image['height']} x {image['width']} x {image['channels']}, "
        f"parts: {', '.join(m.parts)}",
        "Run": f"{training.get('run')}, trained on {training.get('backend')} "
        f"for {training.get('step')} steps",
        "Data": f"{m.data.get('name')}, licence: {m.data.get('licence')}",
        "Note": m.data.get("note"),
        "Exported": f"{m.created} by kgen {m.kgen}",
        "Measured on": ", ".join(f"{name} {value}" for name, value in record.environment.items()),
        "Measured with": f"{m.golden.get('count')} golden cases, seed {m.golden.get('seed')}",
    })  # fmt: skip


def _table(record: Record) -> str:
    """Write a row for every file."""
    groups = []
    for part in record.manifest.parts:
        rows = "".join(_row(row) for row in record.of_part(part))
        title = f'<tr><th scope="rowgroup" colspan="{len(HEAD)}">{text(part)}</th></tr>'
        groups.append(f"<tbody>{title}{rows}</tbody>")
    refused = "".join(
        f'<li><span class="bad">{text(row.entry.path)}</span>: {text(row.check.problem)}</li>'
        for row in record.rows
        if not row.passed
    )
    return (
        table(
            columns(HEAD[:2], HEAD[2:]),
            "".join(groups),
            "Every file, its size and its distance from the model in Keras",
        )
        + f"{f'<h3>Refused</h3><ul>{refused}</ul>' if refused else ''}"
    )


def _row(row: Row) -> str:
    """Write a file's row."""
    entry = row.entry
    result = '<td class="left good">passed</td>' if row.passed else (
        '<td class="left bad">refused</td>'
    )  # fmt: skip
    cells = [
        entry.precision,
        "any" if entry.batch is None else entry.batch,
        kilobytes(entry.bytes),
        _number(row.share, "{:.0%}"),
        _number(row.max_abs, "{:.1e}"),
        _number(row.call_db, "{:.1f}"),
        _number(row.picture_db, "{:.1f}"),
        gate(entry.precision)["short"],
    ]
    numbers = "".join(f"<td>{text(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{text(entry.path)}</th>{result}{numbers}</tr>'


def _number(value: float | None, form: str) -> str | None:
    return None if value is None else form.format(value)


def kilobytes(count: int) -> str:
    """Write a size in bytes for people: `870 kB`, in powers of 1000."""
    return f"{count / 1000:,.0f} kB" if count >= 10_000 else f"{count / 1000:.1f} kB"


def _reading(record: Record) -> str:
    """Say what the numbers mean, and where the limits come from."""
    said = dict.fromkeys(
        (row.entry.precision, f"{row.picture_db:.0f} dB", reading(row.picture_db))
        for row in record.rows
        if row.picture_db is not None
    )
    worst: dict[str, tuple[str, str]] = {}
    for precision, decibels, words in sorted(said, key=lambda s: -float(s[1].split()[0])):
        worst[precision] = (decibels, words)
    lines = "".join(
        f"<li>{text(precision)}, at worst {decibels}: {text(words)}.</li>"
        for precision, (decibels, words) in worst.items()
    )
    scale = "".join(
        f'<tr><th scope="row">{least:g} dB and more</th><td class="wide">{text(words)}</td></tr>'
        for least, words in READINGS[:-1]
    )
    gates = "".join(
        f'<tr><th scope="row">{text(precision)}</th><td class="left">{text(limit["text"])}</td>'
        f'<td class="wide">{text(limit["origin"])}</td></tr>'
        for precision, limit in record.to_mapping()["gates"].items()
    )
    decibels = (
        "<p>Decibels (PSNR) are 20 log10(range / root of the mean square error): every 20 dB more "
        "is a tenth of the error. Of a denoiser the finished picture counts, after all steps: "
        "small errors of a call add up on the way.</p>"
    )
    return (
        f"<h3>In plain words</h3>{f'<ul>{lines}</ul>' if lines else ''}{decibels}"
        "<details><summary>What decibels look like, and where the limits come from</summary>"
        f"{_worded(('PSNR', 'seen by the eye'), scale, 'What decibels look like')}<p></p>"
        f"{_worded(('precision', 'limit', 'where it comes from'), gates, 'Limits and origins')}"
        "</details>"
    )


def _worded(heads: Sequence[str], rows: str, described: str) -> str:
    """Make a table of words."""
    return table(columns(heads), f"<tbody>{rows}</tbody>", described)


def _histogram(record: Record, part: str) -> str:
    """Draw the differences of a part's files."""
    rows = [row for row in record.of_part(part) if row.shares.size]
    if not rows:
        return ""
    what = "of the finished picture" if rows[0].entry.picture else "of the output"
    middles = "; ".join(f"{label(r.entry)}: {np.median(r.shares):.0e}" for r in rows)
    described = f"{part}: how many values {what} differ by how much. Medians: {middles}."
    drawn = histogram(rows, f"histogram-{part}", described)
    return f"<h3>{text(part)}, {what}</h3>{scroll(drawn, f'Differences of {part}')}"


def _pictures(record: Record, part: str, golden: Golden) -> str:
    """Show what Keras and each file make of the golden noise."""
    keras = golden.get("sampler/out/image" if part == "denoiser" else f"{part}/out/image")
    low, high = record.manifest.image["range"]
    figures = []
    for row in record.of_part(part):
        drawn = row.check.drawn
        if drawn is None or keras is None:
            continue
        address, width = beside(drawn, keras, low, high)
        alt = (
            f"{len(drawn)} pictures by Keras, the same by {row.entry.path} below, and their "
            f"differences enlarged: {_number(row.picture_db, '{:.1f}')} dB."
        )
        refused = "" if row.passed else ' <span class="bad">refused</span>'
        figures.append(
            f'<figure><img src="{address}" width="{2 * width}" alt="{text(alt)}">'
            f"<figcaption>{text(row.entry.path)}, {_number(row.picture_db, '{:.1f}')} dB{refused}"
            "</figcaption></figure>"
        )
    if not figures:
        return ""
    steps = record.manifest.sampler
    note = f" after {steps.num_steps} steps" if steps and part in ("denoiser", "sampler") else ""
    return f'<h3>{text(part)}{note}</h3><div class="figures">{"".join(figures)}</div>'


def _bars(rows: Sequence[Row], part: str) -> str:
    """Draw the sizes of a part's files as bars."""
    largest = max((row.entry.bytes for row in rows), default=1)
    lines = []
    for row in rows:
        share = "" if row.share is None else f", {row.share:.0%}"
        style = f"width:{100 * row.entry.bytes / largest:.1f}%;"
        style += f"background:{COLOURS[row.entry.precision]}"
        lines.append(
            f"<li><span>{text(row.entry.path)}</span>"
            f'<span class="bar" style="{style}" aria-hidden="true"></span>'
            f"<span>{kilobytes(row.entry.bytes)}{share}</span></li>"
        )
    return f'<h3>{text(part)}</h3><ul class="bars">{"".join(lines)}</ul>' if lines else ""


def _sampler(sampler: SamplerTable) -> str:
    """Sum up the sampler, with its steps for those who write a loop."""
    noise = "fresh noise at every step" if sampler.stochastic else "no noise on the way"
    variance = f", variance {sampler.variance}" if sampler.variance else ""
    rows = "".join(
        f'<tr><th scope="row">{i}</th><td>{t}</td>'
        + "".join(f"<td>{value:.6g}</td>" for value in numbers)
        + "</tr>"
        for i, (t, numbers) in enumerate(
            zip(sampler.timesteps, sampler.coefficients(), strict=True)
        )
    )
    steps = table(
        columns(numbers=("step", "t", *COLUMNS)),
        f"<tbody>{rows}</tbody>",
        "The numbers of every step",
    )
    return (
        "<h2>The sampler</h2>"
        f"<p>{text(sampler.name)}{text(variance)}, eta {sampler.eta:g}, {sampler.num_steps} of "
        f"{sampler.num_timesteps} timesteps, {noise}; the denoiser predicts "
        f"{text(sampler.prediction)}.</p>"
        f"<details><summary>Its {sampler.num_steps} steps</summary>{steps}</details>"
    )
