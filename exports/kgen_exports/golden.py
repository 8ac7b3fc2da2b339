"""Golden cases: inputs, and what the model in Keras makes of them, in float32.

They go into every bundle, so that any runtime on any device can be compared with Keras.
"""

from typing import Any

import numpy as np
from keras import ops

from kgen import noise as host_noise
from kgen import samplers
from kgen.models.ddpm import DDPM
from kgen.models.generative import GenerativeModel
from kgen_exports.parts import Part
from kgen_exports.sampler import SamplerTable

SEED = 7
COUNT = 8
"""Pictures in each case."""


def golden(
    model: GenerativeModel, parts: dict[str, Part], table: SamplerTable | None, **options: Any
) -> dict[str, np.ndarray]:
    """Run the model in Keras on inputs that are made on the host.

    Args:
        model: float32.
        parts: what is shipped, and whatever draws the pictures that it needs.
        table: of the sampler of a ddpm.
        options: of the sampler, as for `DDPM.plan`.

    Returns:
        ``part/in/name`` and ``part/out/name``, each of `COUNT` rows. The noise of a sampler's
        steps is left out: it is large, and docs/noise.md says how it is drawn.
    """
    cases: dict[str, np.ndarray] = {}
    if isinstance(model, DDPM) and table is not None:
        _diffusion(model, parts["denoiser"], table, options, cases)
        return cases
    drawing = next(part for part in parts.values() if part.outputs[0].name == "image")
    z = host_noise.normal(SEED, (COUNT, *drawing.inputs[0].shape[1:]))  # type: ignore[arg-type]
    _run(drawing, {"z": z}, cases)
    for part in parts.values():
        if part is not drawing:
            _run(part, {"image": cases[f"{drawing.name}/out/image"]}, cases)
    return cases


def _run(part: Part, inputs: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    """Run a part in Keras and note inputs and outputs."""
    tensors = [ops.convert_to_tensor(inputs[spec.name]) for spec in part.inputs]
    outputs = part.model()(tensors if len(tensors) > 1 else tensors[0], training=False)
    cases |= {f"{part.name}/in/{name}": array for name, array in inputs.items()}
    cases |= {
        f"{part.name}/out/{spec.name}": ops.convert_to_numpy(outputs[spec.name])
        for spec in part.outputs
    }


def _diffusion(
    model: DDPM, denoiser: Part, table: SamplerTable, options: dict[str, Any],
    cases: dict[str, np.ndarray],
) -> None:  # fmt: skip
    """Sample with the model's own sampler, not with the table, and look at single calls on the way.

    The denoiser's inputs are met on the way from noise to pictures, one timestep per picture,
    from the most noise to the least: what a device will feed it.
    """
    shape = (COUNT, *model.image_shape)
    x_T = host_noise.normal(SEED, shape)
    way: list[tuple[int, np.ndarray]] = []

    def step_noise(i: int, _shape: Any) -> Any:
        return ops.convert_to_tensor(host_noise.normal(SEED, shape, stream=i + 1))

    image = samplers.sample(
        model._predict_x0,
        ops.convert_to_tensor(x_T),
        model.plan(**options),
        step_noise,
        on_step=lambda i, t, xt, x0_hat: way.append((t, ops.convert_to_numpy(xt))),
    )
    cases["sampler/in/noise"] = x_T
    cases["sampler/out/image"] = ops.convert_to_numpy(image)
    visited = [way[i] for i in np.linspace(0, table.num_steps - 1, COUNT).round().astype(int)]
    xt = np.stack([picture[k] for k, (_, picture) in enumerate(visited)])
    t = np.array([t for t, _ in visited], np.int32)
    _run(denoiser, {"xt": xt, "t": t}, cases)
