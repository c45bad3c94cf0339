import locale
import sys
import time
print(sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
print(locale.getpreferredencoding(False), locale.setlocale(locale.LC_CTYPE), locale.setlocale(locale.LC_NUMERIC))
print(locale.getlocale(), time.tzname, time.timezone, "ﬀ".upper(), "ß".casefold())
