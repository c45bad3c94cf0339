"""What a master with a peer does for this package; `MUTIRAO_DISCOVERY_PORT` says where one answers."""

from __future__ import annotations

import os
import tempfile
import unittest
from concurrent.futures import as_completed
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import sleep

import mutirao

SCRIPT = """
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
print(sum(int(row["n"]) for row in rows))
with open("output.csv", "w", newline="") as file:
    table = csv.DictWriter(file, ["n", "twice"])
    table.writeheader()
    table.writerows({"n": row["n"], "twice": 2 * int(row["n"])} for row in rows)
"""


@dataclass
class Point:
    x: int
    y: int


class Odd(Exception):
    """Cannot be made again of its text alone."""

    def __init__(self, what: str, more: str) -> None:
        super().__init__(what)


def square(number: int) -> int:
    return number * number


def point(x: int, *, y: int) -> Point:
    print("made at the peer")
    return Point(x, y)


def refuse(number: int) -> int:
    raise ValueError(f"no {number}")


def refuse_oddly() -> None:
    raise Odd("what", "more")


def end(code: int) -> None:
    os._exit(code)


def sleep_long() -> None:
    sleep(600)


def read_beside() -> str:
    return Path("beside.txt").read_text()


class AgainstMaster(unittest.TestCase):
    executor: mutirao.Executor

    @classmethod
    def setUpClass(cls) -> None:
        cls.executor = mutirao.Executor(retries=0)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.executor.shutdown()

    def test_a_function_answers_with_a_value_of_an_own_class(self) -> None:
        future = self.executor.submit(point, 1, y=2)
        self.assertEqual(future.result(), Point(1, 2))
        self.assertEqual(future.stdout(), "made at the peer\n")

    def test_a_map_answers_in_the_order_of_its_rows(self) -> None:
        self.assertEqual(list(self.executor.map(square, range(7), chunksize=3)), [0, 1, 4, 9, 16, 25, 36])
        self.assertEqual(list(self.executor.map(pow, [2, 3], [3, 2])), [8, 9])

    def test_rows_without_end_are_handed_in_as_their_answers_are_read(self) -> None:
        answers = self.executor.map(square, count(), buffersize=2)
        self.assertEqual([next(answers) for _ in range(4)], [0, 1, 4, 9])

    def test_what_a_function_raises_is_raised_with_where_that_was(self) -> None:
        with self.assertRaisesRegex(ValueError, "no 3") as caught:
            self.executor.submit(refuse, 3).result()
        self.assertIsInstance(caught.exception.__cause__, mutirao.RemoteTraceback)
        self.assertIn("in refuse", str(caught.exception.__cause__))
        with self.assertRaisesRegex(mutirao.RemoteError, "Odd: what"):
            self.executor.submit(refuse_oddly).result()

    def test_a_task_that_cannot_answer_fails_with_the_reason_of_the_master(self) -> None:
        with self.assertRaises(mutirao.TaskFailed) as caught:
            self.executor.submit(end, 7).result()
        self.assertIn("exit code 7", caught.exception.reason)

    def test_a_task_that_runs_is_taken_back(self) -> None:
        future = self.executor.submit(sleep_long)
        while not future.running():
            sleep(0.05)
        self.assertTrue(future.cancel())
        self.assertTrue(future.cancelled())

    def test_files_go_along(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "beside.txt")
            path.write_text("here")
            with mutirao.Executor(files=[path]) as executor:
                self.assertEqual(executor.submit(read_beside).result(), "here")

    def test_a_script_runs_for_rows_and_for_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script, table = Path(folder, "sum.py"), Path(folder, "rows.csv")
            script.write_text(SCRIPT)
            table.write_text("n\n40\n2\n")
            result = self.executor.submit(script, table).result()
            self.assertEqual(result.stdout, "42\n")
            self.assertEqual(result.report["ending"], {"exit": 0})
            rows = [{"n": number} for number in range(5)]
            results = list(self.executor.map(script, rows, chunksize=2))
            self.assertEqual([result.stdout for result in results], ["1\n", "5\n", "4\n"])
            self.assertEqual(results[2].rows(), [{"n": "4", "twice": "8"}])
            unpacked = result.save(Path(folder, "unpacked"))
            self.assertTrue((unpacked / "output.csv").is_file())

    def test_what_can_be_no_task_is_refused_in_words(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "no.zip")
            path.write_bytes(b"no ZIP")
            with self.assertRaisesRegex(mutirao.Refused, "ZIP"):
                self.executor.submit(path)

    def test_futures_are_those_of_python(self) -> None:
        futures = [self.executor.submit(square, number) for number in range(3)]
        self.assertEqual({future.result() for future in as_completed(futures)}, {0, 1, 4})

    def test_an_executor_that_was_shut_down_takes_nothing(self) -> None:
        with mutirao.Executor() as executor:
            future = executor.submit(square, 5)
        self.assertEqual(future.result(timeout=0), 25)
        with self.assertRaises(RuntimeError):
            executor.submit(square, 5)

    def test_the_executor_that_all_share_is_found_by_itself(self) -> None:
        self.assertEqual(mutirao.submit(square, 6).result(), 36)
        self.assertEqual(list(mutirao.map(square, [7])), [49])


class WithoutMaster(unittest.TestCase):
    def test_one_that_does_not_answer_is_told_with_what_to_do(self) -> None:
        with self.assertRaisesRegex(mutirao.NoMaster, "127.0.0.1:1 does not answer"):
            mutirao.Executor("127.0.0.1:1")


if __name__ == "__main__":
    unittest.main()
