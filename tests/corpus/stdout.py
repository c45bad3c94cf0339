import os
import sys
for stream, kept in ((sys.stdout, sys.__stdout__), (sys.stderr, sys.__stderr__)):
    print(repr(stream), stream.name, stream.mode, stream.encoding, stream.errors, stream.fileno(), stream is kept)
    print(stream.isatty(), stream.seekable(), stream.line_buffering, stream.write_through, repr(stream.buffer))
    print(os.fstat(stream.fileno()).st_mode, os.get_blocking(stream.fileno()), os.get_inheritable(stream.fileno()))
