# The one frame that lies below every script which is started warm. Its names live where the script's will, so all are
# gone before the script begins. A file name with `importlib` and `_bootstrap` in it is what `warnings` takes for
# machinery and skips when it looks for whom to blame. What a script makes of the builtins is not for the machinery.
template = {"__builtins__": vars(__builtins__).copy(), "folder": __file__.rpartition("/")[0]}
for part in ("task.py", "template.py", "ending.py"):
    with open(template["folder"] + "/" + part, "rb") as source:
        exec(compile(source.read(), source.name, "exec"), template)
with template["Bottom"](globals()) as script:
    exec(globals().pop("script"))
