import sys
def hook(*_):
    sys.exit(11)
sys.excepthook = hook
1 / 0
