import sys
stdin = sys.stdin
print(repr(stdin), stdin.name, stdin.mode, stdin.encoding, stdin.errors, stdin.fileno(), stdin.isatty())
print(stdin.seekable(), stdin.readable(), stdin.writable(), stdin.line_buffering, stdin.write_through, stdin.newlines)
print(repr(stdin.buffer), repr(stdin.buffer.raw), stdin is sys.__stdin__, stdin.read())
