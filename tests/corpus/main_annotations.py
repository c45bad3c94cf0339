# Annotations of the module belong to it.
from __future__ import annotations
x: int = 1
y: list[nothing]
print(__annotations__)
def f(a: b) -> c: pass
print(f.__annotations__, f.__module__, f.__code__.co_filename == __file__, f.__code__.co_flags & 0x1000000 > 0)
