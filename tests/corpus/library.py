# A handful of modules, each with something of its own at import.
import array, base64, bisect, calendar, collections, datetime, decimal, fractions, functools, hashlib, heapq, itertools
import json, math, operator, pathlib, re, shlex, statistics, string, struct, textwrap, time, typing, uuid, zlib
print(json.dumps({"a": [1, 2.5, None]}), decimal.getcontext(), fractions.Fraction(1, 3) + 1)
print(hashlib.sha256(b"x").hexdigest(), datetime.date(2024, 2, 29).isoformat(), calendar.month(2024, 2))
print(re.sub(r"(\w+)", r"<\1>", "a b"), statistics.mean([1, 2, 4]), uuid.UUID(int=7), len(str(uuid.uuid4())))
print(pathlib.Path("input.csv").resolve(), textwrap.wrap("a b c", 3), zlib.crc32(b"x"))
