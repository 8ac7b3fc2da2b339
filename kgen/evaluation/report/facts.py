"""What was evaluated and how, in words."""

from kgen.evaluation.record import Protocol, Record, Target


def title(target: Target) -> str:
    """Name what was evaluated: its name, its family, and what tells two of one name apart."""
    family = f"{target.family.upper()} " if target.family else ""
    precision = f" in {target.precision}" if target.precision else ""
    return f"{family}{target.name}{precision}"


def facts_of(record: Record) -> dict[str, str]:
    """List what was evaluated, against what, by what; only what is known."""
    target, protocol = record.target, record.protocol
    found = {
        "Evaluated": f"{target.kind} {target.name}",
        "Sampler": target.sampler,
        "Parameters": None if target.parameters is None else f"{target.parameters:,}",
        "Training": None if target.training_seconds is None else duration(target.training_seconds),
        "Per picture": None
        if target.seconds_per_picture is None
        else duration(target.seconds_per_picture),
        "Size on device": None if target.bytes is None else size(target.bytes),
        "Generated": f"{protocol.n:,} pictures, seed {protocol.seed}",
        "Real pictures": f"{protocol.reference:,} of {protocol.data}, {protocol.split}",
        "Seen through": extractor(protocol),
        "When": f"{record.created} by kgen {record.kgen}",
    }
    return {name: value for name, value in found.items() if value is not None}


def extractor(protocol: Protocol) -> str:
    """Name the extractor, with its hash, and how often it is right."""
    said = f"{protocol.extractor}, SHA-256 {protocol.extractor_sha256[:12]}"
    if protocol.extractor_accuracy is None:
        return said
    return f"{said}, right for {100 * protocol.extractor_accuracy:.1f} % of held-out pictures"


def duration(seconds: float) -> str:
    """Write a time for people: `1.2 ms`, `34 s`, `5 min 12 s`, `2 h 5 min`."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """Write a number of bytes for people: `870 kB`, `1.2 MB`, in powers of 1000."""
    if count >= 1_000_000:
        return f"{count / 1_000_000:,.1f} MB"
    return f"{count / 1000:,.0f} kB" if count >= 10_000 else f"{count / 1000:.1f} kB"
