# The template's side: an interpreter that has started once and is forked for every task.
#
# It hears packets on its standard input, a socket, and answers there; the fields of a packet are separated by NUL.
#   heard: preload MODULE…                          once, first
#          run ID FOLDER REPORT COUNT (NAME VALUE)… ARGUMENT…     with two files: standard output and error
#          reap PID
#   told:  ready | unfit WHY
#          began ID PID                             by the child itself: without it no script has begun
#          cold ID WHY                              nothing has begun
#          ended PID CODE STATUS                    as waitid tells
# A PID stays taken until it may be reaped. When the other end is closed it ends.

MARKER = b"MUTIRAO_RUN"
PACKET_MAX = 1 << 20  # Longest packet that is heard, in bytes: more than a socket carries at once.
CODES_MAX = 16  # Compiled scripts that are kept: the tasks of one group have the same, and a few groups share a template.
SOURCE_MAX = 1 << 20  # Longest script that is kept compiled, in bytes.
FORK_LOOKS_MAX = 5000  # Looks for a child that only ends, a millisecond apart: libraries may tidy up in it, but not hang.
THREAD_LOOKS_MAX = 100  # Looks for threads that have ended, a millisecond apart.
WHY_MAX = 1000  # Longest reason that is told, in bytes.

before = set(sys.modules)
# What is imported here must not come from beside this file.
has_path0 = sys.path[:1] == [folder]
if has_path0:
    sys.path.pop(0)
    sys.path_importer_cache.pop(folder, None)

import _imp
import _signal
import _socket
import gc
import select


class Unfit(Exception):
    """Why this interpreter cannot be a template."""


class Request:
    def __init__(self, fields, files):
        self.id, self.folder, self.report, count, *rest = fields
        many = 2 * int(count)
        self.environment = list(zip(rest[0:many:2], rest[1:many:2]))
        self.arguments, self.files = rest[many:], files


class Witness:
    """Stands in for standard error and knows whether anything was written."""

    was_told = False

    def write(self, text):
        self.was_told = True

    def flush(self):
        pass


class Bottom:
    """Returns from `with` only in a child, with the code of its script."""

    def __init__(self, main):
        self.main = main
        self.initial = {name: value for name, value in main.items() if name.startswith("__")}
        self.file = main["__file__"]
        self.codes = {}  # By source, the oldest first.
        self.children = {}  # Whether the end of each was told.

    def __enter__(self):
        self.control = _socket.socket(fileno=os.dup(0))
        replace_stdin()
        try:
            self.settle()
        except Unfit as why:
            self.control.send(b"unfit\0" + str(why).encode())
            os._exit(0)
        return self.serve()

    def settle(self):
        check_interpreter()
        environ_block.check()
        verb, *modules = self.control.recv(PACKET_MAX).split(b"\0")
        for name in set(sys.modules) - before:
            del sys.modules[name]
        self.base = set(sys.modules)
        self.roots = tuple(path + "/" for path in sys.path if path.startswith("/"))
        preload([name.decode() for name in modules if name])
        self.main.clear()
        self.main.update(self.initial)
        gc.collect()
        self.ending = Ending(self.control)
        gc.freeze()
        self.wake, wake = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake, False)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.own = (self.control.fileno(), self.wake, wake)
        self.control.send(b"ready")

    def serve(self):
        poll = select.poll()
        poll.register(self.control.fileno(), select.POLLIN)
        poll.register(self.wake, select.POLLIN)
        while True:
            for ready, _ in poll.poll():
                if ready == self.wake:
                    os.read(self.wake, 4096)
                    self.tell_ended()
                    continue
                code = self.hear()
                if code is not None:
                    return code

    def hear(self):
        packet, ancillary, _, _ = self.control.recvmsg(PACKET_MAX, _socket.CMSG_SPACE(8), _socket.MSG_CMSG_CLOEXEC)
        if not packet:
            os._exit(0)
        verb, *fields = packet.split(b"\0")
        if verb == b"run":
            files = memoryview(ancillary[0][2]).cast("i").tolist()
            return self.run(Request(fields, files))
        pid = int(fields[0])
        os.waitpid(pid, 0)
        del self.children[pid]

    def run(self, request):
        """Forks; the code of the script in the child."""
        pid = None
        try:
            code = self.code_of(os.path.join(request.folder, request.arguments[0]))
            pid = os.fork()
            if pid == 0:
                return self.begin(request, code)
            self.children[pid] = False
        except BaseException as error:
            try:
                why = os.fsencode("%s: %s" % (type(error).__name__, error))
                self.control.send(b"cold\0%s\0%s" % (request.id, why[:WHY_MAX]))
            finally:
                if pid == 0:
                    os._exit(1)
        for file in request.files:
            os.close(file)

    def begin(self, request, code):
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        file = take_place(request, self.main)
        _imp._fix_co_filename(code, file)
        self.report = request.report
        # What other scripts were is not for this one, and at the end its names must be nobody's but its own.
        del self.codes, self.children, self.main
        self.control.send(b"began\0%s\0%d" % (request.id, os.getpid()))
        for own in self.own:
            os.close(own)
        self.control.detach()
        return code

    def code_of(self, path):
        with open(path, "rb") as file:
            source = file.read(SOURCE_MAX + 1)
        if len(source) > SOURCE_MAX:
            raise Unfit("the script is long")
        code = self.codes.get(source)
        if code is None:
            witness, stderr = Witness(), sys.stderr
            sys.stderr = witness
            try:
                code = compile(source, "main.py", "exec", dont_inherit=True)
            finally:
                sys.stderr = stderr
            if witness.was_told:
                raise Unfit("the compiler has something to say")
            if len(self.codes) >= CODES_MAX:
                self.codes.pop(next(iter(self.codes)))
            self.codes[source] = code
        return code

    def tell_ended(self):
        for pid, was_told in self.children.items():
            ended = None if was_told else os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                self.children[pid] = True
                self.control.send(b"ended\0%d\0%d\0%d" % (pid, ended.si_code, ended.si_status))

    def __exit__(self, kind, value, trace):
        """The script is over; the interpreter ends as any does."""
        if self.report:
            report(self.report, self.base, self.roots)
        if value is not None and not isinstance(value, SystemExit):
            sys.excepthook = Hook(self.file)
        else:
            try:
                code = self.ending.code(value)
            except BaseException:
                code = None
            if code is not None:
                os._exit(code)
        # The last collection is to find what hangs on modules that were frozen.
        gc.unfreeze()
        return False


def check_interpreter():
    if sys.implementation.name != "cpython" or sys.version_info < (3, 8):
        raise Unfit("it is no CPython of 3.8 or later")
    if count("task") != 1:
        raise Unfit("it starts with more than one thread")


def count(what):
    return len(os.listdir("/proc/self/" + what))


def replace_stdin():
    """Standard input becomes what a task's is: nothing; and Python's view of it is made anew, as Python makes it."""
    import io

    null = os.open(DEV_NULL, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    old = sys.stdin
    buffer = io.open(0, "rb", closefd=False)
    buffer.raw.name = "<stdin>"
    made = io.TextIOWrapper(buffer, old.encoding, old.errors, "\n", old.line_buffering, old.write_through)
    made.mode = "r"
    sys.stdin = sys.__stdin__ = made


def preload(modules):
    """Imports what the tasks of the group import; fails if that is more than an import."""
    if not modules:
        return
    files = os.listdir("/proc/self/fd")
    heard, said = os.pipe()
    kept = [os.dup(1), os.dup(2)]
    os.set_blocking(said, False)
    for at in (1, 2):
        os.dup2(said, at)
    try:
        for name in modules:
            __import__(name)
    except BaseException as error:
        raise Unfit("%s cannot be imported: %s" % (name, error))
    finally:
        for at, file in enumerate(kept, start=1):
            os.dup2(file, at)
            os.close(file)
    os.close(said)
    if os.read(heard, 1):
        raise Unfit("an import prints")
    os.close(heard)
    if count("task") != 1:
        end_threads()
    if count("task") != 1 or os.listdir("/proc/self/fd") != files:
        raise Unfit("an import leaves a thread or an open file")


def end_threads():
    """Ends threads of libraries that know of forks, as those for linear algebra do: they end before one, and are made
    anew, in whatever process it is, when they are needed."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    for _ in range(FORK_LOOKS_MAX):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            break
        select.select((), (), (), 0.001)
    else:
        os.kill(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)
        raise Unfit("a library that is imported hangs in a fork")
    # One that was waited for is seen for a moment more.
    for _ in range(THREAD_LOOKS_MAX):
        if count("task") == 1:
            break
        select.select((), (), (), 0.001)


environ_block = EnvironBlock()
