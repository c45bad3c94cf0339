"""Forks once a task, so many at a time, and prints how many seconds that took."""

import gc
import os
import sys
import time

slots, count = int(sys.argv[1]), int(sys.argv[2])
with open("main.py", "rb") as file:
    code = compile(file.read(), "main.py", "exec")


def task():
    out = os.open("stdout.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    sys.argv = ["main.py", "input.csv"]
    exec(code, {"__name__": "__main__", "__file__": "main.py"})
    sys.stdout.flush()


def fork():
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            task()
            status = 0
        finally:
            os._exit(status)


def reap():
    _, status = os.waitpid(-1, 0)
    if status != 0:
        sys.exit("a script failed")


# Whatever the script imports is imported before the clock starts, as a template does that has seen it once.
kept = os.dup(1)
task()
os.dup2(kept, 1)
gc.collect()
gc.freeze()

began = time.perf_counter()
for number in range(count):
    if number >= slots:
        reap()
    fork()
for _ in range(min(slots, count)):
    reap()
print(time.perf_counter() - began)
