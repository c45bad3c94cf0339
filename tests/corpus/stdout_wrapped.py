# A wrapper with a buffer of its own.
import io
import sys
sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding="latin-1")
print("olá, flushed at the end")
