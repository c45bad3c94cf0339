import sys
sys.exit(256 * 3 + 5)
