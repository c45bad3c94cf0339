# The end of an interpreter, left out where nobody can tell.
#
# Taking an interpreter apart costs more than the fork that made it: nearly every page that it shares is written to. All
# that a script can notice of it are finalizers: its own, those of files with something in a buffer, of generators, of
# weak references, of exit handlers and of libraries in C. Where there is none of these, the process simply ends.

import _weakref
import gc
import sys

OBJECTS_MAX = 5000  # Most objects that are looked at: with more, a script has run so long that its end costs little.
# Libraries in C whose objects do something when they go, and are not always known to the collector.
DEEDS_IN_C = frozenset("_ctypes _curses _curses_panel _dbm _gdbm _sqlite3 _tkinter readline".split())

HAVE_GC = 1 << 14  # The flag of classes whose things the collector knows.

flags_of = vars(type)["__flags__"].__get__
bases_of = vars(type)["__mro__"].__get__
names_of = vars(type)["__dict__"].__get__
callback_of = vars(_weakref.ref)["__callback__"].__get__


def has_deeds(objects):
    """Whether one of them, or one of a class among them, does something when it goes."""
    looks = {}
    for thing in objects:
        kind = type(thing)
        look = looks.get(kind)
        if look is None:
            look = looks[kind] = look_at(bases_of(kind))
        if look(thing):
            return True
    return False


def look_at(bases):
    """What tells whether a thing of a class with these bases does something when it goes."""
    if any("__del__" in names_of(base) for base in bases):
        return lambda thing: True
    if _weakref.ref in bases:
        return lambda ref: not is_bookkeeping(callback_of(ref))
    if type in bases:
        # The things of such a class would not be met here.
        return lambda kind: not flags_of(kind) & HAVE_GC and "__del__" in names_of(kind)
    return lambda thing: False


def is_bookkeeping(callback):
    """Whether it is none, or one with which a weak container or an abstract class forgets what is gone."""
    if type(callback) is type(is_bookkeeping):
        return callback.__module__ in ("weakref", "_weakrefset")
    return callback is None or (type(callback) is type(len) and callback.__name__ == "_destroy")


def is_harmless_in_c(names, library):
    """Whether these modules are Python, or of the interpreter's own library."""
    for name in names:
        origin = getattr(getattr(sys.modules.get(name), "__spec__", None), "origin", None)
        if name in DEEDS_IN_C or (isinstance(origin, str) and origin.endswith(".so") and not origin.startswith(library)):
            return False
    return True


class Ending:
    """Made by a template when it is ready, asked by a child when its script is over."""

    def __init__(self, control):
        self.streams = (sys.stdin, sys.stdout, sys.stderr)
        self.library = tuple(path + "/" for path in sys.path if path.endswith("lib-dynload"))
        self.base = set(sys.modules)
        buffers = [stream.buffer for stream in self.streams]
        known = [control, *self.streams, *buffers, *(getattr(buffer, "raw", None) for buffer in buffers)]
        others = (thing for thing in gc.get_objects() if not (isinstance(thing, type) or any(thing is one for one in known)))
        self.is_possible = not has_deeds(others) and is_harmless_in_c(self.base, self.library)

    def code(self, value):
        """The exit code with which the process may end at once, or None."""
        if value is None or value.code is None:
            code = 0
        elif type(value.code) is int:
            code = value.code & 0xFF
        else:
            return None
        return code if self.is_possible and self.is_silent() else None

    def is_silent(self):
        modules = sys.modules
        _, stdout, stderr = self.streams
        if sys.stdout is not stdout or sys.stderr is not stderr or sys.gettrace() or sys.getprofile() or gc.callbacks:
            return False
        if "atexit" in modules and modules["atexit"]._ncallbacks():
            return False
        if "threading" in modules and getattr(modules["threading"], "_threading_atexits", None):
            return False
        if count("task") != 1 or not is_harmless_in_c(set(modules) - self.base, self.library):
            return False
        objects = gc.get_objects()
        if len(objects) > OBJECTS_MAX or has_deeds(objects):
            return False
        stdout.flush()
        stderr.flush()
        return True
