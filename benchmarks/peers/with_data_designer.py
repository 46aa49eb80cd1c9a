"""Requests per second of data-designer: ``python with_data_designer.py URL COUNT IN_FLIGHT``.

Measured is `DataDesigner.create` of one LLM text column over COUNT seed rows, from the call to the callback of the last
batch; its set-up of some 30 ms is in it, the profile of the dataset that follows is not. One batch for all rows has no
other batches' ends to wait for, "native" is the cheaper renderer of prompts, and the health check, metrics, the log and
telemetry are off. Its HTTP library asks for sniffio at every request: installed, that is 10 % faster.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import time

os.environ["DATA_DESIGNER_HOME"] = tempfile.mkdtemp()  # new in each run, so that there is nothing to resume
os.environ["NEMO_TELEMETRY_ENABLED"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["SSL_CERT_FILE"] = ""  # up to 16 HTTP clients for each dataset: without TLS they need not each load
os.environ["SSL_CERT_DIR"] = os.environ["DATA_DESIGNER_HOME"]  # the system's certificates, 0.3 s of start-up

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner

FOLDER = os.environ["DATA_DESIGNER_HOME"]
WARM_UP = 20


def question(number: int) -> str:
    """A question of about 200 characters, unlike any other."""
    text = "write a short function for the task of this number, explain how it works in a few sentences, " * 2
    return f"Question number {number}: {text.strip(', ')}."


def column(questions: list[str], in_flight: int) -> dd.DataDesignerConfigBuilder:
    """One column of answers beside the questions."""
    parameters = dd.ChatCompletionInferenceParams(max_tokens=256, max_parallel_requests=in_flight, timeout=600)
    model = dd.ModelConfig(
        alias="m", model="m", provider="endpoint", inference_parameters=parameters, skip_health_check=True
    )
    builder = dd.DataDesignerConfigBuilder(model_configs=[model])
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=pd.DataFrame({"question": questions})))
    builder.add_column(dd.LLMTextColumnConfig(name="answer", model_alias="m", prompt="{{ question }}"))
    return builder


def measure(url: str, count: int, in_flight: int) -> dict[str, float]:
    """Make a dataset for the warm-up, then one of the count."""
    designer = DataDesigner(
        artifact_path=FOLDER,
        model_providers=[dd.ModelProvider(name="endpoint", endpoint=url, provider_type="openai", api_key="none")],
        auto_configure_logging=False,
    )
    designer.set_run_config(
        dd.RunConfig(
            buffer_size=count,
            max_in_flight_tasks=max(1024, 2 * in_flight),
            jinja_rendering_engine=dd.JinjaRenderingEngine.NATIVE,
            otel_metrics_port=None,
        )
    )
    designer.create(column([question(-number) for number in range(1, WARM_UP + 1)], in_flight), num_records=WARM_UP)
    builder = column([question(number) for number in range(count)], in_flight)
    ended: list[float] = []
    began = time.perf_counter()
    dataset = designer.create(
        builder, num_records=count, on_batch_complete=lambda _: ended.append(time.perf_counter())
    ).load_dataset()
    answered = sum(bool(answer) for answer in dataset["answer"])
    return {"requests": count, "answered": answered, "seconds": ended[-1] - began}


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    try:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
    finally:
        shutil.rmtree(FOLDER)
