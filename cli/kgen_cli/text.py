"""Numbers and plans in words."""

from kgen.report import Plan

SKIPPED_SHOWN = 5


def plan_lines(plan: Plan, *, every_file: bool = False) -> list[str]:
    """Say in a few lines what a configuration amounts to.

    Args:
        plan: what it amounts to.
        every_file: whether to name all files that were skipped, not only the first few.
    """
    height, width, channels = plan.image_shape
    licence = f" ({plan.licence})" if plan.licence else ""
    parts = [f"{name} {count:,}" for name, count in plan.parameters.items()]
    lines = [
        f"data:       {plan.data}{licence}, {plan.train_images:,} pictures to train on, "
        f"{plan.validation_images:,} held out, {height} x {width} x {channels}",
        f"parameters: {sum(plan.parameters.values()):,} ({', '.join(parts)})",
        f"memory:     about {size(plan.memory_bytes)} for training, besides the "
        f"{size(plan.resident_bytes)} of Python, backend and pictures",
        f"steps:      {plan.steps_per_epoch} per epoch, {plan.total_steps:,} in all, "
        f"{plan.epochs} epochs",
        f"computes:   {plan.device}",
    ]
    if plan.skipped:
        shown = plan.skipped if every_file else plan.skipped[:SKIPPED_SHOWN]
        more = "" if len(shown) == len(plan.skipped) else ", ... (--dry-run names all)"
        count = "1 file" if len(plan.skipped) == 1 else f"{len(plan.skipped)} files"
        lines.append(f"skipped:    {count} that cannot be read: {', '.join(shown)}{more}")
    return lines


def metric_text(metrics: dict[str, float]) -> str:
    """Write metrics in a row."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def duration(seconds: float) -> str:
    """Write a time span: `45 s`, `2:05 min`, `1:02:05 h`."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def size(count: float) -> str:
    """Write a number of bytes: `412 MB`, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}" if count < 100 else f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
