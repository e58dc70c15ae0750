"""The dashboard's server: HTTP on loopback alone, read-only."""

from __future__ import annotations

import errno
import logging
import socketserver
import sys
from contextlib import ExitStack
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from nas.core.errors import ConfigError
from nas.dashboard.answers import Answer, Answers, message
from nas.dashboard.listing import RunList
from nas.dashboard.watcher import Watcher

HOST = "127.0.0.1"
_IDLE_S = 30.0  # a connection without a request for this long is closed
_LOG = logging.getLogger(__name__)


class Dashboard:
    """A server of one folder's runs at `address`, which holds the token; a context manager."""

    def __init__(self, folder: str | Path, port: int = 0) -> None:
        """Bind to `port` on loopback; 0: a free one.

        Raises `ConfigError` when there is no such folder, or the port cannot be used.
        """
        self.runs = RunList(Path(folder))
        self._watcher = Watcher(self.runs)
        self._answers = Answers(self.runs, Path(folder), self._watcher.asked)
        self._server = _bound(port, self._answers)
        self._stack = ExitStack()

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """The address of the list, with the token."""
        return f"http://{HOST}:{self.port}/{self._answers.token}/"

    def __enter__(self) -> Dashboard:
        self._stack.callback(self._server.server_close)
        self._stack.enter_context(self._watcher)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def serve(self) -> None:
        """Answer requests until `stop` on another thread, or an exception such as KeyboardInterrupt."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """End `serve`, which must be running."""
        self._server.shutdown()


def _bound(port: int, answers: Answers) -> _Server:
    try:
        return _Server(port, answers)
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise ConfigError(
            f"--port: {port} {reason} on {HOST}; choose another, or omit it for a free one"
        ) from None
    except OverflowError:
        raise ConfigError(f"--port: expected 0 to 65535, got {port}") from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, answers: Answers) -> None:
        self.answers = answers
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Bind without a look-up of the machine's name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error of a connection; a reader that goes away is none."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            _LOG.warning("dashboard: a request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def __getattr__(self, name: str) -> Any:
        """Every method has the same handler, which knows what it allows."""
        if name.startswith("do_"):
            return self._respond
        raise AttributeError(name)

    def _respond(self) -> None:
        has_body = self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers
        self.close_connection = self.close_connection or has_body  # a body is not read
        hosts = self.headers.get_all("Host", [])
        self._send(
            self.server.answers.answer(self.command, self.path, hosts, self.headers.get("If-None-Match"))
        )

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def send_error(self, code: int, message_: str | None = None, explain: str | None = None) -> None:
        """Answer a request that cannot be parsed, without a quote of it."""
        self.close_connection = True
        self.request_version = self.protocol_version  # that of the request may be unknown
        self.command = self.command or "GET"
        self._send(message(HTTPStatus(code), HTTPStatus(code).phrase))

    def version_string(self) -> str:
        """The `Server` header: no versions."""
        return "nas"

    def log_message(self, format: str, *values: Any) -> None:
        """Log nothing: an address holds the token."""
