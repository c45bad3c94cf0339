import atexit
import threading
import time
def late():
    time.sleep(0.05)
    print("thread ends")
atexit.register(print, "first registered, last to run")
atexit.register(print, "second")
threading.Thread(target=late).start()
print("main ends")
