"""The documentation against the program: what it names exists, what it shows works.

No page is trusted: every file, function, test, link, picture, command, option value, pip extra,
make target and Python name that a page mentions is looked up.
"""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import typer.main

from kgen import run_config
from kgen_cli.main import app
from kgen_cli.options import config_options, parse_assignments

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
THEORY = [ROOT / "docs" / f"{name}.md" for name in ("gan", "vae", "diffusion")]
README, README_ZH = ROOT / "README.md", ROOT / "README.zh-CN.md"
SHOWING_COMMANDS = [README, README_ZH, *sorted(ROOT.glob("docs/*.md"))]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"")
FILE = re.compile(
    r"((?:kgen|cli|exports|tests|benchmarks|scripts|docs)/[\w./-]*)(::[\w:]+|:[A-Za-z_][\w.]*)?"
)
MODULE = re.compile(r"(?!kgen\.json$)(kgen(?:_cli|_exports)?(?:\.[A-Za-z_]\w*)+)(?:\(.*\))?")
PACKAGES = {"kgen": ROOT, "kgen_cli": ROOT / "cli", "kgen_exports": ROOT / "exports"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def fences(page: Path) -> list[tuple[str, str]]:
    """Return (language, text) of each fenced block."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def spans(page: Path) -> list[str]:
    """Return the inline code of the page, in order."""
    return SPAN.findall(prose(page))


@cache
def definitions(file: Path) -> dict[str, ast.AST | None]:
    """Map what a module defines or imports, methods as `Class.method`, to its node."""
    return dict(_defined(ast.parse(file.read_text(encoding="utf-8")).body, ""))


def _defined(body, prefix):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _defined(node.body, f"{prefix}{node.name}.")
                yield from _attributes(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from ((prefix + (name.asname or name.name), node) for name in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((prefix + t.id, node) for t in targets if isinstance(t, ast.Name))


def _attributes(node, prefix):
    """What methods assign to `self`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
            yield prefix + part.attr, part


def module_file(parts: list[str]) -> Path | None:
    """Find the file of a dotted module name, if it is one."""
    base = PACKAGES[parts[0]].joinpath(*parts)
    return next((f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None)


def resolves(dotted: str) -> bool:
    """Tell whether `package.module.name` is a module, or something that a module defines."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        file = module_file(parts[:length])
        if file is not None:
            rest = ".".join(parts[length:])
            return not rest or rest in definitions(file)
    return False


def commands(page: Path) -> list[str]:
    """Return the `kgen …` commands of shell blocks and of inline code."""
    found = [span for span in spans(page) if span.startswith("kgen ") and not is_name(span)]
    return found + [line for line in shell_lines(page) if line.startswith("kgen ")]


def is_name(span: str) -> bool:
    """Tell whether inline code only names a command, such as `kgen train`."""
    node, _ = parser()
    for word in span.split()[1:]:
        node = getattr(node, "commands", {}).get(word)
    return node is not None


def shell_lines(page: Path) -> list[str]:
    """Return the lines of the page's shell blocks, continued ones joined."""
    texts = [text.replace("\\\n", " ") for language, text in fences(page) if language == "sh"]
    return [line.strip() for text in texts for line in text.splitlines()]


@cache
def parser():
    """Return the command line with commands that only note what they were given."""
    root, noted = typer.main.get_command(app), {}

    def disarm(command, path):
        for name, child in getattr(command, "commands", {}).items():
            disarm(child, (*path, name))
        if not hasattr(command, "commands"):
            command.callback = lambda **given: noted.update(given, path=path)

    disarm(root, ())
    return root, noted


def parse(command: str) -> dict:
    """Parse a command as kgen does, without running it; empty where it only prints help."""
    root, noted = parser()
    noted.clear()
    status = root.main(shlex.split(command, comments=True)[1:], standalone_mode=False)
    assert not status, f"{command!r} does not parse"
    return dict(noted)


def test_there_are_pages():
    names = {page.name for page in PAGES}
    assert {"README.md", "README.zh-CN.md", *(page.name for page in THEORY)} <= names


@each_page
def test_files_functions_and_tests_that_a_page_names_exist(page):
    for span in spans(page):
        if match := FILE.fullmatch(span):
            path, name = ROOT / match[1], (match[2] or "").lstrip(":").replace("::", ".")
            assert path.exists(), f"{span}: no such file"
            assert not name or name in definitions(path), f"{span}: no such name in it"
            if "::" in span:
                assert name.split(".")[-1].startswith("test_"), f"{span} is not a test"


@each_page
def test_modules_that_a_page_names_exist(page):
    for span in spans(page):
        if match := MODULE.fullmatch(span):
            assert resolves(match[1]), span


@each_page
def test_links_and_pictures_exist(page):
    for target in (link or source for link, source in LINK.findall(prose(page))):
        if not target.startswith(("http://", "https://", "mailto:")):
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as GitHub does."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", SHOWING_COMMANDS, ids=lambda page: page.name)
def test_commands_parse_with_values_that_a_run_takes(page):
    for command in commands(page):
        given = parse(command)
        path = given.get("path", ())
        if path[:1] == ("train",):
            overrides = parse_assignments(list(given.get("assignments") or ()))
            for option in config_options(path[1]):
                if (value := given.get(option.parameter_name)) is not None:
                    overrides[option.key] = option.parse(value)
            run_config.resolve(path[1], preset=given.get("preset"), overrides=overrides)


@each_page
def test_extras_and_make_targets_exist(page):
    text = page.read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    known = extras["project"]["optional-dependencies"]
    for names in re.findall(r"(?:kgen|\.)\[([\w,-]+)\]", text):
        assert set(names.split(",")) <= set(known), names
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in [*spans(page), *shell_lines(page)]:
        target = re.match(r"make (\w[\w-]*)", line)
        assert target is None or re.search(rf"^{target[1]}:", makefile, re.MULTILINE), line


@each_page
def test_python_compiles_and_imports_names_that_exist(page):
    for language, text in fences(page):
        if language == "python":
            tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES:
                    for name in node.names:
                        assert resolves(f"{node.module}.{name.name}"), ast.unparse(node)


@each_page
def test_toml_is_a_configuration(page):
    for language, text in fences(page):
        if language == "toml":
            run_config.RunConfig.from_mapping(tomllib.loads(text))


@each_page
def test_display_equations_are_closed(page):
    text = prose(page)
    assert text.count("$$") % 2 == 0
    # A blank line, or a line that looks like a heading or a list, would end the equation early.
    for equation in text.split("$$")[1::2]:
        assert not re.search(r"\n\s*\n|\n\s*[-+*#]+\s|\n\s*[-=]+\n", equation), equation


@pytest.mark.parametrize("page", THEORY, ids=lambda page: page.name)
def test_every_source_note_names_its_code_and_its_test(page):
    blocks = re.findall(r"(?:^> .+\n)+", prose(page), re.MULTILINE)
    assert len(blocks) >= 8
    for block in blocks:
        found = [span for span in SPAN.findall(block) if FILE.fullmatch(span)]
        assert any("::" in span for span in found), f"no test: {block}"
        assert any("::" not in span and ":" in span for span in found), f"no code: {block}"


def test_both_readmes_show_the_same_commands_pictures_and_links():
    def without_comments(page):
        return [re.sub(r"\s*#.*", "", f"{language}\n{text}") for language, text in fences(page)]

    def targets(page):
        found = {link or source for link, source in LINK.findall(prose(page))}
        return {target for target in found - {README.name, README_ZH.name} if target[:1] != "#"}

    assert without_comments(README) == without_comments(README_ZH)
    assert targets(README) == targets(README_ZH)


def test_the_python_example_of_the_readme_runs(workdir, subprocess_env):
    (example,) = [text for language, text in fences(README) if language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=workdir, env=subprocess_env, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(workdir.glob("*.png"))
