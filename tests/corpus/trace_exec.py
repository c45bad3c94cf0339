exec(compile("def f():\n    return g()\n", "<made>", "exec"))
f()
