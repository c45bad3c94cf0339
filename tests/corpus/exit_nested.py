# While another exception is handled, out of a function, with finally on the way.
import sys
def inner():
    try:
        1 / 0
    except ZeroDivisionError:
        sys.exit(3)
    finally:
        print("finally")
inner()
