"""What a proof in another place told: a table for people, and what the tests ask of it."""

CASES = ("gan", "ae", "vae", "vae_flow", "ddpm")
"""The finished runs whose exports are proven."""
PRECISIONS = ("fp32", "fp16", "int8", "int8-static")


def table(told: dict) -> str:
    """Write the least PSNR of each part and precision in Markdown; a failure is said in words."""
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    lines = [
        f"{told['machine']}: {versions}",
        "",
        f"| model | part | format | {' | '.join(PRECISIONS)} |",
        f"|---|---|---{'|---' * len(PRECISIONS)}|",
    ]
    rows: dict[tuple[str, str, str], dict[str, list[dict]]] = {}
    for file in told["files"]:
        row = rows.setdefault((file["case"], file["part"], file["format"]), {})
        row.setdefault(file["precision"], []).append(file)
    for key, row in rows.items():
        cells = [cell(row.get(precision, [])) for precision in PRECISIONS]
        lines.append(f"| {' | '.join((*key, *cells))} |")
    return "\n".join(lines) + "\n"


def cell(files: list[dict]) -> str:
    """Say how good the worst of some files is."""
    problems = [file["problem"] for file in files if file["problem"]]
    if problems:
        return f"FAILS: {problems[0]}"
    return f"{min(file['psnr_db'] for file in files):.0f} dB" if files else ""


def kinds(told: dict) -> set[tuple[str, ...]]:
    """Return the (case, part, format, precision) that were measured."""
    return {(f["case"], f["part"], f["format"], f["precision"]) for f in told["files"]}


def problems(told: dict) -> dict[str, str]:
    """Return what is wrong, by file."""
    return {f"{f['case']}/{f['path']}": f["problem"] for f in told["files"] if f["problem"]}
