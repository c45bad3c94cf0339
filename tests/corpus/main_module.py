"""A docstring of its own."""
import os
import sys
print([name for name in globals() if name not in ("os", "sys")])
print(__name__, __doc__, __package__, __spec__, __cached__, type(__builtins__).__name__)
print(__file__, type(__loader__).__name__, __loader__.name, __loader__.path)
print(os.path.dirname(os.path.abspath(__file__)) == os.getcwd())
import __main__
print(__main__ is sys.modules["__main__"], vars(__main__) is globals(), __main__)
print(sorted(name for name in dir() if not name.startswith("__")))
