import atexit
def fail():
    raise ValueError("in a handler")
atexit.register(print, "still runs")
atexit.register(fail)
