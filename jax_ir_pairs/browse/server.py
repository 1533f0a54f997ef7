"""The page and its rows, served on this machine to this machine."""

from __future__ import annotations

import gzip
import json
import re
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jax_ir_pairs
from jax_ir_pairs.browse.page import Page, served_page
from jax_ir_pairs.browse.rows import Rows
from jax_ir_pairs.errors import JaxIrPairsError, UsageError

HOST = "127.0.0.1"
_ROW = re.compile(r"/rows/(0|[1-9]\d{0,8})\.json")
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Server(ThreadingHTTPServer):
    """Serves one page, one index and rows by number; there is no path that names a file."""

    daemon_threads = True

    def __init__(self, rows: Rows, port: int) -> None:
        page = served_page(rows.title)
        index = _json(rows.index.as_json(rows.title))
        super().__init__((HOST, port), partial(_Handler, rows, page, index))

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}/"


def open_server(rows: Rows, port: int) -> Server:
    """Gives a server of `rows` that listens on `port`, any free one if 0.

    **Raises:** [`UsageError`][] where the port cannot be had; [`BuildError`][] where the rows
    cannot be read.
    """
    try:
        return Server(rows, port)
    except OSError as error:
        if error.filename is not None:
            raise
        raise UsageError(
            f"--port {port}: {error.strerror}; give another, or 0 for any that is free."
        ) from None


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def __init__(self, rows: Rows, page: Page, index: bytes, *connection: Any) -> None:
        self._rows, self._page, self._index = rows, page, index
        super().__init__(*connection)

    def do_GET(self) -> None:
        """Answers with the page, the index or a row."""
        path = self.path.partition("?")[0]
        if not self._is_asked_by_own_name():
            # A name of another site that was made to point here (DNS rebinding).
            self._fail(HTTPStatus.FORBIDDEN, "This server answers to its own address only.")
        elif path == "/":
            policy = {"Content-Security-Policy": f"{self._page.policy}; frame-ancestors 'none'"}
            self._answer("text/html; charset=utf-8", self._page.html.encode(), policy)
        elif path == "/index.json":
            self._answer("application/json", self._index)
        elif (match := _ROW.fullmatch(path)) and int(match[1]) < len(self._rows.index):
            try:
                row = self._rows.row(int(match[1]))
            except JaxIrPairsError as error:
                self._fail(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
            else:
                self._answer("application/json", _json(row))
        else:
            self._fail(HTTPStatus.NOT_FOUND, "There is nothing here.")

    do_HEAD = do_GET  # noqa: N815 (a name of the base class)

    def _refuse(self) -> None:
        self.close_connection = True  # what it sends is not read
        self._fail(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD.", {"Allow": "GET, HEAD"})

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815 (names of the base class)

    def _is_asked_by_own_name(self) -> bool:
        port = self.server.server_port
        own = {f"{name}:{port}" for name in (HOST, "localhost")}
        return self.headers.get_all("Host", []) in [[name] for name in own]

    def _fail(
        self, status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None
    ) -> None:
        self._answer("text/plain; charset=utf-8", sentence.encode(), headers, status)

    def _answer(
        self,
        kind: str,
        content: bytes,
        headers: dict[str, str] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        packed = "gzip" in self.headers.get("Accept-Encoding", "") and len(content) > 1000
        if packed:
            content = gzip.compress(content, compresslevel=1)
        self.send_response(status)
        for name, value in {**_HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        """Gives what the header `Server` says."""
        return f"jax-ir-pairs/{jax_ir_pairs.__version__}"

    def log_message(self, format: str, *args: Any) -> None:
        """Stays silent: the terminal is the user's."""


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
