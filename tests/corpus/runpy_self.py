import runpy
print(sorted(runpy.run_path("helper.py")))
print(runpy.run_module("package.inner")["value"])
