"""A TCP proxy before a server that reads the client's side of the protocol and acts at the n-th statement.

A statement is a Query message, or what a Parse begins and the next Parse, Flush or Sync ends: in a pipeline each
counts (manual, "Frontend/Backend Protocol", "Message Formats"). The action comes right after the statement was
handed to the server: the server runs it, and the client never reads the answer, or not all of it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CANCEL, SSL, GSSENC = 80877102, 80877103, 80877104


@dataclass(frozen=True)
class Sent:
    """One statement that passed. `backend` is the server process that got it."""

    number: int
    text: str
    backend: int


class Proxy:
    """Listens on `port`; calls `act` once, at statement number `at` (from 1) over all its connections.

    `at` may be a text: then at the first statement that has it. Nothing more reaches the server until `act` returns.

    With `answered`, only that many connections reach the server: later ones are accepted and never answered, or reach
    the port `others`.
    """

    def __init__(
        self,
        server_port: int,
        at: int | str | None = None,
        act: Callable[[Sent], None] | None = None,
        answered: int | None = None,
        others: int | None = None,
    ) -> None:
        self.server_port = server_port
        self.answered = answered
        self.others = others
        self.at = at
        self.act = act
        self.sent: list[Sent] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.open: list[socket.socket] = []
        self.threads: list[threading.Thread] = []
        self.acted = False  # whether the statement was reached
        self.muted = False  # whether answers are kept from the client

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in list(self.open):
            _close(each)
        for thread in self.threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.answered is not None:
                self.answered -= 1
                if self.answered < 0 and self.others is None:
                    self.open.append(client)
                    continue
            past = self.others is not None and self.answered is not None and self.answered < 0
            try:
                server = socket.create_connection(("127.0.0.1", self.others if past else self.server_port))
            except OSError:
                _close(client)
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open += [client, server]
            link = _Link(self, client, server)
            self._start(link.from_client)
            self._start(link.from_server)

    def coming(self, text: str) -> None:
        """Called before a simple statement is handed on, for those who want to be there first."""

    def statement(self, text: str, backend: int) -> None:
        """Count one; act if it is the one."""
        with self.lock:
            self.sent.append(Sent(len(self.sent) + 1, text, backend))
            here = self.at in text if isinstance(self.at, str) else len(self.sent) == self.at
            if here and not self.acted:
                self.acted = True
                if self.act is not None:
                    self.act(self.sent[-1])


class _Link:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.server = server
        self.backend = 0

    def from_client(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._startup()
            parsed = ""
            while True:
                kind, body = _message(self.client)
                if kind == b"P" and parsed:
                    self.proxy.statement(parsed, self.backend)
                if kind == b"Q":
                    self.proxy.coming(_text(body))
                self.server.sendall(kind + struct.pack("!i", len(body) + 4) + body)
                if kind == b"Q":
                    self.proxy.statement(_text(body), self.backend)
                elif kind == b"P":
                    parsed = _text(body[body.index(b"\0") + 1 :])
                elif kind in {b"S", b"H"} and parsed:
                    self.proxy.statement(parsed, self.backend)
                    parsed = ""
        _close(self.client, self.server)

    def _startup(self) -> None:
        while True:
            head = _exactly(self.client, 8)
            length, code = struct.unpack("!ii", head)
            rest = _exactly(self.client, length - 8)
            if code in {SSL, GSSENC}:
                self.client.sendall(b"N")
                continue
            self.server.sendall(head + rest)
            if code == CANCEL:
                raise EOFError
            return

    def from_server(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while not self.backend:
                kind, body = _message(self.server)
                if kind == b"K":
                    self.backend = struct.unpack("!i", body[:4])[0]
                self.client.sendall(kind + struct.pack("!i", len(body) + 4) + body)
            while data := self.server.recv(65536):
                if not self.proxy.muted:
                    self.client.sendall(data)
        _close(self.client, self.server)


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(source, 5)
    return head[:1], _exactly(source, struct.unpack("!i", head[1:])[0] - 4)


def _exactly(source: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = source.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _text(body: bytes) -> str:
    return body[: body.index(b"\0")].decode()


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
