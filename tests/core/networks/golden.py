"""Write what every network answers to fixed weights and inputs, for `test_golden.py`.

Run ``python -m tests.core.networks.golden`` after a change of a network that is meant to change its
function: saved runs of the old one no longer load, so such a change belongs in the changelog.
"""

import json
from pathlib import Path

import numpy as np

from tests.core.networks.cases import CASES, CLASSES, build, outputs, set_weights, tensors

PATH = Path(__file__).with_name("golden.json")


def summary(case: str) -> list[dict[str, object]]:
    """Summarise a case's outputs: parameters, moments, and every 29th number."""
    model = build(case, num_classes=CLASSES)
    set_weights(model)
    return [
        {
            "parameters": model.count_params(),
            "mean": float(np.mean(out, dtype="float64")),
            "std": float(np.std(out, dtype="float64")),
            "values": [float(v) for v in out.ravel()[::29]],
        }
        for out in outputs(model, tensors())
    ]


def main() -> None:
    """Write the file."""
    golden = {
        case: [
            {k: np.round(v, 7).tolist() if k == "values" else v for k, v in part.items()}
            for part in summary(case)
        ]
        for case in CASES
    }
    PATH.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
