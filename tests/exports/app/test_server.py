"""The server hands out a site's files, as browsers want them, and nothing else."""

import http.client
import socket
import threading
from contextlib import contextmanager

import pytest

from kgen.errors import KgenError
from kgen_exports.app import server as serving
from kgen_exports.app.policy import CONTENT_SECURITY_POLICY
from kgen_exports.app.server import addresses, open_server


@pytest.fixture
def site(tmp_path):
    """Make a folder with a few files, beside one that is nobody's business."""
    folder = tmp_path / "site"
    (folder / "engine").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name in ("index.html", "sw.js", "engine/a.mjs", "x.wasm", "x.onnx", "app.json", "ü b.txt"):
        (folder / name).write_bytes(name.encode())
    (folder / "large.bin").write_bytes(bytes(range(256)) * 4000)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@contextmanager
def running(folder, **options):
    """Serve a folder from another thread."""
    server = open_server(folder, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def ask(site):
    """Return a function that sends a request over one connection, its target as it is."""
    with running(site) as server:
        connection = http.client.HTTPConnection(*server.server_address, timeout=10)

        def send(target, method="GET"):
            connection.request(method, target)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

        yield send
        connection.close()


@pytest.mark.parametrize(
    ("target", "name", "kind"),
    [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/?x=1", "index.html", "text/html; charset=utf-8"),
        ("/sw.js", "sw.js", "text/javascript; charset=utf-8"),
        ("/engine/a.mjs", "engine/a.mjs", "text/javascript; charset=utf-8"),
        ("/x.wasm", "x.wasm", "application/wasm"),
        ("/x.onnx", "x.onnx", "application/octet-stream"),
        ("/app.json", "app.json", "application/json"),
        ("/%C3%BC%20b.txt", "ü b.txt", "text/plain; charset=utf-8"),
    ],
)
def test_files_come_with_the_type_that_browsers_want(ask, target, name, kind):
    status, headers, content = ask(target)
    assert (status, content.decode()) == (200, name)
    assert headers["Content-Type"] == kind
    assert headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize("target", ["/", "/missing"])
def test_every_answer_has_the_policy_and_isolates_the_page(ask, target):
    _, headers, _ = ask(target)
    expected = {
        "Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    assert {name: headers[name] for name in expected} == expected


def test_a_large_file_comes_whole_and_head_sends_none_of_it(ask, site):
    expected = (site / "large.bin").read_bytes()
    assert ask("/large.bin")[2] == expected
    status, headers, content = ask("/large.bin", "HEAD")
    assert (status, headers["Content-Length"], content) == (200, str(len(expected)), b"")


@pytest.mark.parametrize(
    "target",
    [
        "/missing", "/empty/", "/empty", "/engine", "/engine/", "/index.html/", 
        "/../secret.txt", "/engine/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
        "/engine/%2e%2e/%2e%2e/secret.txt", "/..\\secret.txt", "/%5c..%5csecret.txt", "/link.txt",
        "/./index.html", "/index.html%00.txt", "/C:/secret.txt", "secret.txt", "/~root",
        "//127.0.0.1/secret.txt",
    ],
)  # fmt: skip
def test_nothing_is_listed_and_nothing_outside_is_found(ask, target):
    status, _, content = ask(target)
    assert status == 404
    assert b"secret" not in content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(ask, method):
    assert ask("/", method)[0] == 501


def test_a_browser_that_goes_away_is_no_news(site, capfd):
    (site / "huge.bin").write_bytes(bytes(2**25))
    with running(site) as server:
        with socket.create_connection(server.server_address) as connection:
            connection.sendall(b"GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.recv(100)
        other = http.client.HTTPConnection(*server.server_address, timeout=10)
        other.request("GET", "/")
        assert other.getresponse().read() == b"index.html"
        other.close()
    assert capfd.readouterr() == ("", "")


def test_only_this_machine_is_served_unless_asked(site):
    with running(site) as server:
        host, port = server.server_address
        assert host == "127.0.0.1"
        assert addresses(server) == [f"http://127.0.0.1:{port}/"]


def test_all_addresses_are_told_when_the_network_is_let_in(site, monkeypatch):
    monkeypatch.setattr(serving, "_outward", lambda: "192.0.2.7")
    with running(site, host="0.0.0.0") as server:
        port = server.server_address[1]
        assert addresses(server) == [f"http://127.0.0.1:{port}/", f"http://192.0.2.7:{port}/"]


def test_a_port_that_is_taken_is_one_line(site):
    with running(site) as server:
        port = server.server_address[1]
        with pytest.raises(KgenError, match=rf"--port {port}: Address already in use.*--port 0"):
            open_server(site, port=port)


def test_an_address_of_another_machine_is_one_line(site):
    with pytest.raises(KgenError, match=r"Cannot serve at --host 192\.0\.2\.1"):
        open_server(site, host="192.0.2.1")
