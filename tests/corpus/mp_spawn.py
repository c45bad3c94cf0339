import multiprocessing
import os
import sys
print("module of", __name__ if __name__ != "__mp_main__" else "the child", os.path.basename(__file__), sys.argv)
def work(queue, x):
    queue.put((x, __name__, os.getcwd(), multiprocessing.current_process().name))
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=work, args=(queue, 7))
    process.start()
    print(queue.get())
    process.join()
    print(process.exitcode, multiprocessing.process.ORIGINAL_DIR == os.getcwd())
