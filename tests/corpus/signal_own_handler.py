import os
import signal
signal.signal(signal.SIGUSR1, lambda number, frame: print("heard", number, frame.f_code.co_name))
signal.signal(signal.SIGCHLD, lambda *_: print("a child ended"))
os.kill(os.getpid(), signal.SIGUSR1)
if os.fork() == 0:
    os._exit(0)
os.wait()
