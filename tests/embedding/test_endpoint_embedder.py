"""Embeddings of an OpenAI-compatible server: asked once, in batches, in order, and no text fails the others."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tasks.embedding.choice import embedder_of
from tasks.embedding.embedder import TextEmbedder
from tasks.errors import BadInput, TeacherMisconfigured, TeacherUnavailable
from tasks.run import Purpose
from tasks.settings import Budget, Embedder, Endpoint, Prices, Teachers
from tasks.teachers.cache import open_cache
from tasks.teachers.clients import close_clients
from tasks.teachers.usage import sum_up
from tests.embedding.embedding_server import WIDTH, embedding_server, good, vector

KEY = "canary-key-91ac"
TEXTS = [f"Write a function number {n} of its kind." for n in range(20)]
ROUNDING = 1e-3
PURPOSE = Purpose(run="r", stage="embeddings")


@pytest.fixture(autouse=True)
def _no_client_outlives_its_server():
    yield
    close_clients()


def answers(folder: Path) -> str:
    return str(folder / "answers.sqlite")


def connect(url: str, folder: Path, purpose: Purpose = PURPOSE, **options: object) -> TextEmbedder:
    ours = {name: options.pop(name) for name in ("dimensions", "batch_size") if name in options}
    endpoint = Endpoint(base_url=url, model="m", **{"timeout_s": 5, "retries": 2, **options})
    settings = Embedder(kind="endpoint", **{"batch_size": 8, **ours})
    return embedder_of(settings, Teachers(embedder=endpoint), answers(folder), purpose)


def expected(texts: list[str], width: int = WIDTH) -> np.ndarray:
    matrix = np.stack([vector(text, width) for text in texts])
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def asked(server, probe: bool = False) -> list[str]:
    """All texts that a server was asked for; without the one by which its dimensions are learnt, unless wanted."""
    texts = [text for batch in server.asked for text in batch]
    return texts if probe else [text for text in texts if "adds two numbers" not in text]


def test_vectors_are_the_servers_normalised_and_in_the_order_of_the_texts(tmp_path):
    with embedding_server() as server:
        matrix = connect(server.url, tmp_path).embed(TEXTS)
    assert matrix.dtype == np.float32
    assert matrix.shape == (20, WIDTH)
    np.testing.assert_allclose(matrix, expected(TEXTS), atol=ROUNDING)
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)


def test_a_request_carries_a_batch_of_texts_and_names_the_model(tmp_path):
    with embedding_server() as server:
        connect(server.url, tmp_path).embed(TEXTS)
    assert sorted(map(len, server.asked)) == [1, 4, 8, 8]
    assert {body["model"] for body in server.bodies} == {"m"}
    assert all(set(body) == {"model", "input"} for body in server.bodies)


@pytest.mark.parametrize("order", ["reversed", "no index"])
def test_vectors_are_told_apart_by_their_index_or_else_by_their_place(tmp_path, order):
    def behave(body, visit):
        reply = good(body)
        reply["data"].reverse() if order == "reversed" else [one.pop("index") for one in reply["data"]]
        return 200, reply

    with embedding_server(behave) as server:
        matrix = connect(server.url, tmp_path).embed(TEXTS)
    np.testing.assert_allclose(matrix, expected(TEXTS), atol=ROUNDING)


def test_base64_is_read_as_well(tmp_path):
    with embedding_server() as server:
        matrix = connect(server.url, tmp_path, extra_body='{"encoding_format": "base64"}').embed(TEXTS)
    assert {body["encoding_format"] for body in server.bodies} == {"base64"}
    np.testing.assert_allclose(matrix, expected(TEXTS), atol=ROUNDING)


def test_a_second_run_asks_for_nothing_and_has_the_same_vectors_to_the_last_bit(tmp_path):
    with embedding_server() as server:
        first = connect(server.url, tmp_path).embed(TEXTS)
        before = len(server.asked)
        again = connect(server.url, tmp_path).embed(TEXTS)
        assert len(server.asked) == before
    close_clients()
    # Not even the server is needed.
    gone = connect(server.url, tmp_path).embed(TEXTS)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, gone)


def test_of_changed_texts_only_these_are_asked_for_however_they_are_batched(tmp_path):
    changed = ["An entirely new text.", *TEXTS[:7], "Another.", *TEXTS[7:]]
    with embedding_server() as server:
        connect(server.url, tmp_path).embed(TEXTS)
        server.asked.clear()
        matrix = connect(server.url, tmp_path, batch_size=3).embed(changed)
    assert server.asked == [["An entirely new text.", "Another."]]
    np.testing.assert_allclose(matrix, expected(changed), atol=ROUNDING)


@pytest.mark.parametrize("change", [{"model": "other"}, {"dimensions": 8}, {"extra_body": '{"user": "me"}'}])
def test_what_changes_vectors_has_them_asked_for_anew(tmp_path, change):
    with embedding_server() as server:
        connect(server.url, tmp_path).embed(TEXTS)
        server.asked.clear()
        if "model" in change:
            teachers = Teachers(embedder=Endpoint(base_url=server.url, **change))
            embedder_of(Embedder(kind="endpoint"), teachers, answers(tmp_path), Purpose()).embed(TEXTS)
        else:
            connect(server.url, tmp_path, **change).embed(TEXTS)
    assert sorted(asked(server)) == sorted(TEXTS)


def test_equal_texts_are_asked_for_once(tmp_path):
    with embedding_server() as server:
        matrix = connect(server.url, tmp_path).embed(["twice", "once", "twice"])
    assert sorted(asked(server)) == ["once", "twice"]
    np.testing.assert_array_equal(matrix[0], matrix[2])


def test_blank_texts_have_rows_of_zeros_and_are_not_asked_for(tmp_path):
    with embedding_server() as server:
        matrix = connect(server.url, tmp_path).embed(["", "a", " \n\t", "b"])
    assert sorted(asked(server)) == ["a", "b"]
    assert not matrix[[0, 2]].any()
    np.testing.assert_allclose(matrix[[1, 3]], expected(["a", "b"]), atol=ROUNDING)


def test_no_texts_have_no_rows(tmp_path):
    with embedding_server() as server:
        assert connect(server.url, tmp_path).embed([]).shape == (0, WIDTH)


def test_any_text_arrives_as_it_is_but_for_half_an_emoji(tmp_path):
    texts = ["größer als 日本語 🎉", "a\x00b\u2028c", 'quote " and \\', "cut off \ud83d"]
    with embedding_server() as server:
        matrix = connect(server.url, tmp_path).embed(texts)
    assert sorted(asked(server)) == sorted([*texts[:3], "cut off ?"])
    assert np.linalg.norm(matrix, axis=1) == pytest.approx(1)


@pytest.mark.parametrize("obeys", [True, False])
def test_dimensions_are_asked_for_and_longer_vectors_are_cut(tmp_path, obeys):
    def behave(body, visit):
        return None if obeys else (200, good({**body, "dimensions": WIDTH}))

    with embedding_server(behave) as server:
        embedder = connect(server.url, tmp_path, dimensions=8)
        matrix = embedder.embed(TEXTS)
    assert {body["dimensions"] for body in server.bodies} == {8}
    assert (embedder.name, embedder.dimensions) == ("m-8", 8)
    cut = np.stack([vector(text, 8 if obeys else WIDTH)[:8] for text in TEXTS])
    np.testing.assert_allclose(matrix, cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=ROUNDING)


def test_the_name_needs_no_server(tmp_path):
    assert connect("http://127.0.0.1:9/v1", tmp_path).name == "m"


def shortened(body, reply):
    reply["data"].pop()


def lengthened(body, reply):
    reply["data"].append({"index": len(reply["data"]), "embedding": [1.0] * WIDTH})


def renumbered(body, reply):
    reply["data"][-1]["index"] = 0


def narrowed(body, reply):
    for one in reply["data"]:
        one["embedding"] = one["embedding"][:-1]


def ragged(body, reply):
    reply["data"][0]["embedding"].append(1.0)


def infinite(body, reply):
    reply["data"][0]["embedding"][0] = float("nan")


def nulled(body, reply):
    reply["data"][0]["embedding"] = None


def worded(body, reply):
    reply["data"][0]["embedding"] = ["a"] * WIDTH


def nested(body, reply):
    reply["data"][0]["embedding"] = [reply["data"][0]["embedding"]]


MALFORMED = [shortened, lengthened, renumbered, narrowed, ragged, infinite, nulled, worded, nested]


@pytest.mark.parametrize("spoil", MALFORMED)
def test_a_malformed_answer_is_asked_for_again(tmp_path, spoil):
    def behave(body, visit):
        reply = good(body)
        if visit == 1:  # the first request after that for the dimensions
            spoil(body, reply)
        return 200, reply

    with embedding_server(behave) as server:
        matrix = connect(server.url, tmp_path).embed(TEXTS[:8])
    assert server.asked[1:] == [TEXTS[:8], TEXTS[:8]]
    np.testing.assert_allclose(matrix, expected(TEXTS[:8]), atol=ROUNDING)


@pytest.mark.parametrize("fault", [(429, b"slow down"), (500, b"oops"), (503, b""), (200, b"<html>"), (200, [1])])
def test_a_passing_fault_is_retried(tmp_path, fault):
    with embedding_server(lambda body, visit: fault if visit in (0, 1, 3) else None) as server:
        matrix = connect(server.url, tmp_path).embed(TEXTS)
    np.testing.assert_allclose(matrix, expected(TEXTS), atol=ROUNDING)
    assert len(server.asked) == 4 + 3


def test_a_dead_server_is_an_error_that_a_later_run_may_not_have(tmp_path):
    with embedding_server() as server:
        connect(server.url, tmp_path).embed(TEXTS[:8])
    close_clients()
    with pytest.raises(TeacherUnavailable, match="run again"):
        connect(server.url, tmp_path, retries=1).embed(TEXTS)


def test_a_server_that_turns_malformed_stops_the_shard_instead_of_emptying_its_rows(tmp_path):
    def behave(body, visit):
        return None if visit == 0 else (200, {"data": []})

    with embedding_server(behave) as server, pytest.raises(TeacherUnavailable, match="0 vectors"):
        connect(server.url, tmp_path, retries=0).embed(TEXTS)
    assert len(server.asked) < 10


def test_another_model_behind_the_same_name_is_noticed(tmp_path):
    with embedding_server() as server:
        connect(server.url, tmp_path).embed(TEXTS[:4])
    close_clients()
    with (
        embedding_server(lambda body, visit: (200, good({**body, "dimensions": 24}))) as server,
        pytest.raises(TeacherUnavailable, match="24 dimensions where 16 were expected"),
    ):
        connect(server.url, tmp_path, retries=0).embed(TEXTS)


@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_text_that_is_too_long_is_embedded_by_its_beginning_and_the_others_whole(tmp_path, status, caplog):
    long = "A very long text. " * 100

    def behave(body, visit):
        if any(len(text) > 1000 for text in body["input"]):
            return status, {"error": {"message": "maximum context length is 512 tokens"}}
        return None

    texts = [*TEXTS[:10], long, *TEXTS[10:]]
    with embedding_server(behave) as server, caplog.at_level(logging.WARNING):
        embedder = connect(server.url, tmp_path, retries=0)
        matrix = embedder.embed(texts)
        server.asked.clear()
        again = connect(server.url, tmp_path).embed(texts)
    assert server.asked == []
    np.testing.assert_array_equal(matrix, again)
    np.testing.assert_allclose(matrix, expected([*TEXTS[:10], long[:900], *TEXTS[10:]]), atol=ROUNDING)
    assert "1 texts were too long" in caplog.text


def test_texts_that_are_cut_to_the_same_beginning_all_have_its_vector(tmp_path):
    beginning = "The same long preamble. " * 40

    def behave(body, visit):
        return (413, b"too long") if any(len(text) > 1000 for text in body["input"]) else None

    texts = [beginning + "a" * len(beginning), beginning + "b" * len(beginning), beginning]
    with embedding_server(behave) as server:
        matrix = connect(server.url, tmp_path).embed(texts)
        again = connect(server.url, tmp_path).embed(texts)
    np.testing.assert_allclose(matrix, expected([beginning] * 3), atol=ROUNDING)
    np.testing.assert_array_equal(matrix, again)


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_text_that_is_refused_has_a_row_of_zeros_and_fails_no_other(tmp_path, status, caplog):
    def behave(body, visit):
        if "poison" in "".join(body["input"]):
            return status, {"error": {"message": "content policy"}}
        return None

    texts = [*TEXTS[:10], "a poison text", *TEXTS[10:], "poison, too"]
    with embedding_server(behave) as server, caplog.at_level(logging.WARNING):
        matrix = connect(server.url, tmp_path, retries=0).embed(texts)
    bad = [10, 21]
    assert not matrix[bad].any()
    np.testing.assert_allclose(np.delete(matrix, bad, axis=0), expected(TEXTS), atol=ROUNDING)
    assert "no vector" in caplog.text


def test_a_model_that_makes_no_embeddings_is_told_at_once(tmp_path):
    refused = 400, {"error": {"message": "model m does not support embeddings"}}
    with embedding_server(lambda body, visit: refused) as server:
        with pytest.raises(BadInput, match="does not support embeddings") as caught:
            connect(server.url, tmp_path).embed(TEXTS)
        assert len(server.asked) == 1
    assert "teachers.embedder.model" in str(caught.value)


def test_a_key_is_sent_and_shows_nowhere_even_where_the_server_echoes_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("EMBEDDER_KEY", KEY)

    def behave(body, visit):
        if visit == 1:
            return 500, f"bad key {KEY}".encode()
        if "poison" in "".join(body["input"]):
            return 400, {"error": {"message": f"refused for {KEY}"}}
        return None

    with embedding_server(behave) as server, caplog.at_level(logging.DEBUG):
        connect(server.url, tmp_path, api_key_env="EMBEDDER_KEY").embed([*TEXTS, "poison"])
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    assert KEY not in caplog.text
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_refused_or_missing_key_says_where_it_should_be(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDER_KEY", KEY)
    with embedding_server(lambda body, visit: (401, {"error": f"bad key {KEY}"})) as server:
        with pytest.raises(TeacherMisconfigured, match="EMBEDDER_KEY") as caught:
            connect(server.url, tmp_path, api_key_env="EMBEDDER_KEY").embed(TEXTS)
        assert KEY not in str(caught.value)
        with pytest.raises(BadInput, match="NO_SUCH_KEY"):
            connect(server.url, tmp_path, api_key_env="NO_SUCH_KEY").embed(TEXTS)


def test_tokens_and_cost_are_booked_once_on_the_account(tmp_path):
    prices = Prices(input=1.0, output=0)
    with embedding_server() as server:
        for _ in range(2):
            connect(server.url, tmp_path, prices=prices).embed(TEXTS)
    (row,) = sum_up(open_cache(answers(tmp_path)).uses("r")).rows
    assert (row.stage, row.calls, row.prompt_tokens, row.completion_tokens) == ("embeddings", 4, 2 * 21, 0)
    assert row.usd == pytest.approx(42e-6)


def test_where_the_server_counts_no_tokens_they_are_estimated(tmp_path):
    with embedding_server(lambda body, visit: (200, {**good(body), "usage": None})) as server:
        connect(server.url, tmp_path).embed(TEXTS)
    (row,) = sum_up(open_cache(answers(tmp_path)).uses("r")).rows
    assert row.estimated == row.calls == 4
    assert row.tokens > len(TEXTS)


def test_a_budget_holds_and_with_a_higher_one_only_the_rest_is_asked_for(tmp_path):
    def purpose(tokens: int) -> Purpose:
        return Purpose(run="r", stage="embeddings", budget=Budget(tokens=tokens))

    with embedding_server() as server:
        with pytest.raises(BadInput, match="budget of 70 tokens"):
            connect(server.url, tmp_path, purpose(70), batch_size=1).embed(TEXTS)
        had = asked(server)
        assert 0 < len(had) < len(TEXTS)
        assert open_cache(answers(tmp_path)).spent("r")[0] <= 70
        matrix = connect(server.url, tmp_path, purpose(100_000)).embed(TEXTS)
    assert sorted(asked(server)) == sorted(TEXTS)
    np.testing.assert_allclose(matrix, expected(TEXTS), atol=ROUNDING)


def test_the_file_of_answers_may_be_of_before_there_were_vectors(tmp_path):
    cache = open_cache(answers(tmp_path))
    cache._connection().execute("DROP TABLE vectors")
    with embedding_server() as server:
        matrix = connect(server.url, tmp_path).embed(TEXTS)
    np.testing.assert_allclose(matrix, expected(TEXTS), atol=ROUNDING)


def test_the_key_tells_what_decides_a_vector_without_a_server(tmp_path):
    url = "http://127.0.0.1:9/v1"
    keys = [
        connect(url, tmp_path, **options).key
        for options in ({}, {"dimensions": 8}, {"extra_body": '{"task": "code"}'}, {"extra_body": '{"task": "text"}'})
    ]
    assert len(set(keys)) == 4
    same = connect("http://127.0.0.1:10/v1", tmp_path / "elsewhere", batch_size=3, timeout_s=9)
    assert same.key == keys[0]
