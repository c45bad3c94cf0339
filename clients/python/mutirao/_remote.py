"""What runs at the peer: the `main.py` of a task that calls a function. It stands alone, and may meet an older Python."""

import importlib.util
import os
import pickle
import sys
import traceback

MAIN = "__mutirao_main__"


def prepare() -> None:
    """Makes the user's modules importable, and what was started there known under its old name."""
    sys.path.insert(0, os.path.abspath("code"))
    spec = importlib.util.find_spec(MAIN)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules[MAIN] = sys.modules["__main__"] = module
    spec.loader.exec_module(module)


def run() -> "tuple[bool, object]":
    """What the calls answer, in their order, or what the first that failed raised."""
    try:
        prepare()
        with open("calls.pickle", "rb") as file:
            function, calls = pickle.load(file)
        answers = [function(*args, **kwargs) for args, kwargs in calls]
        return True, pickle.dumps(answers, protocol=4)
    except Exception as error:
        traceback.print_exc()
        told: "dict[str, object]" = {
            "type": type(error).__name__,
            "text": str(error),
            "traceback": traceback.format_exc(),
            "exception": None,
        }
        try:
            told["exception"] = pickle.dumps(error, protocol=4)
        except Exception:
            # It is told in words.
            pass
        return False, told


def main() -> None:
    is_well, answer = run()
    with open("answer.pickle", "wb") as file:
        pickle.dump((is_well, answer), file, protocol=4)
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
