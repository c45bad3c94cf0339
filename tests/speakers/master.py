#!/usr/bin/env python3
"""A master as other groups wrote it: answers discovery, hands each task out once, writes what comes back.

Prints one line of JSON per event. It forgets what it handed out to a peer that never came back, as they all do.
"""

import argparse
import base64
import json
import os
import re
import socket
import threading

import speaker
from speaker import say


class Master:
    def __init__(self, args):
        self.args = args
        self.dialect = speaker.DIALECTS[args.dialect]
        self.empty_style = args.empty or self.dialect.default_empty
        self.handed_out = set()
        self.peers = {}
        self.lock = threading.Lock()

    def serve(self):
        os.makedirs(self.args.results, exist_ok=True)
        calls = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        calls.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        calls.bind((self.args.bind if self.args.bound_to_one_address else "", self.args.udp))
        listener = socket.create_server((self.args.bind, self.args.tcp))
        threading.Thread(target=self.answer_calls, args=(calls,), daemon=True).start()
        say("serving", tcp=self.args.tcp, udp=self.args.udp)
        while True:
            sock, source = listener.accept()
            threading.Thread(target=self.converse, args=(sock, source), daemon=True).start()

    def answer_calls(self, calls):
        while True:
            text, source = calls.recvfrom(4096)
            try:
                word = self.dialect.word(json.loads(text))
            except (ValueError, AttributeError):
                word = None
            if word != self.dialect.discover_word:
                say("unknown", word=word, source=source[0])
                continue
            ip = self.args.announce_ip or speaker.own_address()
            announcement = self.dialect.announce(ip, speaker.port_of(self.args, self.args.tcp))
            try:
                calls.sendto(json.dumps(announcement).encode(), source)
                say("discover", source=source[0], announced=ip)
            except OSError as error:
                say("error", doing="announce", why=str(error))

    def converse(self, sock, source):
        recv = self.args.recv if self.args.style == "one-recv" else None
        connection = speaker.Connection(sock, recv, speaker.delimiter_of(self.args))
        try:
            while True:
                message = connection.read()
                if message is None:
                    break
                reply = self.reply_to(message, source[0])
                if reply is not None:
                    connection.write(reply)
                if self.args.close_after_reply:
                    break
        except (OSError, ValueError, KeyError, TypeError) as error:
            say("error", doing="converse", why=f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def reply_to(self, message, source):
        """The reply, or None for silence."""
        word, fields = self.dialect.word(message), self.dialect.fields(message)
        peer = fields.get("peer_id")
        if word == "REGISTER":
            self.peers[peer] = source
            say("registered", peer=peer, source=source)
            return self.dialect.reply("REGISTERED")
        if word == "HEARTBEAT":
            say("heartbeat", peer=peer)
            return self.dialect.reply("ALIVE")
        if word == "REQUEST_TASK":
            return self.hand_out(peer)
        if word == "SUBMIT_RESULT":
            return self.take(peer, fields["result_name"], fields["result_data"])
        if word == "LIST_PEERS" and self.args.dialect == "super-peer":
            return {"peers": list(self.peers)}
        say("unknown", word=word, peer=peer)
        return self.dialect.error(f"unknown action {word}")

    def hand_out(self, peer):
        with self.lock:
            names = sorted(name for name in os.listdir(self.args.tasks) if name.endswith(".zip"))
            name = next((name for name in names if name not in self.handed_out), None)
            self.handed_out.add(name)
        if name is None:
            say("empty", peer=peer)
            return self.dialect.empty(self.empty_style)
        with open(os.path.join(self.args.tasks, name), "rb") as task:
            data = base64.b64encode(task.read()).decode()
        say("handed_out", peer=peer, name=name)
        return self.dialect.request("TASK_PACKAGE", task_name=name, task_data=data)

    def take(self, peer, name, data):
        file_name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        with open(os.path.join(self.args.results, file_name), "wb") as result:
            result.write(base64.b64decode(data))
        say("result", peer=peer, name=file_name)
        return self.dialect.reply("OK")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    speaker.add_common_arguments(parser)
    parser.add_argument("--tasks", default="tasks", metavar="DIR")
    parser.add_argument("--results", default="results", metavar="DIR")
    parser.add_argument("--bind", default="0.0.0.0", metavar="IP")
    parser.add_argument("--tcp", type=int, default=50020)
    parser.add_argument("--udp", type=int, default=50005)
    parser.add_argument("--announce-ip", metavar="IP", help="default: what the host's name resolves to")
    parser.add_argument("--style", choices=["one-recv", "until-parses"], default="until-parses")
    parser.add_argument("--recv", type=int, default=65536, metavar="BYTES", help="of the one recv")
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument("--close-after-reply", action="store_true")
    ending.add_argument("--keep-open", dest="close_after_reply", action="store_false")
    parser.add_argument("--bound-to-one-address", action="store_true", help="its UDP socket hears no broadcast")
    args = parser.parse_args()
    speaker.live_at_most(args.lifetime)
    Master(args).serve()


if __name__ == "__main__":
    main()
