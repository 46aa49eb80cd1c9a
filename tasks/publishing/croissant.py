"""``croissant.json``: what the release holds, for machines (Croissant 1.1 and its RAI vocabulary 1.0, MLCommons)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tasks.publishing.folder import Manifest

FILE = "croissant.json"
_OWN = (
    "arrayShape citeAs column containedIn equivalentProperty extract field fileObject fileProperty fileSet format "
    "includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
    "samplingRate separator source subField transform"
)
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{name: f"cr:{name}" for name in _OWN.split()},
}
_PARQUET = "application/x-parquet"
_TYPES = {
    pa.string(): "sc:Text",
    pa.int64(): "sc:Integer",
    pa.int32(): "sc:Integer",
    pa.float64(): "sc:Float",
    pa.float32(): "sc:Float",
    pa.bool_(): "sc:Boolean",
}


def croissant(
    manifest: Manifest,
    schemas: Mapping[str, pa.Schema],
    sizes: Mapping[str, int],
    about: Mapping[str, object],
) -> str:
    """The metadata as JSON-LD.

    Each file is a FileObject with its SHA-256, each split of a configuration a FileSet over its files, and each
    configuration a RecordSet with a field per column and one for the split. Of nested columns the first level below is
    described; what lies deeper has no type that a loader could make of it.

    Args:
        schemas: columns by configuration.
        sizes: bytes of the files, by their paths.
        about: properties of the data set itself: name, description, license, creator and so on.
    """
    files = [_file(name, manifest.sha256[name], sizes[name]) for table in manifest.tables for name in table.files]
    configs = dict.fromkeys(table.config for table in manifest.tables)
    return json.dumps(
        {
            "@context": _CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
            **about,
            "version": manifest.version,
            "datePublished": manifest.date,
            "isLiveDataset": False,
            "distribution": files + [_file_set(config) for config in configs],
            "recordSet": [
                {
                    "@type": "cr:RecordSet",
                    "@id": "splits",
                    "name": "splits",
                    "dataType": "cr:Split",
                    "key": {"@id": "splits/name"},
                }
                | {"field": [_plain("splits/name", "sc:Text")], "data": _splits(manifest)},
                *(_records(config, schemas[config]) for config in configs),
            ],
        },
        indent=1,
        ensure_ascii=False,
    )


def _splits(manifest: Manifest) -> list[dict[str, str]]:
    return [{"splits/name": split} for split in dict.fromkeys(table.split for table in manifest.tables)]


def _file(name: str, sha256: str, size: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name.rpartition("/")[2],
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": _PARQUET,
        "sha256": sha256,
    }


def _file_set(config: str) -> dict[str, Any]:
    folder = folder_of(config)
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}-files",
        "name": f"{config}-files",
        "encodingFormat": _PARQUET,
        "includes": f"{folder}/*.parquet",
    }


def folder_of(config: str) -> str:
    """The folder of a release that holds the files of a configuration."""
    return "data" if config == "default" else config


def _records(config: str, schema: pa.Schema) -> dict[str, Any]:
    split = _plain(f"{config}/split", "sc:Text")
    split["source"] = {"fileSet": {"@id": f"{config}-files"}, "extract": {"fileProperty": "filename"}}
    # Readers that join what is referenced apply it twice, so that it must leave a bare split as it is.
    split["source"]["transform"] = {"regex": r"^(.+?)(?:-\d{5}-of-\d{5}\.parquet)?$"}
    split["references"] = {"field": {"@id": "splits/name"}}
    fields = [found for one in schema if one.name != "split" and (found := _field(config, one)) is not None]
    return {"@type": "cr:RecordSet", "@id": config, "name": config, "field": [split, *fields]}


def _plain(name: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name.rpartition("/")[2], "dataType": kind}


def _field(config: str, column: pa.Field[Any]) -> dict[str, Any] | None:
    """A column; None where nothing in it has a type of Croissant's."""
    name, kind, repeated = f"{config}/{column.name}", column.type, False
    if pa.types.is_list(kind):
        kind, repeated = kind.value_type, True
    array = {"isArray": True, "arrayShape": "-1"} if repeated else {}
    source = {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": column.name}}
    if kind in _TYPES:
        return {**_plain(name, _TYPES[kind]), **array, "source": source}
    if not pa.types.is_struct(kind):
        return None
    parts = []
    for part in kind:
        if part.type in _TYPES:
            inner = {**source, "transform": {"jsonPath": part.name}}
            parts.append({**_plain(f"{name}/{part.name}", _TYPES[part.type]), "source": inner})
    if not parts:
        return None
    return {"@type": "cr:Field", "@id": name, "name": column.name, **array, "subField": parts}


def responsible_ai(limitations: Sequence[str], content: str) -> dict[str, object]:
    """The properties of the RAI vocabulary that apply to a synthetic data set of code."""
    return {
        "rai:dataCollection": "Questions, solutions and tests were written by language models from seeds that "
        "lineage.sources names; solutions were run against the tests in a sandbox, and kept where they pass.",
        "rai:dataCollectionType": ["Others"],
        "rai:dataAnnotationProtocol": "Labels are computed: difficulty from pass rates, tests' quality by running "
        "them, topics from words. No person annotated.",
        "rai:dataPreprocessingProtocol": "Duplicates and rows that overlap benchmarks are removed or set apart.",
        "rai:dataUseCases": "Supervised fine-tuning, preference and reinforcement learning with verifiable rewards, "
        "and evaluation of models that write Python.",
        "rai:dataLimitations": list(limitations),
        "rai:dataBiases": "Python only, questions in English, and the habits of the models that wrote them.",
        "rai:personalSensitiveInformation": content,
        "rai:dataReleaseMaintenancePlan": "Versions follow Croissant's rules; CHANGELOG.md tells what changed.",
    }
