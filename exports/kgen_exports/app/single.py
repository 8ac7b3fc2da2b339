"""The app as one HTML file, which opens without a web server."""

import base64
import gzip
import hashlib
import html
import re
from pathlib import Path

from kgen.files import replacing
from kgen_exports.app import install, offline
from kgen_exports.app.modules import linked
from kgen_exports.app.policy import media_type

LOADER = "loader.js"
ICON = "icons/icon-192.png"
NOT_MODULES = ("vendor/onnxruntime/", "vendor/litert/litert_wasm_compat_internal.js")
"""JavaScript that is taken as it is: it imports nothing of the site."""


def pack(site: Path, out: Path) -> None:
    """Put a site into one file.

    Args:
        site: folder of a site, built for this delivery.
        out: the file.

    Raises:
        KgenError: it cannot be written.
    """
    page = (site / offline.PAGE).read_text(encoding="utf-8")
    style = (site / "style.css").read_text(encoding="utf-8")
    if re.search(r"url\((?!\s*[\"']?data:)|@import", style):
        raise ValueError("style.css names other files, which one file cannot have.")
    loader = Path(__file__).with_name(LOADER).read_text(encoding="utf-8")
    icon = base64.b64encode((site / ICON).read_bytes()).decode()
    for what, pattern, text in (
        ("policy", r'<meta http-equiv="Content-Security-Policy"[^>]*>', _policy(style, loader)),
        ("manifest", r'<link rel="manifest"[^>]*>\n?', ""),
        ("touch icon", r'<link rel="apple-touch-icon"[^>]*>\n?', ""),
        ("icon", r'<link rel="icon"[^>]*>',
         f'<link rel="icon" type="image/png" href="data:image/png;base64,{icon}">'),
        ("style", r'<link rel="stylesheet"[^>]*>', f"<style>{style}</style>"),
        ("script", r'<script type="module" src="app\.js"></script>\n?', ""),
        ("end", r"</body>", f"{_files(site)}<script>{loader}</script>\n</body>"),
    ):  # fmt: skip
        page, count = re.subn(pattern, lambda _match, text=text: text, page)
        if count != 1:
            raise ValueError(f"index.html has its {what} once. Received: {count} times.")
    with replacing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _policy(style: str, loader: str) -> str:
    """Write a policy that allows these two texts, and addresses in memory, and nothing else."""
    allowed = {
        "default-src": "'none'",
        "script-src": f"'{_hash(loader)}' blob: 'wasm-unsafe-eval'",
        "style-src": f"'{_hash(style)}'",
        "img-src": "blob: data:",
        "connect-src": "blob:",
        "worker-src": "blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    policy = "; ".join(f"{name} {value}" for name, value in allowed.items())
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'


def _hash(text: str) -> str:
    """Return the hash of an element's text, as a policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _files(site: Path) -> str:
    """Write every file of a site as an element, modules after what they import."""
    left_out = {offline.PAGE, "style.css", install.MANIFEST}
    names = [
        name
        for name in sorted(p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file())
        if name not in left_out and not name.startswith("icons/")
    ]
    scripts = [n for n in names if n.endswith((".js", ".mjs")) and not n.startswith(NOT_MODULES)]
    modules = linked({name: (site / name).read_text(encoding="utf-8") for name in scripts})
    plain = {name: (site / name).read_bytes() for name in names if name not in modules}
    elements = [_element(name, content, "") for name, content in plain.items()]
    elements += [_element(name, text.encode(), " data-module") for name, text in modules.items()]
    return "".join(elements)


def _element(name: str, content: bytes, more: str) -> str:
    """Write a file as an element that no browser runs, gzipped: the same bytes at every build."""
    packed = base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()
    return (
        f'<script type="text/plain" data-path="{html.escape(name)}" '
        f'data-type="{media_type(name)}"{more}>{packed}</script>\n'
    )
