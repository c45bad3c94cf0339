# A module beside the script comes before the library's of that name.

import colorsys
print(colorsys.__file__, colorsys.mine)
