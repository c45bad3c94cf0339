import warnings
def f(level):
    warnings.warn("at level %d" % level, UserWarning, stacklevel=level)
for level in (1, 2, 3, 7):
    f(level)
warnings.warn("old", DeprecationWarning)
warnings.warn("pending", PendingDeprecationWarning)
warnings.warn("user", stacklevel=2)
print(sorted(key for key in globals() if "warning" in key))
