import sys
if sys.version_info >= (3, 11):
    error = ExceptionGroup("two", [ValueError(1), TypeError("t")])
    error.add_note("noted")
    raise error
