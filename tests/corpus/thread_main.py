import os
import threading
main = threading.main_thread()
print(main is threading.current_thread(), main.name, main.ident == threading.get_ident(), threading.active_count())
print(main.native_id == os.getpid(), threading.get_native_id() == os.getpid())
