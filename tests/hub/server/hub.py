"""The server itself: connections, routes, and the count of what goes over them."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.server import repositories, uploads
from tests.hub.server.access import Reply, Request, as_json
from tests.hub.server.state import Refused, Repository, State, User
from tests.hub.server.traffic import Exchange, Traffic

WRITER, READER, STRANGER = "hf_writer_0123456789", "hf_reader_0123456789", "hf_stranger_012345"
"""Tokens: of `user` with all rights, of `user` for reading only, of somebody else."""

_ID = "/datasets/([^/]+/[^/]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("GET", "/api/whoami-v2", repositories.whoami),
    ("POST", "/api/repos/create", repositories.create),
    ("POST", "/api/validate-yaml", uploads.validate),
    ("GET", f"/api{_ID}(?:/revision/([^/]+))?", repositories.info),
    ("GET", f"/api{_ID}/refs", repositories.references),
    ("GET", f"/api{_ID}/tree/([^/]+)(?:/(.+))?", repositories.tree),
    ("POST", f"/api{_ID}/paths-info/([^/]+)", repositories.paths),
    ("POST", f"/api{_ID}/branch/([^/]+)", repositories.branch),
    ("POST", f"/api{_ID}/tag/([^/]+)", repositories.tag),
    ("POST", f"/api{_ID}/preupload/([^/]+)", uploads.preupload),
    ("POST", f"/api{_ID}/commit/([^/]+)", uploads.commit),
    ("POST", rf"{_ID}\.git/info/lfs/objects/batch", uploads.batch),
    ("GET HEAD", f"{_ID}/resolve/([^/]+)/(.+)", repositories.resolve),
    ("PUT", "/objects/([0-9a-f]{64})", uploads.put_object),
)


class HubServer(ThreadingHTTPServer):
    """The server; a context manager that serves on a free port of this machine."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        users = {WRITER: User("user"), READER: User("user", writes=False)}
        self.state = State(users | {STRANGER: User("stranger")})
        self.lock = threading.RLock()
        self._log: list[Exchange] = []

    @property
    def url(self) -> str:
        """What `HF_ENDPOINT` has to be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self, home: Path, token: str | None = WRITER) -> dict[str, str]:
        """Gives the environment of a client that talks to this server and to nobody else."""
        return {
            "HF_TOKEN": token or "",
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        }

    def repository(self, name: str = "user/name") -> Repository:
        """Gives a repository that is there."""
        return self.state.repositories[name]

    def take(self) -> Traffic:
        """Gives the traffic since the last call."""
        with self.lock:
            taken, self._log = self._log, []
        return Traffic(tuple(taken))

    def forget(self) -> None:
        """Makes it as it was in the beginning."""
        with self.lock:
            self.state = State(self.state.users)
            self._log = []

    def note(self, exchange: Exchange) -> None:
        """Takes down an exchange."""
        with self.lock:
            self._log.append(exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that went away; a fault of the server goes to stderr."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: HubServer

    def log_message(self, format: str, *args: Any) -> None:
        """Stays silent."""

    def do_GET(self) -> None:
        """Answers a request of any method."""
        size, body, reply = int(self.headers.get("Content-Length", 0)), b"", None
        try:
            with self.server.lock:
                cut = self.command == "PUT" and self.server.state.is_cut()
            body = self.rfile.read(size // 2 if cut else size)
            if cut:
                raise uploads.CutError
            with self.server.lock:
                reply = self._reply(body)
        except uploads.CutError:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        status, content = (reply.status, reply.content) if reply else (0, b"")
        sent = 0 if self.command == "HEAD" else len(content)
        self.server.note(Exchange(self.command, self.path, status, len(body), sent))
        if reply:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:sent])

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _reply(self, body: bytes) -> Reply:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        headers = {name.title(): value for name, value in self.headers.items()}
        request = Request(self.server.state, self.server.url, url.path, query, headers, body)
        try:
            for methods, pattern, answer in _ROUTES:
                match = re.fullmatch(pattern, url.path)
                if match and self.command in methods.split():
                    return answer(request, *(unquote(group or "") for group in match.groups()))
            raise Refused(501, f"{self.command} {url.path} is not served here")
        except Refused as refused:
            code = {"X_Error_Code": refused.code} if refused.code else {}
            return as_json(refused.content, refused.status, X_Error_Message=str(refused), **code)
