import gc
import sys
print(sys.flags, sys._xoptions, sys.dont_write_bytecode, sys.getrecursionlimit(), sys.getswitchinterval())
print(gc.isenabled(), gc.get_threshold(), gc.get_debug(), sys.gettrace(), sys.getprofile(), sys.version)
print(sys.hash_info, sys.int_info, sys.float_repr_style, sys.is_finalizing(), hasattr(sys, "ps1"))
print(sys.getallocatedblocks() > 0, sys.displayhook is sys.__displayhook__, sys.breakpointhook is sys.__breakpointhook__)
