"""A web server to try a site with: this machine only, unless it is asked for more."""

import socket
import socketserver
import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from kgen.errors import KgenError
from kgen_exports.app.policy import HEADERS, media_type

LOOPBACK = "127.0.0.1"
ANYWHERE = ("0.0.0.0", "::")
"""Hosts that stand for every address of the machine."""
IDLE_SECONDS = 30


class Server(ThreadingHTTPServer):
    """Hands out the files of a folder; silent, also when a browser goes away."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking a name server what this machine is called, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that was closed on the other side."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Server6(Server):
    """The same for addresses with colons."""

    address_family = socket.AF_INET6


class Handler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD for files below a folder; lists nothing."""

    protocol_version = "HTTP/1.1"
    server_version = "kgen"
    sys_version = ""
    timeout = IDLE_SECONDS

    def log_message(self, *args: Any) -> None:
        """Keep the terminal free."""

    def end_headers(self) -> None:
        """Send the policy with everything, errors too."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def guess_type(self, path: Any) -> str:
        """Return the type that browsers want."""
        return media_type(str(path))

    def translate_path(self, path: str) -> str:
        """Return the file that was asked for, found by :meth:`send_head`."""
        return str(find(Path(self.directory), path))

    def send_head(self) -> Any:
        """Open what was asked for, if it is a file of the site."""
        if find(Path(self.directory), self.path) is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()


def find(root: Path, target: str) -> Path | None:
    """Return the file that a request asks for; None if it is none, or not below `root`.

    Args:
        root: folder of the site.
        target: of the request: path, and what may follow it.
    """
    path = unquote(urlsplit(target).path)
    if not path.startswith("/") or "\\" in path or "\0" in path:
        return None
    parts = path[1:].split("/")
    if parts[-1] == "":
        parts[-1] = "index.html"
    if any(part in ("", ".", "..") or ":" in part for part in parts):
        return None
    found = root.joinpath(*parts)
    try:
        inside = found.resolve(strict=True).is_relative_to(root.resolve())
    except OSError:
        return None
    return found if inside and found.is_file() else None


def open_server(folder: Path, host: str = LOOPBACK, port: int = 0) -> Server:
    """Open a server; its ``serve_forever`` serves, its ``server_close`` ends it.

    Args:
        folder: of the site.
        host: address to listen at; one of :data:`ANYWHERE` lets the network in.
        port: 0 takes a free one.

    Raises:
        KgenError: the port is taken, or the machine has no such address.
    """
    kind = Server6 if ":" in host else Server
    try:
        return kind((host, port), partial(Handler, directory=str(folder)))
    except OSError as error:
        raise KgenError(
            f"Cannot serve at --host {host} --port {port}: {error.strerror or error}. "
            "Another --port may be free; --port 0 takes one that is."
        ) from error


def addresses(server: Server) -> list[str]:
    """Return where a browser finds a site: on this machine, and from others if they may."""
    host, port = server.server_address[0], server.server_address[1]
    if host not in ANYWHERE:
        return [_url(str(host), port)]
    seen = _outward()
    return [_url(LOOPBACK, port), *([_url(seen, port)] if seen else [])]


def _url(host: str, port: Any) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _outward() -> str | None:
    """Return the address by which others in the network know this machine; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address that is set aside for documentation
        except OSError:
            return None
        return probe.getsockname()[0]
