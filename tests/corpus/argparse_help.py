import argparse
parser = argparse.ArgumentParser()
parser.add_argument("input")
parser.add_argument("--wanted", required=True)
parser.parse_args()
