"""Finds a master as a peer does: by a broadcast through every interface."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Sequence

from ._errors import NoMaster

TCP_PORT = 50020
UDP_PORT = 50005

_WITHIN = 2.0
"""How long is looked, in seconds."""
_GATHER = 0.4
"""How long the others get after the first answer, so that the choice is that of any peer here."""
_ASK_EVERY = 0.9
"""A datagram is easily lost, so the question is put again."""
_DATAGRAM_MAX = 1400
"""Longest datagram of the protocol, in bytes."""
_MASTERS_MAX = 256
"""Masters remembered at a time; more is somebody who makes them up."""
_SIOCGIFBRDADDR = 0x8919
"""Asks Linux for the broadcast address of an interface."""

Address = tuple[str, int]


@dataclass
class Master:
    """One master that answered."""

    master_id: str
    name: str
    epoch: int
    addresses: list[Address] = field(default_factory=list)


def find(master: str | None, discover: Sequence[str], ports: Sequence[int] | None) -> list[Address]:
    """Where a master may be reached, in the order in which to try.

    What is not said is taken from `MUTIRAO_MASTER`, `MUTIRAO_DISCOVER` and `MUTIRAO_DISCOVERY_PORT`, as the program does.
    """
    master = master or os.environ.get("MUTIRAO_MASTER") or None
    if master is not None:
        return [_address(master, TCP_PORT)]
    asked = list(ports or _numbers(os.environ.get("MUTIRAO_DISCOVERY_PORT", "")) or [UDP_PORT])
    places = list(discover) or [place for place in os.environ.get("MUTIRAO_DISCOVER", "").split(",") if place]
    best = _search(asked, places)
    if best is None:
        raise NoMaster(
            "no master answered here; start one with `mutirao master`, or name it: Executor(master='HOST:PORT')"
        )
    return best.addresses


def _numbers(text: str) -> list[int]:
    numbers = [number.strip() for number in text.split(",") if number.strip()]
    if not all(number.isdigit() for number in numbers):
        raise ValueError(f"MUTIRAO_DISCOVERY_PORT is {text!r}: it is a port, or several with commas between them")
    return [int(number) for number in numbers]


def _address(text: str, port: int) -> Address:
    host, colon, number = text.rpartition(":")
    if not colon:
        return text, port
    if not host or not number.isdigit():
        raise ValueError(f"{text!r} is not HOST or HOST:PORT, for example lab-pc or 192.168.1.10:50020")
    return host, int(number)


def _search(ports: Sequence[int], places: Sequence[str]) -> Master | None:
    heard: dict[str, Master] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        asker.bind(("", 0))
        now = time.monotonic()
        until, ask_at = now + _WITHIN, now
        while (now := time.monotonic()) < until:
            if now >= ask_at:
                _ask(asker, ports, places)
                ask_at = now + _ASK_EVERY
            asker.settimeout(max(0.001, min(until, ask_at) - now))
            try:
                data, source = asker.recvfrom(_DATAGRAM_MAX + 1)
            except (TimeoutError, ConnectionError):
                # The latter is a port of another's where nobody listens.
                continue
            if hear(heard, data, source[0]) and len(heard) == 1:
                until = min(until, time.monotonic() + _GATHER)
    return min(heard.values(), key=lambda master: master.master_id, default=None)


def _ask(asker: socket.socket, ports: Sequence[int], places: Sequence[str]) -> None:
    question = json.dumps({"action": "DISCOVER_MASTER"}).encode()
    everywhere = [(host, port) for host in _broadcasts() for port in ports]
    named = [target for place in places for target in _targets(place, ports)]
    for target in [*everywhere, *named]:
        try:
            asker.sendto(question, target)
        except OSError:
            # An interface without a route, a firewall, a name that nobody knows: others may answer.
            continue


def _targets(place: str, ports: Sequence[int]) -> Iterator[Address]:
    for port in ports:
        yield _address(place, port)


def _broadcasts() -> Iterable[str]:
    """Every interface's broadcast address, everybody's, and this machine."""
    found = {"127.0.0.1", "127.255.255.255", "255.255.255.255"}
    if sys.platform.startswith("linux"):
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            for _, name in socket.if_nameindex():
                request = struct.pack("256s", name.encode()[:15])
                try:
                    answer = fcntl.ioctl(asker.fileno(), _SIOCGIFBRDADDR, request)
                except OSError:
                    # It has no address, or cannot broadcast.
                    continue
                found.add(socket.inet_ntoa(answer[20:24]))
    return sorted(found - {"0.0.0.0"})


def hear(heard: dict[str, Master], data: bytes, source: str) -> bool:
    """Takes in one datagram; whether it is the announcement of a master of ours, which alone speak HTTP."""
    said = _object(data)
    port, master_id = said.get("master_port"), said.get("master_id")
    is_port = isinstance(port, int) and 0 < port < 65536
    if said.get("action") != "MASTER_ANNOUNCE" or not is_port or not isinstance(master_id, str):
        return False
    assert isinstance(port, int)
    epoch = said["epoch"] if isinstance(said.get("epoch"), int) else 0
    known = heard.get(master_id)
    if known is None or known.epoch < epoch:
        if known is None and len(heard) >= _MASTERS_MAX:
            return False
        known = heard[master_id] = Master(master_id, str(said.get("name") or ""), epoch)
    if known.epoch == epoch:
        for host in _hosts(said.get("master_ip"), source):
            if (host, port) not in known.addresses:
                known.addresses.append((host, port))
    return True


def _object(data: bytes) -> dict[str, Any]:
    """What the datagram says; anyone can send anything to us, and nothing is worth an error."""
    try:
        said = json.loads(data) if len(data) <= _DATAGRAM_MAX else None
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _hosts(announced: object, source: str) -> list[str]:
    """The announced address, then the one that the answer came from; a loopback that cannot be meant goes last."""
    try:
        ip = ipaddress.IPv4Address(announced if isinstance(announced, str) else "")
    except ValueError:
        return [source]
    if ip.is_unspecified or ip.is_multicast or str(ip) == "255.255.255.255":
        return [source]
    doubtful = ip.is_loopback and not ipaddress.ip_address(source).is_loopback
    return [source, str(ip)] if doubtful else [str(ip), source]
