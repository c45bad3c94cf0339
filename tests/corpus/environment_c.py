import ctypes
import os
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
print(getenv(b"MUTIRAO_TASK") == os.environb[b"MUTIRAO_TASK"], getenv(b"MUTIRAO_RUN") == os.environb[b"MUTIRAO_RUN"])
