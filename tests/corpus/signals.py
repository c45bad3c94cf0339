import signal
print([(number, str(signal.getsignal(number))) for number in range(1, 65) if number not in (32, 33)])
print([line for line in open("/proc/self/status") if line.startswith("Sig") and not line.startswith("SigQ")])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.set_wakeup_fd(-1), signal.getitimer(signal.ITIMER_REAL))
