# The names that the machinery uses are the script's to take.
template = part = source = script = sys = os = 1
globals()["__exit__"] = exec = compile = None
class Bottom: pass
print(template, part, source, script, sys, os)
raise SystemExit(2)
