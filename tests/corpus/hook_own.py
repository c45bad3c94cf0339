import sys
print(sys.excepthook is sys.__excepthook__, sys.unraisablehook is sys.__unraisablehook__)
def hook(kind, value, trace):
    depth = 0
    while trace is not None:
        print(trace.tb_frame.f_code.co_name, trace.tb_lineno)
        trace = trace.tb_next
    print(kind.__name__, value, value.__traceback__ is not None, sys.excepthook is hook)
    print(sys.last_type is kind, sys.last_value is value)
sys.excepthook = hook
def f():
    raise ValueError("hooked")
f()
