# Nothing that is buffered comes out, no exit handler runs.
import atexit
import os
atexit.register(print, "never")
file = open("unflushed.txt", "w")
file.write("lost")
os._exit(4)
