# Handlers of the libraries run as well.
import concurrent.futures
import logging
import weakref
class Thing: pass
thing = Thing()
weakref.finalize(thing, print, "finalized")
pool = concurrent.futures.ThreadPoolExecutor(2)
print(list(pool.map(abs, [-1, -2])))
