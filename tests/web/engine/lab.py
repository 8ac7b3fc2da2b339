"""An engine in a page that has nothing else, and the cases that it draws."""

import numpy as np

FAMILIES = ("gan", "vae", "vae_flow", "ddpm")
NAMES = {family: family.replace("_", "-") for family in FAMILIES}
RUNTIMES = {"onnxruntime": ("fp32", "fp16", "int8"), "litert": ("fp32", "fp16", "int8"),
            "javascript": ("fp16",)}  # fmt: skip
CASES = [
    (family, runtime, precision)
    for family in FAMILIES
    for runtime, precisions in RUNTIMES.items()
    for precision in precisions
    if (family, runtime) != ("ddpm", "javascript")
]
COUNT = 8
SEED = 7
PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>engine</title>'
    '<link rel="icon" href="data:,"></html>'
)
START = """async ({ threads }) => {
  const { Engine, noise } = await import('./engine/client.js');
  const app = await (await fetch('app.json')).json();
  window.noise = noise;
  window.engine = await Engine.start(app, { threads });
  window.plain = (made) => made.map(({ rgba, values }) => ({ rgba: [...rgba],
    values: [...values].map(String) }));
  return window.engine.capabilities;
}"""


class Lab:
    """A page without anything but an engine."""

    def __init__(self, page, address, threads=1):
        self.page, self.messages, self.outside = page, [], []
        page.on("console", lambda m: self.messages.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: self.messages.append(f"script: {error}"))
        page.on("request", lambda r: None if r.url.startswith(address) else self.outside.append(r))
        page.goto(f"{address}engine.html")
        self.capabilities = page.evaluate(START, {"threads": threads})

    def run(self, body, **values):
        """Run the body of an async function of `values` in the page."""
        names = ", ".join(values)
        return self.page.evaluate(f"async ({{ {names} }}) => {{ {body} }}", values)

    def drawn(self, family, runtime, precision, body):
        """Open a model and run a body that returns pictures; give their bytes and numbers."""
        found = self.run(
            f"const model = await engine.open(name, {{ runtime, precision }}); {body}",
            name=NAMES[family], runtime=runtime, precision=precision,
        )  # fmt: skip
        bytes_ = np.array([one["rgba"] for one in found], np.uint8)
        values = np.array([one["values"] for one in found], float).astype(np.float32)
        return bytes_.reshape(len(found), -1, 4), values

    def failure(self, body):
        """Run a body that fails; return the code and the message of its error."""
        return self.run(
            f"try {{ {body} }} catch (error) {{ return [error.code, error.message]; }}"
            "return [null, 'no error'];"
        )
