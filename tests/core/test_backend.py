"""kgen.backend: the choice of backend, made without importing Keras."""

import subprocess
import sys
from importlib import metadata

import pytest

from kgen import backend
from kgen.errors import KgenError


@pytest.fixture
def no_keras(monkeypatch):
    """Pretend that this process has not imported Keras, and forgets what select() sets."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr("os.environ", {"PATH": ""})


def fake_versions(monkeypatch, versions):
    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(backend.metadata, "version", version)


ALL_CPU = {"tensorflow": "2.21.0", "jax": "0.10.2", "torch": "2.13.0+cpu"}


@pytest.mark.usefixtures("no_keras")
class TestSelect:
    @pytest.mark.parametrize("name", backend.BACKENDS)
    def test_sets_the_environment_variable_that_keras_reads(self, name, monkeypatch):
        fake_versions(monkeypatch, ALL_CPU)
        assert backend.select(name) == name
        assert backend.os.environ["KERAS_BACKEND"] == name

    def test_without_a_name_takes_the_environments(self, monkeypatch):
        fake_versions(monkeypatch, ALL_CPU)
        backend.os.environ["KERAS_BACKEND"] = "jax"
        assert backend.select() == "jax"

    def test_without_a_name_or_environment_takes_the_fastest_on_a_cpu(self, monkeypatch):
        fake_versions(monkeypatch, ALL_CPU)
        assert backend.select() == "tensorflow"

    def test_refuses_an_unknown_name_and_lists_the_known(self):
        with pytest.raises(KgenError, match=r"jax, tensorflow, torch.*Received: backend='mxnet'"):
            backend.select("mxnet")

    def test_refuses_an_unknown_name_in_the_environment(self):
        backend.os.environ["KERAS_BACKEND"] = "openvino"
        with pytest.raises(KgenError, match="openvino"):
            backend.select()

    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("jax", "pip install 'kgen[jax]'"),
            ("torch", "pip install 'kgen[torch]'"),
            ("tensorflow", "pip install tensorflow"),
        ],
    )
    def test_a_missing_backend_says_what_to_install(self, name, line, monkeypatch):
        there = {k: v for k, v in ALL_CPU.items() if k != name}
        fake_versions(monkeypatch, there)
        with pytest.raises(KgenError) as error:
            backend.select(name)
        assert line in str(error.value)
        assert all(other in str(error.value) for other in there)
        assert "\n" not in str(error.value)


@pytest.mark.backend
class TestWithKerasImported:
    def test_current_is_keras_own(self):
        import keras

        assert backend.current() == keras.config.backend()

    def test_selecting_the_same_again_is_harmless(self, monkeypatch):
        monkeypatch.setattr("os.environ", dict(backend.os.environ))
        assert backend.select(backend.current()) == backend.current()

    def test_refuses_to_change(self):
        other = next(name for name in backend.BACKENDS if name != backend.current())
        with pytest.raises(KgenError, match=rf"already imported with '{backend.current()}'"):
            backend.select(other)


class TestInstalled:
    def test_lists_every_backend(self):
        assert tuple(backend.installed()) == backend.BACKENDS

    def test_a_missing_one_is_none(self, monkeypatch):
        fake_versions(monkeypatch, {"jax": "0.10.2"})
        assert backend.installed() == {"jax": "0.10.2", "tensorflow": None, "torch": None}

    def test_knows_the_other_builds_of_tensorflow(self, monkeypatch):
        fake_versions(monkeypatch, {"tensorflow-cpu": "2.21.0"})
        assert backend.installed()["tensorflow"] == "2.21.0"

    def test_imports_nothing(self, subprocess_env):
        code = (
            "import sys; from kgen import backend; backend.installed(); backend.select('jax'); "
            "print(sorted({'keras', 'jax', 'tensorflow', 'torch', 'numpy'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=subprocess_env, capture_output=True, text=True
        )
        assert (done.stdout.strip(), done.stderr) == ("[]", "")


class TestDefault:
    def test_follows_the_measured_order_on_a_cpu(self, monkeypatch):
        fake_versions(monkeypatch, ALL_CPU)
        assert backend.default("cpu") == "tensorflow"
        fake_versions(monkeypatch, {k: ALL_CPU[k] for k in ("jax", "torch")})
        assert backend.default("cpu") == "torch"

    @pytest.mark.parametrize(
        ("extra", "expected"),
        [
            ({}, "tensorflow"),
            ({"torch": "2.15.0"}, "torch"),
            ({"jax-cuda12-plugin": "0.10.2"}, "jax"),
            ({"nvidia-cudnn-cu12": "9.10.2.21", "torch": "2.15.0"}, "tensorflow"),
        ],
    )
    def test_takes_a_backend_that_can_use_the_gpu(self, extra, expected, monkeypatch):
        fake_versions(monkeypatch, ALL_CPU | extra)
        assert backend.default("gpu") == expected

    @pytest.mark.parametrize(
        ("variables", "driver", "expected"),
        [
            ({}, "/usr/bin/nvidia-smi", "torch"),
            ({"CUDA_VISIBLE_DEVICES": "-1"}, "/usr/bin/nvidia-smi", "tensorflow"),
            ({}, None, "tensorflow"),
        ],
    )
    def test_auto_looks_for_a_driver(self, variables, driver, expected, monkeypatch):
        fake_versions(monkeypatch, ALL_CPU | {"torch": "2.15.0"})
        monkeypatch.setattr("os.environ", variables)
        monkeypatch.setattr(backend.shutil, "which", lambda name: driver)
        assert backend.default("auto") == expected

    def test_with_none_installed_says_what_to_install(self, monkeypatch):
        fake_versions(monkeypatch, {})
        with pytest.raises(KgenError, match="pip install tensorflow"):
            backend.default()


class TestEnvironment:
    def test_a_cpu_run_opens_no_gpu(self):
        assert backend.environment("jax", "cpu", False, {})["JAX_PLATFORMS"] == "cpu"
        assert backend.environment("torch", "cpu", False, {})["KERAS_TORCH_DEVICE"] == "cpu"

    def test_jax_leaves_gpu_memory_to_others_unless_the_user_says_otherwise(self):
        name = "XLA_PYTHON_CLIENT_PREALLOCATE"
        assert backend.environment("jax", "auto", False, {})[name] == "false"
        assert name not in backend.environment("jax", "auto", False, {name: "true"})

    def test_determinism_adds_to_the_users_xla_flags_once(self):
        present = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
        once = backend.environment("jax", "gpu", True, present)
        twice = backend.environment("jax", "gpu", True, present | once)
        assert once["XLA_FLAGS"] == twice["XLA_FLAGS"]
        assert once["XLA_FLAGS"].split() == [
            "--xla_force_host_platform_device_count=4",
            "--xla_gpu_deterministic_ops=true",
        ]

    def test_determinism_fixes_cublas_workspaces(self):
        assert "CUBLAS_WORKSPACE_CONFIG" in backend.environment("torch", "gpu", True, {})
        assert "CUBLAS_WORKSPACE_CONFIG" not in backend.environment("torch", "gpu", False, {})

    def test_who_asks_for_a_gpu_sees_tensorflows_reasons(self):
        level = "TF_CPP_MIN_LOG_LEVEL"
        assert backend.environment("tensorflow", "gpu", False, {})[level] == "1"
        assert backend.environment("tensorflow", "auto", False, {})[level] == "3"
        assert backend.environment("tensorflow", "auto", False, {level: "0"}) == {}
