"""Parsing from many threads at once."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.syntax import parse

NESTED = "x = " + "[" * 40 + "1" + "]" * 40 + "\n" + "def f(a):\n    return {a: [a, (a, lambda b: b)]}\n" * 50


@pytest.fixture
def collections_that_yield():
    """Garbage collections in the midst of a parse that let another thread go on, as a finaliser may."""

    def let_others_run(phase, _info):
        if phase == "start":
            time.sleep(0.001)

    usual = gc.get_threshold()
    gc.callbacks.append(let_others_run)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*usual)
    gc.callbacks.remove(let_others_run)


def test_threads_do_not_disturb_each_other(collections_that_yield):
    with ThreadPoolExecutor(4) as threads:
        assert all(len(tree.body) == 51 for tree in threads.map(parse, [NESTED] * 20))


def test_broken_source_is_a_syntax_error():
    with pytest.raises(SyntaxError):
        parse("def f(:")
