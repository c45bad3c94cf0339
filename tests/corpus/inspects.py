import inspect
import linecache
def shown(a, *, b=1):
    """Its source is found."""
    return a + b
class Shown:
    x = 1
print(inspect.getsource(shown), inspect.getsource(Shown), inspect.getfile(shown) == __file__, inspect.signature(shown))
print(linecache.getline(__file__, 1), inspect.getmodule(shown).__name__)
