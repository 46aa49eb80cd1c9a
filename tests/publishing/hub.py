"""A local stand-in of the Hugging Face hub that data sets are pushed to: the part of its HTTP API that pushing needs.

What is refused here the hub refuses as well: an unknown token, a file of an LFS commit that was not uploaded or has
another content, a tag that is taken, a card whose front matter is no YAML.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.sourcing.hub import file_response

TOKEN = "hf_of-a-writer"
LARGE = (".parquet",)


@dataclass
class Repository:
    """``commits``: of each its id and all files, the first one empty. ``tags``: ids of commits."""

    private: bool
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=lambda: [("0" * 40, {})])
    tags: dict[str, str] = field(default_factory=dict)

    def has(self, revision: str) -> bool:
        return revision in {"main", *self.tags, *(oid for oid, _ in self.commits)}

    def at(self, revision: str) -> tuple[str, dict[str, bytes]]:
        if revision == "main":
            return self.commits[-1]
        wanted = self.tags.get(revision, revision)
        return next(commit for commit in self.commits if commit[0] == wanted)


@dataclass
class WritableHub:
    """Data sets by their names; ``fails``: how often a kind of request is answered by 503 before it is served;
    ``loses``: how often so though it was."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    fails: Counter[str] = field(default_factory=Counter)
    loses: Counter[str] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)

    def app(self) -> Starlette:
        api = "/api/datasets/{owner}/{name}"
        return Starlette(
            routes=[
                self._route("/api/whoami-v2", "whoami", self._whoami),
                self._route("/api/repos/create", "create", self._create),
                self._route("/api/validate-yaml", "validate", self._validate),
                self._route(f"{api}/refs", "refs", self._refs),
                self._route(f"{api}/preupload/{{revision}}", "preupload", self._preupload),
                self._route(f"{api}/commit/{{revision}}", "commit", self._commit),
                self._route(f"{api}/tag/{{revision}}", "tag", self._tag),
                self._route(f"{api}/tree/{{revision}}", "tree", self._tree),
                self._route(f"{api}/tree/{{revision}}/{{path:path}}", "tree", self._tree),
                self._route(f"{api}/paths-info/{{revision}}", "paths", self._paths),
                self._route(f"{api}/revision/{{revision}}", "info", self._info),
                self._route(api, "info", self._info),
                self._route("/datasets/{owner}/{name}.git/info/lfs/objects/batch", "batch", self._batch),
                self._route("/lfs/{oid}", "upload", self._upload),
                self._route("/lfs/{oid}/verify", "verify", self._verify),
                self._route("/datasets/{owner}/{name}/resolve/{revision}/{path:path}", "resolve", self._resolve),
            ]
        )

    def _route(self, path: str, kind: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
        async def served(request: Request) -> Response:
            self.asked[kind] += 1
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            self.tokens.add(token)
            if self.fails[kind] > 0:
                self.fails[kind] -= 1
                return JSONResponse({"error": "overloaded"}, 503)
            if token != TOKEN and kind != "upload":
                return JSONResponse({"error": "Invalid credentials in Authorization header"}, 401)
            if "owner" in request.path_params and self._name(request) not in self.repositories:
                return JSONResponse({"error": "no such"}, 404, headers={"X-Error-Code": "RepoNotFound"})
            if "revision" in request.path_params and not self._repository(request).has(request.path_params["revision"]):
                return JSONResponse({"error": "no such"}, 404, headers={"X-Error-Code": "RevisionNotFound"})
            answered = await answer(request)
            if self.loses[kind] > 0:
                self.loses[kind] -= 1
                return JSONResponse({"error": "overloaded"}, 503)
            return answered

        return Route(path, served, methods=["GET", "HEAD", "POST", "PUT"])

    def _name(self, request: Request) -> str:
        return f"{request.path_params['owner']}/{request.path_params['name']}"

    def _repository(self, request: Request) -> Repository:
        return self.repositories[self._name(request)]

    async def _whoami(self, request: Request) -> Response:
        return JSONResponse({"name": "writer", "type": "user"})

    async def _create(self, request: Request) -> Response:
        asked = await request.json()
        assert asked["type"] == "dataset"
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] == "others":
            return JSONResponse({"error": "You don't have the rights to create a dataset there"}, 403)
        url = f"{request.base_url}datasets/{name}"
        if name in self.repositories:
            return JSONResponse({"error": "You already created this dataset repo", "url": url}, 409)
        self.repositories[name] = Repository(asked.get("visibility") == "private" or asked.get("private") is True)
        return JSONResponse({"url": url})

    async def _validate(self, request: Request) -> Response:
        content = (await request.json())["content"]
        try:
            assert isinstance(yaml.safe_load(content.split("---\n")[1]), dict)
        except (yaml.YAMLError, IndexError, AssertionError) as error:
            return JSONResponse({"errors": [{"message": str(error)}], "warnings": []}, 400)
        return JSONResponse({"errors": [], "warnings": []})

    async def _refs(self, request: Request) -> Response:
        repository = self._repository(request)
        tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": id_} for tag, id_ in repository.tags.items()]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.commits[-1][0]}
        return JSONResponse({"branches": [main], "converts": [], "tags": tags})

    async def _preupload(self, request: Request) -> Response:
        _, there = self._repository(request).at(request.path_params["revision"])
        files = []
        for one in (await request.json())["files"]:
            mode = "lfs" if one["path"].endswith(LARGE) else "regular"
            entry = {"path": one["path"], "uploadMode": mode, "shouldIgnore": False}
            if one["path"] in there:
                entry["oid"] = self._oid(one["path"], there[one["path"]])
            files.append(entry)
        return JSONResponse({"files": files})

    @staticmethod
    def _oid(path: str, data: bytes) -> str:
        if path.endswith(LARGE):
            return hashlib.sha256(data).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    async def _batch(self, request: Request) -> Response:
        asked = (await request.json())["objects"]
        found = []
        for one in asked:
            place = f"{request.base_url}lfs/{one['oid']}"
            actions = {"upload": {"href": place}, "verify": {"href": f"{place}/verify"}}
            found.append({**one, **({} if one["oid"] in self.objects else {"actions": actions})})
        return JSONResponse({"transfer": "basic", "objects": found})

    async def _upload(self, request: Request) -> Response:
        data, oid = await request.body(), request.path_params["oid"]
        if hashlib.sha256(data).hexdigest() != oid:
            return JSONResponse({"error": "the content is not what was announced"}, 400)
        self.objects[oid] = data
        return Response()

    async def _verify(self, request: Request) -> Response:
        asked = await request.json()
        whole = len(self.objects.get(asked["oid"], b"")) == asked["size"]
        return Response(status_code=200 if whole else 404)

    async def _commit(self, request: Request) -> Response:
        repository = self._repository(request)
        files = dict(repository.commits[-1][1])
        for line in (await request.body()).splitlines():
            change = json.loads(line)
            value = change["value"]
            match change["key"]:
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    if value["oid"] not in self.objects:
                        return JSONResponse({"error": f"{value['path']} was not uploaded"}, 400)
                    files[value["path"]] = self.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        files.setdefault(".gitattributes", b"*.parquet filter=lfs\n")
        oid = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        repository.commits.append((oid, files))
        url = f"{request.base_url}datasets/{self._name(request)}/commit/{oid}"
        return JSONResponse({"commitOid": oid, "commitUrl": url, "hookOutput": ""})

    async def _tag(self, request: Request) -> Response:
        repository, tag = self._repository(request), (await request.json())["tag"]
        if tag in repository.tags:
            return JSONResponse({"error": "the tag is taken"}, 409)
        repository.tags[tag] = repository.at(request.path_params["revision"])[0]
        return JSONResponse({})

    async def _info(self, request: Request) -> Response:
        oid, files = self._repository(request).at(request.path_params.get("revision", "main"))
        siblings = [{"rfilename": name} for name in files]
        return JSONResponse({"id": self._name(request), "sha": oid, "siblings": siblings, "private": False})

    def _entry(self, name: str, data: bytes) -> dict[str, object]:
        return {"type": "file", "oid": self._oid(name, data), "size": len(data), "path": name}

    async def _tree(self, request: Request) -> Response:
        _, files = self._repository(request).at(request.path_params["revision"])
        folder = request.path_params.get("path", "")
        prefix = f"{folder}/" if folder else ""
        inside = {name.removeprefix(prefix): data for name, data in files.items() if name.startswith(prefix)}
        if request.query_params.get("recursive", "").lower() == "true":
            return JSONResponse([self._entry(prefix + name, data) for name, data in inside.items()])
        folders = sorted({name.split("/")[0] for name in inside if "/" in name})
        found = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": prefix + name} for name in folders]
        found += [self._entry(prefix + name, data) for name, data in inside.items() if "/" not in name]
        return JSONResponse(found)

    async def _paths(self, request: Request) -> Response:
        _, files = self._repository(request).at(request.path_params["revision"])
        asked = (await request.json())["paths"]
        found = [self._entry(name, files[name]) for name in asked if name in files]
        folders = [name for name in asked if any(file.startswith(f"{name}/") for file in files)]
        return JSONResponse(found + [{"type": "directory", "oid": "0" * 40, "path": name} for name in folders])

    async def _resolve(self, request: Request) -> Response:
        oid, files = self._repository(request).at(request.path_params["revision"])
        name = request.path_params["path"]
        if name not in files:
            return JSONResponse({"error": "Entry not found"}, 404, headers={"X-Error-Code": "EntryNotFound"})
        data = files[name]
        return file_response(request, data, {"ETag": f'"{self._oid(name, data)}"', "X-Repo-Commit": oid})
