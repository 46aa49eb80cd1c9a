"""Parsing from many threads at once."""

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.syntax import parse

NESTED = "x = " + "[" * 40 + "1" + "]" * 40 + "\n" + "def f(a):\n    return {a: [a, (a, lambda b: b)]}\n" * 50


def test_threads_do_not_disturb_each_other():
    gc.set_threshold(1)  # switches threads inside the parser as often as can be
    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(len(tree.body) == 51 for tree in threads.map(parse, [NESTED] * 200))
    finally:
        gc.set_threshold(700, 10, 10)


def test_broken_source_is_a_syntax_error():
    with pytest.raises(SyntaxError):
        parse("def f(:")
