"""What imports what, and other rules of the house that a parser can check."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgen.backend import BACKENDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "kgen": ROOT / "kgen",
    "kgen_exports": ROOT / "exports" / "kgen_exports",
    "kgen_cli": ROOT / "cli" / "kgen_cli",
}
SOURCES = [path for folder in PACKAGES.values() for path in sorted(folder.rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Files that may speak to a backend's own API.
NAMES_BACKENDS = (
    "kgen/step/",
    "kgen/device/",
    "kgen/backend.py",
    "exports/kgen_exports/",
    # Inception is another library's network, in PyTorch whatever the backend of the run.
    "kgen/evaluation/extraction/inception.py",
)

# Modules that must load in milliseconds, because `kgen --help` and wrong options wait for them.
WITHOUT_KERAS = (
    "kgen",
    "kgen.backend",
    "kgen.cluster",
    "kgen.config",
    "kgen.data",
    "kgen.device",
    "kgen.errors",
    "kgen.families",
    "kgen.noise",
    "kgen.presets",
    "kgen.run",
    "kgen.sampler_plans",
    "kgen.schedule",
    "kgen_cli.main",
)

MAX_LINES = 350


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield every module a file imports, at its top or inside functions, relative ones resolved."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield ".".join([package_of(path), node.module or ""])
            else:
                yield node.module or ""
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant))


def package_of(path: Path) -> str:
    """Return the top-level package that a source file belongs to."""
    return next(name for name, folder in PACKAGES.items() if path.is_relative_to(folder))


def top(module: str) -> str:
    return module.partition(".")[0]


def test_the_rules_see_every_package():
    assert {package_of(path) for path in SOURCES} >= {"kgen", "kgen_cli"}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("kgen", {"kgen_cli", "kgen_exports"}), ("kgen_exports", {"kgen_cli"})],
)
def test_dependencies_point_one_way(package, forbidden):
    wrong = [
        f"{short(path)} imports {module}"
        for path in SOURCES
        if package_of(path) == package
        for module in imports(path)
        if top(module) in forbidden
    ]
    assert wrong == []


def test_packages_are_not_imported_by_the_folders_they_lie_in():
    # `import cli.kgen_cli` works by accident in an editable install, and nowhere else.
    wrong = [
        f"{short(path)} imports {module}"
        for path in [*SOURCES, *TESTS]
        for module in imports(path)
        if top(module) in {"cli", "exports"}
    ]
    assert wrong == []


def backend_words(path: Path) -> Iterator[str]:
    """Yield where a file imports a backend, names its module, or asks which backend it is on."""
    modules = {*BACKENDS, "tf", "jaxlib"}
    yield from (f"imports {m}" for m in imports(path) if top(m) in modules)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Name) and node.id in modules:
            yield f"names {node.id}"
        if isinstance(node, ast.Compare):
            for operand in [node.left, *node.comparators]:
                if isinstance(operand, ast.Constant) and operand.value in BACKENDS:
                    yield f"compares with {operand.value!r}"


def test_only_the_step_the_device_and_the_exporters_know_the_backends():
    wrong = [
        f"{short(path)} {what}"
        for path in SOURCES
        if not short(path).startswith(NAMES_BACKENDS)
        for what in backend_words(path)
    ]
    assert wrong == []


@pytest.mark.parametrize("module", WITHOUT_KERAS)
def test_start_up_modules_leave_keras_alone(module, subprocess_env):
    code = f"import sys, {module}; print(*({{'keras', *{BACKENDS!r}}} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=subprocess_env, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_files_stay_short():
    long = {
        short(path): lines
        for path in SOURCES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


def test_files_are_named_after_what_is_in_them():
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "tools"}
    assert [short(p) for p in SOURCES if {p.stem, p.parent.name} & vague] == []


def test_libraries_do_not_print():
    wrong = [
        f"{short(path)}:{node.lineno}"
        for path in SOURCES
        if package_of(path) != "kgen_cli"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert wrong == []


def test_nothing_is_left_for_later():
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    wrong = [short(p) for p in SOURCES if unfinished.search(p.read_text(encoding="utf-8"))]
    assert wrong == []


def test_no_test_is_skipped_or_expected_to_fail():
    names = {"skip", "skipif", "xfail", "importorskip"}
    wrong = [
        f"{short(path)}:{node.lineno}"
        for path in TESTS
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in names
    ]
    assert wrong == []


def test_tests_that_import_keras_run_on_every_backend():
    wrong = [
        short(path)
        for path in TESTS
        if path.name.startswith("test_")
        and any(top(module) == "keras" for module in imports(path))
        and "pytest.mark.backend" not in path.read_text(encoding="utf-8")
    ]
    assert wrong == []
