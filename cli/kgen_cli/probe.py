"""What one backend can do here, found out in a process of its own: ``-m kgen_cli.probe NAME``.

A backend can be imported only once per process, may crash it, and may hang on a broken driver, so
that `kgen doctor` asks each from outside. The answer is one line of JSON on stdout.
"""

import json
import subprocess
import sys
from typing import Any

from kgen_cli.session import hushed

MARK = "kgen-probe:"


def probe(name: str) -> dict[str, Any]:
    """Import a backend through Keras, list its devices, and multiply two small matrices."""
    from kgen import backend

    with hushed():
        backend.select(name)
        import keras

        from kgen.device import devices

    found = [{"kind": device.kind, "name": device.name} for device in devices()]
    ones = keras.ops.ones((8, 8))
    product: Any = keras.ops.convert_to_numpy(keras.ops.matmul(ones, ones))
    if product.sum() != 512.0:
        raise ArithmeticError("8 x 8 ones times 8 x 8 ones do not sum to 512")
    return {"devices": found, "keras": keras.version()}


def ask(names: list[str], timeout: float) -> dict[str, dict[str, Any]]:
    """Probe several backends, each in a process; those that fail have an `error`.

    Args:
        names: the backends.
        timeout: seconds that each may take.
    """
    command = [sys.executable, "-m", "kgen_cli.probe"]
    running = {
        name: subprocess.Popen(
            [*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in names
    }
    return {name: _answer(process, timeout) for name, process in running.items()}


def _answer(process: "subprocess.Popen[str]", timeout: float) -> dict[str, Any]:
    """Wait for a probe and read its answer."""
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"error": f"no answer within {timeout:.0f} s"}
    for line in output.splitlines():
        if line.startswith(MARK):
            return json.loads(line.removeprefix(MARK))
    last = errors.strip().splitlines()[-1:] or ["no message"]
    return {"error": f"exit status {process.returncode}: {last[0]}"}


if __name__ == "__main__":
    try:
        answer = probe(sys.argv[1])
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(MARK + json.dumps(answer))
