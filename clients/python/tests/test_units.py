"""What needs no master."""

from __future__ import annotations

import datetime
import functools
import io
import json
import os
import pickle
import subprocess
import sys
import threading
import unittest
import zipfile
from concurrent.futures import CancelledError, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from mutirao import Executor, NoMaster, Refused, RemoteError, TaskCancelled, TaskFuture, Untrusted
from mutirao import _code, _find, _pack, _values
from mutirao._default import _Shared
from mutirao._executor import _take_back


@dataclass
class Point:
    x: int


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("echo harm",)


def double(number: int) -> int:
    return 2 * number


def announce(**said: object) -> bytes:
    usual = {"action": "MASTER_ANNOUNCE", "master_ip": "10.0.0.1", "master_port": 50020, "master_id": "b", "epoch": 1}
    return json.dumps({**usual, **said}).encode()


class Discovery(unittest.TestCase):
    def test_the_announced_address_goes_before_that_of_the_answer(self) -> None:
        heard: dict[str, _find.Master] = {}
        self.assertTrue(_find.hear(heard, announce(), "10.0.0.2"))
        self.assertEqual(heard["b"].addresses, [("10.0.0.1", 50020), ("10.0.0.2", 50020)])

    def test_a_loopback_announced_from_elsewhere_is_tried_last(self) -> None:
        heard: dict[str, _find.Master] = {}
        _find.hear(heard, announce(master_ip="127.0.0.1"), "10.0.0.2")
        self.assertEqual(heard["b"].addresses[0], ("10.0.0.2", 50020))

    def test_a_later_reign_replaces_what_was_heard(self) -> None:
        heard: dict[str, _find.Master] = {}
        _find.hear(heard, announce(), "10.0.0.1")
        _find.hear(heard, announce(epoch=2, master_port=1), "10.0.0.1")
        _find.hear(heard, announce(epoch=1, master_port=2), "10.0.0.1")
        self.assertEqual(heard["b"].addresses, [("10.0.0.1", 1)])

    def test_what_is_no_master_of_ours_is_passed_over(self) -> None:
        strange = [b"", b"[]", b"{", b"[" * 1400, announce(master_id=None), announce(master_port=0), b" " * 2000]
        for data in strange:
            self.assertFalse(_find.hear({}, data, "10.0.0.1"), data)

    def test_an_address_may_leave_its_port_out(self) -> None:
        self.assertEqual(_find.find("lab", (), None), [("lab", 50020)])
        self.assertEqual(_find.find("lab:7", (), None), [("lab", 7)])
        with self.assertRaises(ValueError):
            _find.find("lab:x", (), None)


class Values(unittest.TestCase):
    def test_plain_values_and_own_classes_are_taken(self) -> None:
        for value in [{1, 2}, (1, [2.5, None]), datetime.date(2026, 1, 2), ValueError("x"), Point(3), b"\0"]:
            read = _values.read(pickle.dumps(value, protocol=4))
            self.assertEqual(repr(read), repr(value))

    def test_what_could_do_harm_is_named_and_not_made(self) -> None:
        harm = pickle.dumps(Evil(), protocol=4)
        with mock.patch("os.system") as system, self.assertRaisesRegex(Untrusted, "system, which is not taken"):
            _values.read(harm)
        system.assert_not_called()
        for name in ["eval", "getattr", "__import__"]:
            with self.assertRaises(Untrusted):
                _values.read(f"cbuiltins\n{name}\n.".encode())
        # A class that a module of ours has from elsewhere.
        with self.assertRaises(Untrusted):
            _values.read(f"c{__name__}\nAny\n.".encode())

    def test_what_is_trusted_by_name_is_taken(self) -> None:
        value = zipfile.ZipInfo("a")
        with self.assertRaisesRegex(Untrusted, r"trust=\['zipfile'\]"):
            _values.read(pickle.dumps(value, protocol=4))
        self.assertEqual(_values.read(pickle.dumps(value, protocol=4), ["zipfile"]).filename, "a")

    def test_bytes_that_are_no_value_are_told(self) -> None:
        for data in [b"", b"no pickle", pickle.dumps("x")[:-2]]:
            with self.assertRaises(Untrusted):
                _values.read(data)


class Packing(unittest.TestCase):
    def names(self, task: bytes) -> set[str]:
        return set(zipfile.ZipFile(io.BytesIO(task)).namelist())

    def test_a_call_travels_with_the_modules_of_the_user(self) -> None:
        names = self.names(_pack.call(double, [((1,), {})], {"data.txt": b"1"}))
        own = f"code/{__name__.replace('.', '/')}.py"
        package = {"code/mutirao/__init__.py", "code/mutirao/_default.py"}
        self.assertLessEqual({"main.py", "calls.pickle", "data.txt", own, *package}, names)
        self.assertFalse([name for name in names if "unittest" in name or "site-packages" in name])

    def test_the_same_call_is_the_same_bytes(self) -> None:
        self.assertEqual(_pack.call(double, [((1,), {})], {}), _pack.call(double, [((1,), {})], {}))

    def test_calls_of_one_code_have_one_script_and_others_another(self) -> None:
        def script(code: dict[str, bytes]) -> bytes:
            with mock.patch.object(_code, "files_for", return_value=code):
                task = _pack.call(double, [((1,), {})], {})
            return zipfile.ZipFile(io.BytesIO(task)).read("main.py")

        one, other = {"a.py": b"bc"}, {"ab.py": b"c"}
        self.assertEqual(script(one), script(dict(one)))
        self.assertNotEqual(script(one), script(other))

    def test_a_module_of_the_package_is_loaded_when_it_is_asked_for(self) -> None:
        looks = "import mutirao, sys; print([name for name in sys.modules if name.startswith('mutirao.')]); mutirao.Result"
        package = str(Path(_pack.__file__).parent.parent)
        said = subprocess.run([sys.executable, "-c", looks], env={"PYTHONPATH": package}, capture_output=True, check=True)
        self.assertEqual(said.stdout, b"[]\n")

    def test_what_cannot_travel_is_told_with_its_name(self) -> None:
        with self.assertRaisesRegex(TypeError, "<lambda> cannot be sent"):
            _pack.call(lambda: 1, [((), {})], {})
        with self.assertRaisesRegex(TypeError, "double cannot be sent with its arguments"):
            _pack.call(double, [((memoryview(b""),), {})], {})

    def test_a_partial_travels(self) -> None:
        function = functools.partial(double, 4)
        self.assertIn("calls.pickle", self.names(_pack.call(function, [((), {})], {})))

    def test_rows_become_a_table_with_the_header_of_the_first(self) -> None:
        self.assertEqual(_pack.table([{"a": 1, "b": "x,y"}, {"b": 2, "a": None}]), b'a,b\n1,"x,y"\n,2\n')
        self.assertEqual(_pack.table([(1, 2), [3, 4]]), b"1,2\n3,4\n")
        with self.assertRaisesRegex(ValueError, "row 1 has the columns"):
            _pack.table([{"a": 1}, {"b": 1}])
        with self.assertRaisesRegex(TypeError, "row 0 is a text"):
            _pack.table(["ab"])

    def test_modules_of_python_are_not_the_users(self) -> None:
        self.assertTrue(_code.is_own(__name__))
        for name in ["os", "json.decoder", "builtins", "mutirao", "nowhere"]:
            self.assertFalse(_code.is_own(name), name)


class Futures(unittest.TestCase):
    def future(self, state: str) -> tuple[TaskFuture[int], mock.Mock]:
        http = mock.Mock()
        http.post.return_value = {"state": state}
        return TaskFuture(http, "id", "a.zip"), http

    def test_one_that_is_taken_back_in_time_is_cancelled_whoever_hears_of_it_first(self) -> None:
        future, http = self.future("cancelled")

        def hear_first(_path: str) -> dict[str, str]:
            future.settle(None, TaskCancelled("id", "a", "asked"))
            return {"state": "cancelled"}

        http.post.side_effect = hear_first
        self.assertTrue(future.cancel())
        self.assertEqual(len(wait([future], timeout=0).done), 1)
        with self.assertRaises(CancelledError):
            future.result()

    def test_one_that_has_ended_cannot_be_taken_back(self) -> None:
        future, _ = self.future("done")
        self.assertFalse(future.cancel())
        future.settle(3, None)
        self.assertEqual(future.result(), 3)
        self.assertFalse(future.cancel())

    def test_one_that_somebody_else_takes_back_says_why(self) -> None:
        future, _ = self.future("cancelled")
        future.settle(None, TaskCancelled("id", "a.zip", "no longer needed"))
        with self.assertRaisesRegex(TaskCancelled, "no longer needed"):
            future.result()

    def test_what_ends_twice_ends_as_it_did_first(self) -> None:
        future, _ = self.future("done")
        future.settle(1, None)
        future.settle(None, RemoteError("late"))
        self.assertEqual(future.result(), 1)


class HandingIn(unittest.TestCase):
    """Executors of a master that is played, and of a watcher that settles nothing by itself."""

    def executor(self) -> tuple[Executor, mock.Mock, mock.Mock]:
        http, watcher = mock.Mock(address=("lab", 1)), mock.Mock()
        watched: list[TaskFuture[Any]] = []
        watcher.watch.side_effect = lambda _task, entry: watched.append(entry.future)
        watcher.open.side_effect = lambda: [future for future in watched if not future.done()]
        with (
            mock.patch("mutirao._executor.connect", return_value=http),
            mock.patch("mutirao._executor.Watcher", return_value=watcher),
        ):
            return Executor("lab:1"), http, watcher

    def test_what_is_on_its_way_while_another_thread_shuts_down_is_taken_back_and_waited_for(self) -> None:
        executor, http, watcher = self.executor()
        stopped = threading.Event()
        watcher.stop.side_effect = stopped.set

        def shut_down_meanwhile(path: str, *_: object) -> dict[str, str]:
            if path.endswith("/cancel"):
                return {"state": "cancelled"}
            executor.shutdown(wait=False, cancel_futures=True)
            return {"task_id": "7", "task_name": "double.zip"}

        http.post.side_effect = shut_down_meanwhile
        future = executor.submit(double, 1)
        self.assertTrue(stopped.wait(60))
        self.assertTrue(future.cancelled())
        done = [call[0] for call in watcher.method_calls]
        self.assertLess(done.index("watch"), done.index("stop"))

    def test_a_task_that_is_refused_keeps_no_shutdown_waiting(self) -> None:
        executor, http, watcher = self.executor()
        http.post.side_effect = Refused(400, "too large")
        with self.assertRaises(Refused):
            executor.submit(double, 1)
        executor.shutdown()
        watcher.stop.assert_called_once_with()

    def test_of_a_map_that_cannot_hand_in_all_the_tasks_before_are_taken_back(self) -> None:
        executor, http, _ = self.executor()
        taken_back: list[str] = []

        def refuse_the_third(path: str, *_: object) -> dict[str, str]:
            if path.endswith("/cancel"):
                taken_back.append(path.split("/")[-2])
                return {"state": "cancelled"}
            number = http.post.call_count
            if number == 3:
                raise Refused(400, "too large")
            return {"task_id": str(number), "task_name": "double.zip"}

        http.post.side_effect = refuse_the_third
        with self.assertRaises(Refused):
            executor.map(double, range(5))
        self.assertEqual(taken_back, ["1", "2"])

    def test_whatever_cannot_be_taken_back_the_others_are_and_it_is_told(self) -> None:
        executor, http, _ = self.executor()
        asked: list[str] = []

        def refuse_the_second(path: str, *_: object) -> dict[str, str]:
            if not path.endswith("/cancel"):
                number = http.post.call_count
                return {"task_id": str(number), "task_name": f"double.{number}.zip"}
            asked.append(path.split("/")[-2])
            if asked[-1] == "2":
                raise Refused(409, "the disk is full")
            return {"state": "cancelled"}

        http.post.side_effect = refuse_the_second
        futures = [executor.submit(double, number) for number in range(3)]
        with self.assertWarnsRegex(RuntimeWarning, "1 task could not .* double.2.zip: the disk is full"):
            _take_back(futures)
        self.assertEqual(asked, ["1", "2", "3"])
        self.assertEqual([future.cancelled() for future in futures], [True, False, True])

    def test_a_master_that_is_gone_is_not_asked_for_each_task(self) -> None:
        executor, http, _ = self.executor()
        http.post.side_effect = [{"task_id": str(number), "task_name": "double.zip"} for number in range(20)]
        futures = [executor.submit(double, number) for number in range(20)]
        http.post.side_effect = NoMaster("gone")
        with self.assertWarnsRegex(RuntimeWarning, "20 tasks could not .*; and 10 more"):
            _take_back(futures)
        self.assertEqual(http.post.call_count, 22)


class Shared(unittest.TestCase):
    def test_the_executor_that_all_share_looks_for_its_master_when_it_is_first_used_and_again_if_there_is_none(self) -> None:
        with mock.patch("mutirao._executor.connect", side_effect=[NoMaster("none"), mock.Mock(address=("lab", 1))]):
            with mock.patch("mutirao._executor.find"):
                shared = _Shared()
                with self.assertRaises(NoMaster):
                    shared.submit(double, 1)
                self.assertEqual(shared.master, "lab:1")
                with self.assertRaises(AttributeError):
                    shared.no_such_thing


if __name__ == "__main__":
    unittest.main()
