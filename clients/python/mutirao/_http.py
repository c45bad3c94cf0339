"""Speaks to the master over HTTP: one connection, one request at a time."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import urllib.parse
from typing import Any, Iterator, Mapping, Sequence

from ._errors import MutiraoError, NoMaster, Refused
from ._find import Address

_WITHIN = 75.0
"""How long an answer may take, in seconds; the master itself gives up after 60."""
_FRESH = 30.0
"""A connection that stood still for longer may be cut by the master just when it is used, so a new one is made."""
_QUIET = 45.0
"""The master says something every 15 s to who listens for events: after three of these it is gone."""
_DIAL = 3.0
"""How long a master may take to accept a connection."""
_BUSY_TRIES = 60
"""How often is asked again, each second, while many hand tasks in."""
_UNAVAILABLE = 503

Query = Mapping[str, "str | int | None"]


def connect(addresses: Sequence[Address]) -> "Http":
    """The first of the addresses that accepts a connection."""
    trouble: OSError | None = None
    for address in addresses:
        http_ = Http(address)
        try:
            http_.dial()
        except OSError as error:
            trouble = error
            continue
        return http_
    where = ", ".join(f"{host}:{port}" for host, port in addresses)
    raise NoMaster(f"the master at {where} does not answer: {trouble}") from trouble


class Http:
    """A master to speak to."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    def dial(self) -> http.client.HTTPConnection:
        """The connection, made anew if it is old."""
        now = time.monotonic()
        if self._connection is None or now - self._used > _FRESH:
            self.close()
            host, port = self.address
            connection = http.client.HTTPConnection(host, port, timeout=_DIAL)
            connection.connect()
            connection.sock.settimeout(_WITHIN)
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection = connection
        self._used = now
        return self._connection

    def close(self) -> None:
        """Ends the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, path: str, query: Query | None = None) -> Any:
        """What a path answers, as JSON."""
        return json.loads(self.raw("GET", path, query))

    def post(self, path: str, query: Query | None = None, body: bytes = b"") -> Any:
        """Changes something. While many hand tasks in the master takes none: then it is asked again."""
        for _ in range(_BUSY_TRIES):
            try:
                return json.loads(self.raw("POST", path, query, body))
            except Refused as refused:
                if refused.status != _UNAVAILABLE:
                    raise
                busy = refused
            time.sleep(1)
        raise busy

    def raw(self, method: str, path: str, query: Query | None = None, body: bytes | None = None) -> bytes:
        """What a path answers."""
        with self._lock:
            try:
                connection = self.dial()
                connection.request(method, _target(path, query), body=body, headers=self._headers())
                response = connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                host, port = self.address
                raise NoMaster(f"the master at {host}:{port} does not answer: {error!r}") from error
        if response.status >= 400:
            raise Refused(response.status, _detail(answer))
        return answer

    def _headers(self) -> dict[str, str]:
        host, port = self.address
        return {"Host": f"{host}:{port}"}

    def events(self, kinds: str) -> "Events":
        """Begins to listen."""
        host, port = self.address
        connection = http.client.HTTPConnection(host, port, timeout=_QUIET)
        try:
            connection.request("GET", _target("/api/v1/events", {"kinds": kinds}), headers=self._headers())
            listening = connection.sock
            response = connection.getresponse()
            if response.status >= 400:
                raise Refused(response.status, _detail(response.read()))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoMaster(f"the master at {host}:{port} does not answer: {error!r}") from error
        except MutiraoError:
            connection.close()
            raise
        return Events(listening, connection, response)


class Events:
    """What happens at the master, as it happens."""

    def __init__(
        self, listening: socket.socket, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self._socket = listening
        self._connection = connection
        self._response = response

    def bodies(self) -> Iterator[dict[str, Any]]:
        """The letters that are heard, until the connection ends."""
        try:
            while line := self._response.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[len(b"data: ") :])["body"]
        except (OSError, http.client.HTTPException, ValueError):
            # It broke, or was closed beneath us: whoever listens looks what has happened meanwhile.
            return

    def close(self) -> None:
        """Ends it, by who reads."""
        self._response.close()
        self._connection.close()

    def stop(self) -> None:
        """Ends it for the thread that waits for the next."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # It is closed already.
            pass


def _target(path: str, query: Query | None) -> str:
    said = {key: value for key, value in (query or {}).items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(said)}" if said else path


def _detail(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["detail"])
    except (ValueError, KeyError, TypeError):
        return answer[:500].decode(errors="replace")
