"""What `kgen app` makes: a site, one file, a package, a starter; and the server to try a site."""

import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from kgen.errors import KgenError
from kgen_cli.application import say_note
from kgen_cli.options import names
from kgen_cli.progress import telling
from kgen_cli.text import size


def write_site(folders: list[Path], wishes: Any, out: Path, force: bool) -> Path:
    """Build a site, say what it is, and return its folder."""
    from kgen_exports.app.site import build_site

    with telling() as say:
        site = build_site(folders, out, wishes, force=force, say=say)
    _say_notes(site)
    typer.echo(f"Site: {out} ({size(site.bytes)}, {', '.join(site.app['runtimes'])})")
    return out


def write_single(folders: list[Path], wishes: Any, out: Path, force: bool) -> None:
    """Pack a site into one file."""
    from kgen_exports.app import single
    from kgen_exports.staging import check_free_file

    check_free_file(out, force, ".html")
    _packed(
        folders, replace(wishes, delivery="single"), lambda site, _: single.pack(site.path, out)
    )
    typer.echo(f"File: {out} ({size(out.stat().st_size)}); open it in a browser.")


def write_apk(
    folders: list[Path], wishes: Any, out: Path, force: bool, android: dict[str, Any]
) -> None:
    """Pack a site into a package for Android."""
    from kgen_exports.app import apk, debian
    from kgen_exports.staging import check_free_file

    check_free_file(out, force, ".apk")
    debian.require_tools()  # before anything is fetched or built

    def pack(site: Any, say: Any) -> Any:
        title = site.app["title"]
        return apk.build_apk(
            site.path, out, name=title, package=android["--package"] or apk.package_of(title),
            version=android["--package-version"] or "1.0", key=android["--key"], say=say,
        )  # fmt: skip

    made = _packed(folders, replace(wishes, delivery="package"), pack)
    if made.key_is_new:
        say_note(
            f"{made.key} is the key that signed it, made now. Keep it, and keep it private: only "
            "packages with the same key install over this one."
        )
    typer.echo(f"Package: {out} ({size(out.stat().st_size)}), signed by {made.certificate[:16]}...")


def _packed(folders: list[Path], wishes: Any, pack: Callable[[Any, Any], Any]) -> Any:
    """Build a site out of sight, and return what is made of it by `pack(site, say)`."""
    from kgen_exports.app.site import build_site

    with tempfile.TemporaryDirectory(prefix="kgen-app-") as folder, telling() as say:
        site = build_site(folders, Path(folder) / "site", wishes, say=say)
        say("packing")
        made = pack(site, say)
    _say_notes(site)
    return made


def _say_notes(site: Any) -> None:
    """Say what was asked for and is not in a site."""
    for note in site.notes:
        say_note(note)


def write_starter(
    folders: list[Path], language: str, out: Path, *, title: str | None,
    runtimes: str | None, precision: str | None, force: bool,
) -> None:  # fmt: skip
    """Write the sources of a native app, and say where."""
    from kgen_exports.runtime import load
    from kgen_exports.starter import write_starter

    chosen = {
        flag: names(text)
        for flag, text in (("--runtimes", runtimes), ("--precision", precision))
        if text is not None
    }
    several = [flag for flag, values in chosen.items() if len(values) > 1]
    if len(folders) > 1 or several:
        what = f"{len(folders)} bundles" if len(folders) > 1 else f"several in {several[0]}"
        raise KgenError(
            f"A starter is around one bundle, with one runtime and precision. Received: {what}."
        )
    bundle = load(folders[0])
    written = write_starter(
        bundle, language, out, name=title or f"{bundle.manifest.kind.upper()} pictures",
        precision=chosen.get("--precision", ("fp16",))[0],
        runtime=chosen.get("--runtimes", (None,))[0], force=force,
    )  # fmt: skip
    typer.echo(f"Starter: {out} ({len(written)} files); its README.md says how to build it.")


def serve(site: Path, host: str, port: int) -> None:
    """Serve a site until somebody stops it."""
    from kgen_exports.app.server import ANYWHERE, addresses, open_server

    server = open_server(site, host, port)
    # `kill` ends it as Ctrl-C does, so that what was made for it is cleaned up.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for address in addresses(server):
            typer.echo(f"Open: {address}")
        if host in ANYWHERE:
            say_note(
                "Other devices see the second address over plain http: browsers keep nothing for "
                "offline use there, nor offer to install it. Put the site on an https server."
            )
        typer.echo("Ctrl-C ends it.")
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("Stopped.")
    finally:
        signal.signal(signal.SIGTERM, before)
        server.server_close()
