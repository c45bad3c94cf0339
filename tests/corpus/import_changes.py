# An import that changes what others see.
import changer
import os, sys
print(os.environ["SET_BY_IMPORT"], sys.setting_of_import)
