"""What every foreign speaker shares: its dialect, its way of reading, its events.

Each group wrote its own program against the same text. A speaker here is one of those programs in small:
it knows the words of its own group only, and reads and writes as carelessly as the group did.
"""

import json
import os
import socket
import sys
import threading

SECTION_1_EMPTY = {
    "no_task": {"action": "NO_TASK"},
    "no_task_message": {"action": "NO_TASK", "message": "no task available"},
    "no_tasks": {"status": "NO_TASKS"},
    "null": {"action": "TASK_PACKAGE", "task_name": None, "task_data": None},
}
EMPTY_STYLES = [*SECTION_1_EMPTY, "silence"]
LARGEST_RECV = 1048576
_printing = threading.Lock()


class Flat:
    """Section 1: `{"action": X, …fields}`, answered by a `status`."""

    discover_word, announce_word = "DISCOVER_MASTER", "MASTER_ANNOUNCE"
    ip_field, port_field = "master_ip", "master_port"
    default_empty = "no_task"
    also_asks = ("SING_A_SONG", {})

    def request(self, word, **fields):
        return {"action": word, **fields}

    def reply(self, word, **fields):
        return {"status": word, **fields}

    def error(self, why):
        return self.reply("ERROR", message=why)

    def word(self, message):
        return message.get("action") or message.get("status")

    def fields(self, message):
        return message

    def discover(self, peer_id, port):
        return self.request(self.discover_word, peer_id=peer_id, port_tcp=port)

    def announce(self, ip, port):
        return self.request(self.announce_word, **{self.ip_field: ip, self.port_field: port})

    def announced(self, message):
        """The address in an announcement, or None if the message is none."""
        if self.word(message) != self.announce_word:
            return None
        fields = self.fields(message)
        return fields[self.ip_field], int(fields[self.port_field])

    def register(self, peer_id, host, port):
        return self.request("REGISTER", peer_id=peer_id, addr=[host, port])

    def empty(self, style):
        """The master's "nothing now"; None is silence."""
        return SECTION_1_EMPTY.get(style)

    def is_empty(self, message, style):
        """Whether the peer finds the one word for "nothing now" that its group knows."""
        if style == "null":
            return message.get("task_name", "") is None
        if style == "no_tasks":
            return message.get("status") == "NO_TASKS"
        return message.get("action") == "NO_TASK"


class Envelope(Flat):
    """`{"type": X, "data": {…fields}}`, requests and replies alike."""

    default_empty = "no_tasks"
    also_asks = ("LIST_FILES", {})

    def request(self, word, **fields):
        return {"type": word, "data": fields}

    def reply(self, word, **fields):
        return self.request(word, **fields)

    def error(self, why):
        return self.reply("ERROR", error=why)

    def word(self, message):
        return message.get("type")

    def fields(self, message):
        return message.get("data", {})

    def discover(self, peer_id, port):
        return self.request(self.discover_word, peer_id=peer_id, port=port)

    def register(self, peer_id, host, port):
        return self.request("REGISTER", peer_id=peer_id, host=host, port=port)

    def empty(self, style):
        return None if style == "silence" else self.reply("NO_TASKS")

    def is_empty(self, message, style):
        return self.word(message) == "NO_TASKS"


class SuperPeer(Flat):
    """Flat, with other words for discovery and a REGISTER that names no address."""

    discover_word, announce_word = "DISCOVER_SUPER_PEER", "SUPER_PEER_ANNOUNCEMENT"
    ip_field, port_field = "ip", "port"
    default_empty = "null"
    also_asks = ("LIST_PEERS", {})

    def error(self, why):
        return self.reply("error", message=why)

    def discover(self, peer_id, port):
        return self.request(self.discover_word)

    def register(self, peer_id, host, port):
        return self.request("REGISTER", peer_id=peer_id, p2p_port=port)


DIALECTS = {"flat": Flat(), "envelope": Envelope(), "super-peer": SuperPeer()}


class Connection:
    """One TCP connection. `recv` is the size of the only recv per message, or None to read until the text parses."""

    def __init__(self, sock, recv, delimiter):
        self.sock, self.recv, self.delimiter = sock, recv, delimiter

    def read(self):
        """The next message, None if the other side has closed; ValueError if what came does not parse."""
        text = self.sock.recv(self.recv or LARGEST_RECV)
        if not text:
            return None
        while self.recv is None:
            try:
                return json.loads(text)
            except ValueError:
                more = self.sock.recv(LARGEST_RECV)
                if not more:
                    raise
                text += more
        return json.loads(text)

    def write(self, message):
        self.sock.sendall(json.dumps(message).encode() + self.delimiter)

    def close(self):
        self.sock.close()


def say(event, **fields):
    """Prints one event as one line of JSON."""
    with _printing:
        print(json.dumps({"event": event, **fields}), flush=True)


def live_at_most(seconds, last_words=lambda: None):
    """Ends the program with code 3 after this long, whatever it is doing."""

    def end():
        say("lifetime", seconds=seconds)
        last_words()
        sys.stdout.flush()
        os._exit(3)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def own_address():
    """The address that most groups announce: what the host's name resolves to, often 127.0.1.1."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def add_common_arguments(parser):
    parser.add_argument("--dialect", choices=DIALECTS, required=True)
    parser.add_argument("--delimiter", choices=["none", "newline"], default="none", help="after each message sent")
    parser.add_argument("--empty", choices=EMPTY_STYLES, help='the word for "nothing now"; default: the dialect\'s own')
    parser.add_argument("--string-ports", action="store_true", help="write ports as strings")
    parser.add_argument("--lifetime", type=float, default=60.0, help="hard bound in seconds")


def delimiter_of(args):
    return b"\n" if args.delimiter == "newline" else b""


def port_of(args, port):
    return str(port) if args.string_ports else port
