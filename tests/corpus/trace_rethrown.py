# An exception that was kept and is raised again keeps its past.
kept = None
def f():
    raise OSError(2, "gone", "name")
try:
    f()
except OSError as error:
    kept = error
raise kept
