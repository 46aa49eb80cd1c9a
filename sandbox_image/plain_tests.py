"""Tests without pytest: functions and methods, parametrized at most, called one after another.

A case costs half of what it costs under pytest.
"""

from __future__ import annotations

import linecache
import os
import sys
import time
import types
import unittest
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet
from _pytest.python import IdMaker

from sandbox_image.asserts import compile_asserts, explain_in
from sandbox_image.recorder import TEST_PATH, Recorder, what_failed

STOPPED = 71


class _NotPlain(Exception):
    """The tests need pytest after all."""


_NEEDS_PYTEST = (
    _NotPlain,
    KeyboardInterrupt,
    GeneratorExit,
    unittest.SkipTest,
    pytest.skip.Exception,
    pytest.xfail.Exception,
    pytest.exit.Exception,
)


def run_plain(recorder: Recorder, config: pytest.Config, test: str, expected: list[str], first_failure: bool) -> int:
    """Run tests that use nothing of pytest but its helpers.

    Where something happens that means more to pytest than passed or failed, it gives up, and the host runs the tests
    again under pytest.

    Args:
        first_failure: whether to stop at the first test that fails.

    Returns:
        pytest's exit status for the same.
    """
    module = types.ModuleType("test_solution")
    module.__file__ = TEST_PATH
    sys.modules["test_solution"] = module
    explain_in(module.__dict__)
    linecache.cache[TEST_PATH] = (len(test), None, test.splitlines(keepends=True), TEST_PATH)
    failed = False
    try:
        try:
            exec(compile_asserts(test, TEST_PATH), module.__dict__)
        except BaseException as error:
            if isinstance(error, _NEEDS_PYTEST) or not isinstance(error, Exception):
                raise _NotPlain(f"{type(error).__name__} from the tests' own lines") from error
            recorder.send({"collect_error": what_failed(error)})
            return int(pytest.ExitCode.INTERRUPTED)
        tests = [instance for test_id in expected for instance in _instances(module, test_id, config)]
        recorder.order(tests)
        recorder.send({"collected": [test_id for test_id, _ in tests]})
        for test_id, call in tests:
            found: BaseException | None = None
            started = time.perf_counter()
            try:
                call()
            except _NEEDS_PYTEST:
                raise
            except BaseException as error:
                found = error
                failed = True
            recorder.ran(test_id, time.perf_counter() - started, found)
            if found and first_failure:
                break
    except _NEEDS_PYTEST as error:
        recorder.send({"stopped": "plain", "why": repr(error)[:300]})
        os._exit(STOPPED)
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


def _instances(module: types.ModuleType, test_id: str, config: pytest.Config) -> list[tuple[str, Callable[[], object]]]:
    """What to call for a test, with pytest's id for it: one thing, or one for each set of its parameters.

    Raises:
        _NotPlain: it is no plain function or method by now.
    """
    owner, _, name = test_id.rpartition("::")
    make: list[Callable[[], object]] = []
    found: Any = getattr(module, name, None)
    if owner:
        kind: Any = getattr(module, owner, None)
        if type(kind) is not type:
            raise _NotPlain(f"{owner} is no plain class")
        make, found = [kind], vars(kind).get(name)
    if type(found) is not types.FunctionType or found.__module__ != module.__name__:
        raise _NotPlain(f"{test_id} is no plain function")

    def call(keywords: dict[str, Any]) -> object:
        return found(*(new() for new in make), **keywords)

    if not (marks := getattr(found, "pytestmark", [])):
        return [(test_id, partial(call, {}))]
    if len(marks) != 1 or marks[0].name != "parametrize" or marks[0].kwargs:
        raise _NotPlain(f"{test_id} has marks")
    names, sets = ParameterSet._for_parametrize(marks[0].args[0], marks[0].args[1], found, config, test_id)
    if any(one.marks for one in sets):
        raise _NotPlain(f"{test_id} has marked parameters")
    ids = IdMaker(names, sets, None, None, config, nodeid=test_id).make_unique_parameterset_ids()
    return [
        (f"{test_id}[{id_}]", partial(call, dict(zip(names, one.values, strict=True))))
        for id_, one in zip(ids, sets, strict=True)
    ]
