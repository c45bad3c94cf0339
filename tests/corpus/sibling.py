# Modules and packages beside the script.
import sys
import helper
import package.inner
print(helper.value, helper.__name__, helper.__file__, helper.whoami())
print(package.inner.value, package.__path__, package.inner.__package__)
print(sorted(name for name in sys.modules if name.startswith(("helper", "package"))))
