# What of the main module is left for a handler.
import atexit
def show():
    print(sorted(name for name in globals() if name != "__annotations__"))
atexit.register(show)
