import threading
import time
def work():
    for n in range(3):
        time.sleep(0.02)
        print("still at work", n)
threading.Thread(target=work).start()
