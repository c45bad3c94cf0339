# The machinery of imports stays out of it.
import helper
import package.broken
