"""kgen.device: where and how exactly a backend computes; GPU decisions with pretended GPUs."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from kgen import device
from kgen.device import Device
from kgen.errors import KgenError

CPU = Device(kind="cpu", name="Some CPU")
GPU = Device(kind="gpu", name="Some GPU")
TPU = Device(kind="tpu", name="Some TPU")


class TestChoose:
    @pytest.mark.parametrize(
        ("asked", "present", "active", "expected"),
        [
            ("auto", [CPU], "cpu", "cpu"),
            ("auto", [GPU, CPU], "gpu", "gpu"),
            ("auto", [GPU, CPU], "cpu", "cpu"),  # as when the user hid the GPU from the backend
            ("auto", [TPU, CPU], "tpu", "tpu"),
            ("cpu", [GPU, CPU], "gpu", "cpu"),
            ("gpu", [GPU, CPU], "cpu", "gpu"),
        ],
    )
    def test_takes_what_was_asked_and_else_what_the_backend_would(
        self, asked, present, active, expected
    ):
        assert device.choose(asked, present, active, "") == expected

    @pytest.mark.parametrize("present", [[CPU], [TPU, CPU], []])
    def test_a_missing_gpu_is_an_error_of_one_line_that_helps(self, present):
        with pytest.raises(KgenError) as error:
            device.choose("gpu", present, "cpu", "It looks for CUDA 12; install kgen[gpu].")
        text = str(error.value)
        assert all(d.name in text for d in present)
        assert "CUDA 12" in text
        assert "--device cpu" in text
        assert "\n" not in text


class TestJitPolicy:
    @pytest.mark.parametrize("kind", ["cpu", "gpu", "tpu"])
    def test_jax_always_and_torch_never(self, kind):
        assert device.jit_policy("jax", kind, deterministic=True)
        assert not device.jit_policy("torch", kind, deterministic=False)

    def test_tensorflow_only_where_xla_pays(self):
        assert not device.jit_policy("tensorflow", "cpu", deterministic=False)
        assert device.jit_policy("tensorflow", "gpu", deterministic=False)
        assert not device.jit_policy("tensorflow", "gpu", deterministic=True)

    @pytest.mark.parametrize(
        ("jit", "devices", "words"),
        [
            (False, 1, "tensorflow on gpu, float32"),
            (True, 1, "tensorflow on gpu, float32, compiled by XLA"),
            (True, 4, "tensorflow on 4 x gpu, float32, compiled by XLA"),
        ],
    )
    def test_a_run_says_what_was_decided(self, jit, devices, words):
        from kgen.report import device_words

        found = {"backend": "tensorflow", "device": "gpu", "precision": "float32"}
        found |= {"devices": devices, "processes": 1}
        assert device_words(found, jit) == words


@pytest.mark.backend
class TestSetup:
    def test_reports_what_it_set_up(self):
        import keras

        done = device.setup(device="cpu", seed=1)
        assert done == device.info()
        assert done.backend == keras.config.backend()
        assert (done.device, done.precision) == ("cpu", "float32")
        assert done.backend_version[0].isdigit()
        assert done.device_name

    def test_the_description_is_plain_values(self):
        assert json.loads(json.dumps(device.describe()))["keras_version"]

    @pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
    def test_precision_is_what_layers_compute_in_and_weights_stay_float32(self, precision):
        import keras

        assert device.setup(device="cpu", precision=precision).precision == precision
        layer = keras.layers.Dense(2)
        output = layer(np.ones((1, 3), "float32"))
        assert keras.backend.standardize_dtype(output.dtype) == precision
        assert layer.kernel.dtype == "float32"

    def test_one_seed_gives_one_set_of_weights_and_another_another(self):
        import keras

        def weights(seed):
            device.setup(device="cpu", seed=seed)
            layer = keras.layers.Dense(4)
            layer.build((None, 3))
            return layer.get_weights()[0], np.random.rand(2)

        np.testing.assert_array_equal(weights(3)[0], weights(3)[0])
        np.testing.assert_array_equal(weights(3)[1], weights(3)[1])
        assert not np.array_equal(weights(3)[0], weights(4)[0])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"device": "cuda"}, r"device takes one of auto, cpu, gpu. Received: device='cuda'"),
            ({"precision": "fp16"}, r"precision takes .* Received: precision='fp16'"),
        ],
    )
    def test_refuses_unknown_values(self, arguments, message):
        with pytest.raises(KgenError, match=message):
            device.setup(**arguments)

    def test_jit_compile_follows_the_policy(self):
        import keras

        device.setup(device="cpu")
        assert device.jit_compile() is (keras.config.backend() == "jax")

    def test_lists_at_least_the_cpu_and_it_last(self):
        assert device.devices()[-1].kind == "cpu"


class TensorFlowFake:
    """A TensorFlow that lists one GPU and remembers what it is told about it."""

    def __init__(self, monkeypatch):
        import tensorflow as tf

        from kgen.device._tensorflow import TensorFlowRuntime

        self.runtime, self.calls = TensorFlowRuntime(), []
        gpu = SimpleNamespace(name="/physical_device:GPU:0")
        say = self.calls.append
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [gpu])
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [gpu])
        monkeypatch.setattr(
            tf.config, "set_visible_devices", lambda devices, kind: say(("visible", len(devices)))
        )
        experimental = tf.config.experimental
        details = {"device_name": GPU.name}
        monkeypatch.setattr(experimental, "get_device_details", lambda device: details)
        monkeypatch.setattr(
            experimental, "set_memory_growth", lambda device, on: say(("growth", on))
        )


class JaxFake:
    """A JAX whose default platform is one GPU."""

    def __init__(self, monkeypatch):
        import jax

        from kgen.device._jax import JaxRuntime

        self.runtime, self.calls = JaxRuntime(), []
        cpus, gpu = jax.devices("cpu"), SimpleNamespace(platform="gpu", device_kind=GPU.name)
        on_gpu = SimpleNamespace(devices=lambda: [gpu])
        monkeypatch.setattr(jax, "devices", lambda kind=None: cpus if kind == "cpu" else [gpu])
        monkeypatch.setattr(jax.numpy, "zeros", lambda shape: on_gpu)
        monkeypatch.setattr(
            jax.config, "update", lambda name, value: self.calls.append((name, value))
        )


class TorchFake:
    """A PyTorch with one CUDA GPU, which Keras picked when it was imported."""

    def __init__(self, monkeypatch):
        import torch

        from kgen.device import _torch

        self.runtime, self.calls = _torch.TorchRuntime(), []
        on_gpu = SimpleNamespace(device=SimpleNamespace(type="cuda"))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=0: GPU.name)
        monkeypatch.setattr(_torch.keras.ops, "zeros", lambda shape: on_gpu)


@pytest.fixture(params=[JaxFake, TensorFlowFake, TorchFake])
def with_gpu(request, monkeypatch):
    """Each backend's runtime as on a machine with one GPU, whichever backend Keras is on."""
    return request.param(monkeypatch)


class TestGPU:
    def test_is_listed_before_the_cpu_by_its_makers_name(self, with_gpu):
        listed = with_gpu.runtime.devices()
        assert listed[0] == GPU
        assert [d.kind for d in listed] == ["gpu", "cpu"]

    def test_is_what_the_backend_takes_by_itself(self, with_gpu):
        assert with_gpu.runtime.active() == GPU

    def test_missing_says_in_one_line_what_was_looked_for_and_what_to_install(
        self, with_gpu, monkeypatch
    ):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
        text = with_gpu.runtime.missing_gpu()
        assert "looks for" in text
        assert "pip install 'kgen[gpu]'" in text
        assert "CUDA_VISIBLE_DEVICES='-1' hides" in text
        assert "\n" not in text

    def test_tensorflow_takes_its_memory_as_needed(self, monkeypatch):
        fake = TensorFlowFake(monkeypatch)
        fake.runtime.use("gpu")
        assert fake.calls == [("visible", 1), ("growth", True)]

    def test_tensorflow_hides_it_for_a_cpu_run(self, monkeypatch):
        fake = TensorFlowFake(monkeypatch)
        fake.runtime.use("cpu")
        assert fake.calls == [("visible", 0)]

    def test_a_tensorflow_that_has_computed_cannot_move(self, monkeypatch):
        import tensorflow as tf

        fake = TensorFlowFake(monkeypatch)

        def refuse(devices, kind):
            raise RuntimeError("Visible devices cannot be modified after being initialized")

        monkeypatch.setattr(tf.config, "set_visible_devices", refuse)
        with pytest.raises(KgenError, match="has not computed yet"):
            fake.runtime.use("cpu")

    def test_jax_moves_to_the_cpu_at_any_time(self, monkeypatch):
        fake = JaxFake(monkeypatch)
        fake.runtime.use("gpu")
        assert fake.calls == []
        fake.runtime.use("cpu")
        assert [(name, d.platform) for name, d in fake.calls] == [("jax_default_device", "cpu")]

    def test_a_torch_imported_for_it_cannot_move_to_the_cpu(self, monkeypatch):
        fake = TorchFake(monkeypatch)
        fake.runtime.use("gpu")
        with pytest.raises(KgenError, match=r"select\('torch', device='cpu'\)"):
            fake.runtime.use("cpu")

    def test_a_deterministic_jax_on_it_must_be_told_before_the_import(self, monkeypatch):
        fake = JaxFake(monkeypatch)
        monkeypatch.setenv("XLA_FLAGS", "")
        with pytest.raises(KgenError, match="xla_gpu_deterministic_ops"):
            fake.runtime.determinism()
        monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
        fake.runtime.determinism()
        assert fake.runtime.is_deterministic()


class TestFullFloat32:
    """Each backend's own getter says that TensorFloat-32 is off."""

    def test_jax(self):
        import jax

        from kgen.device._jax import JaxRuntime

        JaxRuntime().full_float32()
        assert jax.config.jax_default_matmul_precision == "float32"

    def test_tensorflow(self):
        import tensorflow as tf

        from kgen.device._tensorflow import TensorFlowRuntime

        TensorFlowRuntime().full_float32()
        assert not tf.config.experimental.tensor_float_32_execution_enabled()

    def test_torch(self):
        import torch

        from kgen.device._torch import TorchRuntime

        TorchRuntime().full_float32()
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32


@pytest.mark.backend
def test_a_deterministic_process_repeats_its_bits_and_imports_one_backend(subprocess_env):
    # In a process of its own, because TensorFlow's determinism cannot be switched off again.
    import keras

    code = f"""
import json, sys
from kgen import backend, device
backend.select({keras.config.backend()!r}, device="cpu", deterministic=True)
import keras, numpy as np

def train():
    done = device.setup(device="cpu", deterministic=True, seed=5)
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3),
                              keras.layers.Dropout(0.5), keras.layers.Flatten(),
                              keras.layers.Dense(1)])
    model.compile("adam", "mse", jit_compile=device.jit_compile())
    x = np.linspace(0, 1, 4 * 36, dtype="float32").reshape(4, 6, 6, 1)
    model.fit(x, x[:, 0, 0], epochs=2, verbose=0)
    return done.deterministic, [w.tolist() for w in model.get_weights()]

print(json.dumps([train(), train(), "tensorflow" in sys.modules]))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=subprocess_env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second, tensorflow = json.loads(done.stdout)
    assert first[0] is True
    assert first == second
    # keras.utils.set_random_seed would import it on every backend: seconds, and memory.
    assert tensorflow == (keras.config.backend() == "tensorflow")
