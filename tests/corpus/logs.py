import logging
import time
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(filename)s:%(lineno)d %(funcName)s %(message)s")
def f():
    logging.info("from f")
f()
logging.getLogger("a.b").warning("at the top")
record = logging.LogRecord("n", 20, "p", 1, "m", (), None)
print(0 <= record.relativeCreated < 30000, record.processName, record.threadName)
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("failed")
