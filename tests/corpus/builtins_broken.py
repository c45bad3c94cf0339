# Whatever a script makes of the builtins, it ends as it would.
import builtins
for name in ("exec", "globals", "isinstance", "open", "hasattr", "len", "getattr", "sorted"):
    setattr(builtins, name, None)
1 / 0
