# The child's side: from the fork to the script's first line, and from its last line to the end.
#
# Rule: whatever a script can see is what it would see if it had an interpreter started for it.

import os
import sys

DEV_NULL = "/dev/null"


def take_place(request, main):
    """Makes this process, which is a fork of the template, the task's own."""
    os.setpgid(0, 0)
    for at, name in enumerate(request.files, start=1):
        os.dup2(name, at)
        os.close(name)
    null = os.open(DEV_NULL, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.chdir(request.folder)
    known = len(os.environb)
    for name, value in request.environment:
        os.environb[name] = value
        environ_block.tell(name, value)
    if len(os.environb) != known:
        put_in_order({name for name, _ in request.environment})
    refresh()
    folder = os.getcwd()
    arguments = [os.fsdecode(argument) for argument in request.arguments]
    # Before 3.9 the file of a script was named as it had been typed.
    file = folder + "/" + arguments[0] if sys.version_info >= (3, 9) else arguments[0]
    sys.argv[:] = arguments
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[1:] = arguments
    if has_path0:
        sys.path.insert(0, folder)
    sys.path_importer_cache.pop(main["__file__"], None)
    sys.path_importer_cache[file] = None
    main["__file__"] = file
    main["__loader__"].path = file
    return file


def put_in_order(told):
    """What is new stands behind the others. A process is started with its environment in the order of the names; what an
    interpreter adds by itself, LC_CTYPE where there is no locale, stands behind that."""

    def place(setting):
        name, _ = setting
        is_given = name in environ_block.places or name in told
        return (0, name) if is_given else (1, b"")

    settings = sorted(os.environb.items(), key=place)
    os.environb.clear()
    for name, value in settings:
        os.environb[name] = value


def refresh():
    """What modules noted when they were imported, and a process of its own would have noted otherwise."""
    modules = sys.modules
    if "threading" in modules:
        thread = modules["threading"].main_thread()
        if hasattr(thread, "_set_native_id"):
            thread._set_native_id()
    if "logging" in modules:
        logging, time = modules["logging"], modules["time"]
        logging._startTime = time.time_ns() if isinstance(logging._startTime, int) else time.time()
    if "multiprocessing.process" in modules:
        process = modules["multiprocessing.process"]
        process.ORIGINAL_DIR = os.getcwd()
        process.current_process().authkey = os.urandom(32)
    if "numpy.random" in modules:
        modules["numpy.random"].seed()


def shown(base, roots):
    """The modules that the script has imported, of those that are no task's own, in the order of their import."""
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name in base or getattr(spec, "name", None) != name:
            continue
        origin = spec.origin
        if origin in ("built-in", "frozen") or (isinstance(origin, str) and origin.startswith(roots)):
            yield name


def report(path, base, roots):
    """Leaves word of what the script imported; a script that made this impossible is simply not preloaded for."""
    try:
        text = "\n".join(shown(base, roots))
        with open(path, "x") as file:
            file.write(text)
    except Exception:
        pass


class Hook:
    """Shows an exception that ended a script, without the frame below the script; then it is as if it had never been."""

    def __init__(self, file):
        self.file, self.hook = file, getattr(sys, "excepthook", None)

    def __call__(self, kind, value, trace):
        while trace is not None and trace.tb_frame.f_code.co_filename == self.file:
            trace = trace.tb_next
        value.__traceback__ = sys.last_traceback = trace
        if self.hook is None:
            del sys.excepthook
            sys.stderr.write("sys.excepthook is missing\n")
            sys.__excepthook__(kind, value, trace)
        else:
            sys.excepthook = self.hook
            self.hook(kind, value, trace)


class EnvironBlock:
    """The environment as `/proc/PID/environ` shows it: the bytes with which the process was started, which are its own to
    change. By the marker in it a run's processes are found."""

    def __init__(self):
        with open("/proc/self/environ", "rb") as file:
            block = file.read()
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
        self.places, at = {}, int(fields[47])
        for setting in block.split(b"\0"):
            name, _, value = setting.partition(b"=")
            self.places[name] = (at + len(name) + 1, value)
            at += len(setting) + 1

    def tell(self, name, value):
        """Writes the value if it has the room of the one that is there."""
        place, old = self.places.get(name, (None, b""))
        if value != old and len(value) == len(old):
            self.write(place, value)

    def check(self):
        """Fails where the memory of a process cannot be written like this."""
        place, value = self.places[MARKER]
        self.write(place, value)

    def write(self, place, value):
        memory = os.open("/proc/self/mem", os.O_RDWR)
        try:
            os.pwrite(memory, value, place)
        finally:
            os.close(memory)
