"""What the app may load and run: nothing but its own files."""

CONTENT_SECURITY_POLICY = "; ".join((
    "default-src 'none'",
    # Compiling WebAssembly counts as running a string, which is allowed for nothing else.
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
))  # fmt: skip
"""The policy in index.html; a test compares the two."""

HEADERS = {
    # A page cannot forbid to be framed by itself; a server can.
    "Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'",
    # These two isolate the page, without which a browser gives WebAssembly no threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Each visit asks whether there is a newer file; the service worker keeps them all anyway.
    "Cache-Control": "no-cache",
}
"""What a server sends with every file, where it can."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
"""Media types by suffix; everything else is a file of bytes."""
BYTES = "application/octet-stream"


def media_type(name: str) -> str:
    """Return the media type of a file by its name."""
    return TYPES.get(f".{name.rpartition('.')[2]}", BYTES)
