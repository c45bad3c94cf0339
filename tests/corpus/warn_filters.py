import sys
import warnings
print(sys.warnoptions, warnings.filters)
