#!/usr/bin/env python3
"""A peer as other groups wrote it: finds or is given a master, runs its tasks, hands the results in.

Prints one line of JSON per event. Ends with 0 after `--tasks` results were answered OK, with 3 when `--lifetime` is over.
"""

import argparse
import base64
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
import zipfile

import speaker
from speaker import say

RESULT_NAMES = {
    "echo": lambda task: task,
    "result_": lambda task: f"result_{task}",
    "zip_result": lambda task: f"{task}_result.zip",
    "results_": lambda task: f"results_{task}",
    "uuid": lambda task: f"result_{uuid.uuid4()}.zip",
}
DISCOVERY_WAIT_S = 1.0


class Master:
    """How the peer speaks to its master: a connection per message, or one for everything."""

    def __init__(self, address, args):
        self.address, self.args = address, args
        self.one_at_a_time = threading.Lock()
        self.kept = None

    def ask(self, message):
        """The reply, or None when the master closes without one; OSError on silence, ValueError on half a reply."""
        if self.args.style == "per-message":
            connection = self.connect()
            try:
                return self.exchange(connection, message)
            finally:
                connection.close()
        with self.one_at_a_time:
            self.kept = self.kept or self.connect()
            reply = None
            try:
                reply = self.exchange(self.kept, message)
            finally:
                if reply is None:
                    self.kept.close()
                    self.kept = None
            return reply

    def connect(self):
        sock = socket.create_connection(self.address, timeout=self.args.patience)
        return speaker.Connection(sock, self.args.recv, speaker.delimiter_of(self.args))

    def exchange(self, connection, message):
        connection.write(message)
        return connection.read()


class Peer:
    def __init__(self, args):
        self.args = args
        self.dialect = speaker.DIALECTS[args.dialect]
        self.empty_style = args.empty or self.dialect.default_empty
        self.master = None
        self.busy = threading.Event()
        self.script = None

    def run(self):
        self.master = Master(self.args.master or self.discover(), self.args)
        while not self.register():
            time.sleep(self.args.pause)
        threading.Thread(target=self.beat, daemon=True).start()
        if self.args.also_asks:
            word, fields = self.dialect.also_asks
            say("also_asked", word=word, reply=self.ask(word, **fields))
        done = 0
        while self.args.tasks is None or done < self.args.tasks:
            done += self.work_once()

    def discover(self):
        """Asks on every given address until an announcement comes, and believes it."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.settimeout(DISCOVERY_WAIT_S)
        call = json.dumps(self.dialect.discover(self.args.peer_id, self.port())).encode()
        while True:
            try:
                for address in self.args.bcast or ["255.255.255.255"]:
                    sock.sendto(call, (address, self.args.discovery_port))
                answer, source = sock.recvfrom(speaker.LARGEST_RECV)
                announced = self.dialect.announced(json.loads(answer))
            except socket.timeout:
                say("no_answer")
                continue
            except (OSError, ValueError, KeyError) as error:
                say("error", doing="DISCOVER", why=str(error))
                time.sleep(self.args.pause)
                continue
            if announced:
                say("found", ip=announced[0], port=announced[1], source=source[0])
                return (source[0], announced[1]) if self.args.trust == "source" else announced

    def port(self):
        return speaker.port_of(self.args, self.args.port)

    def ask(self, word, **fields):
        return self.speak(word, self.dialect.request(word, peer_id=self.args.peer_id, **fields))

    def speak(self, word, message):
        """The reply as a message, or None after an error event."""
        try:
            reply = self.master.ask(message)
        except (OSError, ValueError) as error:
            say("error", doing=word, why=str(error) or type(error).__name__)
            return None
        if reply is None:
            say("error", doing=word, why="the master closed without a reply")
        return reply

    def expect(self, word, reply, wanted, event, **fields):
        """Whether the reply says what was wanted; says the event or an error."""
        if reply is None:
            return False
        if self.dialect.word(reply) == wanted:
            say(event, **fields)
            return True
        say("error", doing=word, why="unexpected reply", reply=reply)
        return False

    def register(self):
        message = self.dialect.register(self.args.peer_id, speaker.own_address(), self.port())
        return self.expect("REGISTER", self.speak("REGISTER", message), "REGISTERED", "registered")

    def beat(self):
        while True:
            time.sleep(self.args.heartbeat)
            if not (self.args.slot_silent and self.busy.is_set()):
                self.expect("HEARTBEAT", self.ask("HEARTBEAT"), "ALIVE", "alive")

    def work_once(self):
        """Asks for a task and does it; 1 if its result was answered OK."""
        reply = self.ask("REQUEST_TASK")
        if reply is None or self.dialect.is_empty(reply, self.empty_style):
            if reply is not None:
                say("no_task")
            time.sleep(self.args.pause)
            return 0
        fields = self.dialect.fields(reply)
        name, data = fields.get("task_name"), fields.get("task_data")
        if self.dialect.word(reply) != "TASK_PACKAGE" or not name or not data:
            say("error", doing="REQUEST_TASK", why="unexpected reply", reply=reply)
            time.sleep(self.args.pause)
            return 0
        say("task", name=name)
        if self.args.fail:
            say("error", doing="run", why="the executor failed", name=name)
            return 0
        self.busy.set()
        try:
            result = self.execute(name, base64.b64decode(data))
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            say("error", doing="run", why=str(error), name=name)
            return 0
        finally:
            self.busy.clear()
        result_name = RESULT_NAMES[self.args.result_name](name)
        encoded = base64.b64encode(result).decode()
        answer = self.ask("SUBMIT_RESULT", result_name=result_name, result_data=encoded)
        return int(self.expect("SUBMIT_RESULT", answer, "OK", "ok", name=name, result_name=result_name))

    def execute(self, name, archive):
        """Runs the task's main.py in work/<name>/ and packs what it printed."""
        folder = os.path.join(self.args.work, name)
        os.makedirs(folder, exist_ok=True)
        with zipfile.ZipFile(io.BytesIO(archive)) as task:
            task.extractall(folder)
        home = next((at for at, _, files in os.walk(folder) if "main.py" in files), folder)
        self.script = subprocess.Popen(
            [sys.executable, "main.py", "input.csv"], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        stdout, stderr = self.script.communicate()
        say("ran", name=name, exit=self.script.returncode)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as result:
            result.writestr("stdout.txt", stdout)
            result.writestr("stderr.txt", stderr)
        return packed.getvalue()

    def stop_script(self):
        if self.script and self.script.poll() is None:
            self.script.kill()


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def recv_size(text):
    return None if text == "until-parses" else int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    speaker.add_common_arguments(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--master", type=address, metavar="HOST:PORT")
    where.add_argument("--discover", action="store_true")
    parser.add_argument("--discovery-port", type=int, default=50005)
    parser.add_argument("--bcast", action="append", metavar="ADDR", help="where to ask, repeatable; may be a host")
    parser.add_argument("--trust", choices=["announced", "source"], default="announced", help="which address to dial")
    parser.add_argument("--style", choices=["per-message", "one-connection"], default="per-message")
    parser.add_argument("--recv", type=recv_size, default=None, metavar="BYTES|until-parses")
    parser.add_argument("--result-name", choices=RESULT_NAMES, default="echo")
    parser.add_argument("--heartbeat", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--slot-silent", action="store_true", help="no heartbeat while a task runs")
    parser.add_argument("--fail", action="store_true", help="take tasks, log an error and ask again")
    parser.add_argument("--also-asks", action="store_true", help="ask one thing beyond tasks after REGISTER")
    parser.add_argument("--tasks", type=int, metavar="N", help="end after N results answered OK")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between asks when there was nothing")
    parser.add_argument("--patience", type=float, default=5.0, help="seconds that a reply may take")
    parser.add_argument("--peer-id", default=str(uuid.uuid4()))
    parser.add_argument("--port", type=int, default=6000, help="the TCP port that it says it has")
    parser.add_argument("--work", default="work", metavar="DIR")
    args = parser.parse_args()
    peer = Peer(args)
    speaker.live_at_most(args.lifetime, peer.stop_script)
    peer.run()
    say("finished")
    # Not sys.exit: the heartbeat thread may be printing, and the interpreter aborts when it cannot flush.
    os._exit(0)


if __name__ == "__main__":
    main()
