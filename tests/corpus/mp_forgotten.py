# Processes that nobody waits for are waited for.
import multiprocessing
import time
def work():
    time.sleep(0.05)
    print("worker ends")
if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=work).start()
    print("main ends")
