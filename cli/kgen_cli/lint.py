"""`kgen lint`: what would hurt on a device, for any ONNX or TFLite file."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kgen.errors import KgenError
from kgen_cli.application import say_error
from kgen_cli.text import size

_STYLES = {"error": "bold red", "warning": "yellow", "note": ""}
_TITLES = {
    "nnapi": "NNAPI",
    "coreml_mlprogram": "CoreML MLProgram",
    "coreml_neuralnetwork": "CoreML NeuralNetwork",
}


def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="ONNX or TFLite files.")],
    as_json: Annotated[
        bool, typer.Option("--json", metavar="", help="Print all that was found, for programs.")
    ] = False,
) -> None:
    """Say what would hurt on a device; exit status 1 if a file has an error."""
    from kgen_exports.lint import lint as examine

    found: list[dict[str, Any]] = []
    for file in files:
        try:
            found.append(examine(file, peaks=_peaks(file)).to_mapping())
        except KgenError as error:
            say_error(str(error))
            found.append({"path": str(file), "ok": False, "problem": str(error)})
            continue
        if not as_json:
            _print(found[-1])
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    if not all(report["ok"] for report in found):
        raise typer.Exit(1)


def _peaks(file: Path) -> dict[str, float] | None:
    """Read what a file of a bundle is known to put out at most, layer by layer; else None."""
    from kgen_exports.manifest import FILE_NAME, Manifest

    if not (file.parent / FILE_NAME).is_file():
        return None
    manifest = Manifest.read(file.parent)
    owners = [part for part, entry in manifest.files() if entry.path == file.name]
    return dict(manifest.parts[owners[0]].peaks) if owners else None


def _print(report: dict[str, Any]) -> None:
    """Print what was found in a file: what it is, then a line per finding."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = None if sys.stdout.isatty() else 10_000
    console = Console(width=width, highlight=False)
    console.print(Text(report["path"], style="bold"))
    for line in _summary(report):
        console.print(f"  {line}", markup=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for name in ("", "severity", "rule"):
        table.add_column(name, no_wrap=True)
    table.add_column("message")
    for finding in report["findings"]:
        style = _STYLES[finding["severity"]]
        where = f" [{finding['where']}]" if finding["where"] else ""
        table.add_row(
            "", Text(finding["severity"], style=style), Text(finding["rule"]),
            Text(f"{finding['message']}{where}"),
        )  # fmt: skip
    if report["findings"]:
        console.print(table)
    else:
        console.print("  Nothing to object to.", style="green")


def _summary(report: dict[str, Any]) -> list[str]:
    """Say in two or three lines what a file is."""
    version = f"opset {report['opset']}, IR {report['ir']}" if report["format"] == "onnx" else ""
    kind = {"onnx": "ONNX", "tflite": "TFLite"}[report["format"]]
    facts = [
        f"{kind}{', ' if version else ''}{version}",
        size(report["size"]),
        _operators(report["nodes"]),
        f"at most {report['max_rank']} axes",
    ]
    ends = [", ".join(_tensor(t) for t in report[end]) for end in ("inputs", "outputs")]
    lines = [", ".join(facts), " -> ".join(ends)]
    if report["verdicts"]:
        lines.append(
            ", ".join(
                f"{_TITLES[name]} {verdict['verdict']} ({verdict['supported']} of "
                f"{verdict['total']} nodes)"
                for name, verdict in report["verdicts"].items()
            )
        )
    return lines


def _operators(nodes: dict[str, int]) -> str:
    """Write how many operators there are, the most frequent by name."""
    total = sum(nodes.values())
    named = [f"{name} {count}" for name, count in list(nodes.items())[:4]]
    rest = ["..."] if len(nodes) > 4 else []
    return f"{total:,} operator{'' if total == 1 else 's'} ({' '.join([*named, *rest])})"


def _tensor(tensor: dict[str, Any]) -> str:
    """Describe an input or output: `z float32 (1, 64)`."""
    shape = tensor["shape"]
    sizes = "?" if shape is None else ", ".join("?" if n is None else str(n) for n in shape)
    return f"{tensor['name']} {tensor['dtype']} ({sizes})"
