"""`kgen app`: exported models as a web app, a file, an Android package, or sources to build on."""

import tempfile
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kgen.errors import KgenError
from kgen_cli import making
from kgen_cli.application import settings
from kgen_cli.bundles import BUNDLE_HELP, find
from kgen_cli.options import dim, names

WHAT, MADE, OUTPUT, SERVER = "What", "As what", "Output", "Server"
HOST, PORT = "127.0.0.1", 8000


class Language(StrEnum):
    """What a starter is written in."""

    KOTLIN = "kotlin"
    SWIFT = "swift"
    REACT_NATIVE = "react-native"


def _switch(name: str, text: str, panel: str) -> Any:
    """Make an option that takes no value."""
    return typer.Option(name, metavar="", help=text, rich_help_panel=panel)


def _option(*names: str, text: str, panel: str, default: str | None = None, **more: Any) -> Any:
    """Make an option whose default is said in words, if it has one."""
    text += dim(f" [default: {default}]") if default else ""
    return typer.Option(*names, help=text, show_default=False, rich_help_panel=panel, **more)


Bundles = Annotated[list[str], typer.Argument(metavar="DIR", help=BUNDLE_HELP)]
Title = Annotated[
    str | None,
    _option(
        "--title", text="Name of the app.", panel=WHAT, default="by its models", metavar="TEXT"
    ),
]
Runtimes = Annotated[
    str | None,
    _option(
        "--runtimes", text="Of onnxruntime, litert, javascript (not for DDPM), with commas.",
        panel=WHAT, default="all", metavar="NAME,...",
    ),
]  # fmt: skip
Precisions = Annotated[
    str | None,
    _option(
        "--precision", text="Of fp32, fp16, int8, int8-static, with commas.", panel=WHAT,
        default="fp16", metavar="NAME,...",
    ),
]  # fmt: skip
Packages = Annotated[
    Path | None,
    _option(
        "--packages", text="Folder of npm tarballs of the runtimes.", panel=WHAT,
        default="npm fetches them, once", metavar="DIR",
    ),
]  # fmt: skip
SingleFile = Annotated[
    bool, _switch("--single-file", "One HTML file, which opens without a web server.", MADE)
]
Apk = Annotated[bool, _switch("--apk", "An Android package, made with Debian's tools.", MADE)]
Key = Annotated[
    Path | None,
    _option(
        "--key", text="Key store (PKCS #12) that signs the package.", panel=MADE,
        default="one that is made beside it", metavar="FILE",
    ),
]  # fmt: skip
Package = Annotated[
    str | None,
    _option(
        "--package", text="Android's name of the app, such as org.example.pictures.", panel=MADE,
        default="by its title", metavar="NAME",
    ),
]  # fmt: skip
PackageVersion = Annotated[
    str | None,
    _option(
        "--package-version", text="Version of the package; a higher one installs over a lower.",
        panel=MADE, default="1.0", metavar="1.2.3",
    ),
]  # fmt: skip
Starter = Annotated[
    Language | None,
    _option(
        "--starter", text=f"Sources of a native app: {' | '.join(Language)}.", panel=MADE,
        metavar="NAME",
    ),
]  # fmt: skip
Out = Annotated[
    Path | None,
    _option(
        "--out", text="Folder or file.", panel=OUTPUT, metavar="PATH",
        default="site, app.html, app.apk or starter-NAME; with --serve, none is kept",
    ),
]  # fmt: skip
Force = Annotated[bool, _switch("--force", "Write over what kgen app made there.", OUTPUT)]
Serve = Annotated[bool, _switch("--serve", "Open a web server to try it, until Ctrl-C.", SERVER)]
Host = Annotated[
    str,
    typer.Option(
        metavar="NAME", rich_help_panel=SERVER,
        help="Address that it listens at; 0.0.0.0 lets the network in.",
    ),
]  # fmt: skip
Port = Annotated[
    int,
    typer.Option(
        min=0,
        max=65535,
        metavar="INT",
        rich_help_panel=SERVER,
        help="Its port; 0 takes a free one.",
    ),
]


def app(
    ctx: typer.Context,
    bundles: Bundles,
    *,
    title: Title = None,
    runtimes: Runtimes = None,
    precision: Precisions = None,
    packages: Packages = None,
    single_file: SingleFile = False,
    apk: Apk = False,
    key: Key = None,
    package: Package = None,
    package_version: PackageVersion = None,
    starter: Starter = None,
    out: Out = None,
    force: Force = False,
    serve: Serve = False,
    host: Host = HOST,
    port: Port = PORT,
) -> None:
    """Make an app that draws with exported models: in any browser, on any device, offline."""
    android = {"--key": key, "--package": package, "--package-version": package_version}
    _check(single_file=single_file, apk=apk, starter=starter, serve=serve, android=android)
    from kgen_exports.app.site import Wishes

    folders = [find(name, settings(ctx).runs_root) for name in bundles]
    if starter is not None:
        making.write_starter(
            folders, starter.value, out or Path(f"starter-{starter.value}"), title=title,
            runtimes=runtimes, precision=precision, force=force,
        )  # fmt: skip
        return
    wishes = Wishes(title=title, tarballs=packages)
    if runtimes is not None:
        wishes = replace(wishes, runtimes=names(runtimes))
    if precision is not None:
        wishes = replace(wishes, precisions=names(precision))
    if single_file:
        making.write_single(folders, wishes, out or Path("app.html"), force)
    elif apk:
        making.write_apk(folders, wishes, out or Path("app.apk"), force, android)
    elif serve and out is None:
        with tempfile.TemporaryDirectory(prefix="kgen-app-") as folder:
            making.serve(
                making.write_site(folders, wishes, Path(folder) / "site", force), host, port
            )
    else:
        site = making.write_site(folders, wishes, out or Path("site"), force)
        if serve:
            making.serve(site, host, port)


def _check(
    *,
    single_file: bool,
    apk: bool,
    starter: Language | None,
    serve: bool,
    android: dict[str, Any],
) -> None:
    """Refuse what does not go together.

    Raises:
        KgenError: two things are asked for at once.
    """
    kinds = {"--single-file": single_file, "--apk": apk, "--starter": starter is not None}
    asked = [name for name, wanted in {**kinds, "--serve": serve}.items() if wanted]
    if len(asked) > 1:
        raise KgenError(f"One thing is made at a time. Received: {' and '.join(asked)}.")
    idle = [name for name, value in android.items() if value is not None and not apk]
    if idle:
        raise KgenError(f"{idle[0]} is of an Android package. Received: {idle[0]} without --apk.")
