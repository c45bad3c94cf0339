import os
import tempfile
folder = tempfile.TemporaryDirectory(dir=".", prefix="kept-")
file = tempfile.NamedTemporaryFile(dir=".")
print(os.path.isdir(folder.name))
