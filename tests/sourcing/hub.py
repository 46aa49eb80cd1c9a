"""A local stand-in of the Hugging Face hub: the part of its HTTP API that reading a data set needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """One data set, ``someone/problems``, with these files."""

    files: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/datasets/someone/problems", self._info),
                Route("/api/datasets/someone/problems/revision/{revision}", self._info),
                Route("/api/datasets/someone/problems/tree/{revision}", self._tree),
                Route("/api/datasets/someone/problems/tree/{revision}/{path:path}", self._tree),
                Route("/api/datasets/someone/problems/paths-info/{revision}", self._paths, methods=["POST"]),
                Route("/datasets/someone/problems/resolve/{revision}/{path:path}", self._file, methods=["GET", "HEAD"]),
                Route("/api/{path:path}", self._missing, methods=["GET", "POST"]),
            ]
        )

    async def _info(self, request: Request) -> Response:
        siblings = [{"rfilename": name} for name in self.files]
        return JSONResponse({"id": "someone/problems", "sha": COMMIT, "siblings": siblings, "private": False})

    def _entries(self, folder: str) -> list[dict[str, object]]:
        prefix = f"{folder}/" if folder else ""
        names = [name for name in self.files if name.startswith(prefix)]
        folders = {
            prefix + name.removeprefix(prefix).split("/")[0] for name in names if "/" in name.removeprefix(prefix)
        }
        inside = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": name} for name in sorted(folders)]
        return inside + [self._entry(name) for name in names if "/" not in name.removeprefix(prefix)]

    def _entry(self, name: str) -> dict[str, object]:
        return {"type": "file", "oid": "0" * 40, "size": len(self.files[name]), "path": name}

    async def _tree(self, request: Request) -> Response:
        folder = request.path_params.get("path", "")
        if request.query_params.get("recursive", "").lower() == "true":
            return JSONResponse([self._entry(name) for name in self.files if name.startswith(folder)])
        return JSONResponse(self._entries(folder))

    async def _paths(self, request: Request) -> Response:
        asked = (await request.json())["paths"]
        found = [self._entry(name) for name in asked if name in self.files]
        found += [
            {"type": "directory", "oid": "0" * 40, "path": name}
            for name in asked
            if any(file.startswith(f"{name}/") for file in self.files)
        ]
        return JSONResponse(found)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["path"]
        if name not in self.files:
            return JSONResponse({"error": "Entry not found"}, 404, headers={"X-Error-Code": "EntryNotFound"})
        self.asked.append(name)
        data = self.files[name]
        return file_response(request, data, {"ETag": '"1"', "X-Repo-Commit": COMMIT})

    async def _missing(self, request: Request) -> Response:
        return JSONResponse({"error": "Repository not found"}, 404, headers={"X-Error-Code": "RepoNotFound"})


def file_response(request: Request, data: bytes, headers: dict[str, str]) -> Response:
    """A file, or the part of it that is asked for."""
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(len(data))}
    if "range" in request.headers and request.method == "GET":
        start, end = request.headers["range"].removeprefix("bytes=").split("-")
        last = min(int(end or len(data) - 1), len(data) - 1)
        part = data[int(start) : last + 1]
        headers |= {"Content-Range": f"bytes {start}-{last}/{len(data)}", "Content-Length": str(len(part))}
        return Response(part, 206, headers=headers)
    return Response(b"" if request.method == "HEAD" else data, headers=headers)


@contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """Serve on loopback; yields the address to set as HF_ENDPOINT."""
    server = uvicorn.Server(uvicorn.Config(hub.app(), port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
