# Both streams, a line without an end, bytes, and a text that is not ASCII.
import sys
print("out")
print("err", file=sys.stderr)
print("olá ☃")
sys.stdout.buffer.write(b"\xff\x00raw\n")
sys.stderr.write("no newline")
sys.stdout.write("no newline either")
