import fcntl
import os
print(sorted(os.listdir("/proc/self/fd"), key=int), open("input.csv").fileno())
for at in range(3):
    print(at, fcntl.fcntl(at, fcntl.F_GETFL), fcntl.fcntl(at, fcntl.F_GETFD), os.readlink("/proc/self/fd/%d" % at).split(":")[0])
