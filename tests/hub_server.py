"""A Hugging Face Hub on the loopback: the endpoints that publishing and loading a dataset use.

It keeps what it is sent (blobs on disk under their SHA-256, commits per branch), and decides as the
Hub does: large and binary files go by Git LFS, an object that is there already is not asked for
again, a private repository is hidden from those without the token, a push needs the token.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

TOKEN = "hf_" + "A1b2C3d4" * 4
"""The only token that the server knows."""

_REPO = r"{repo:[^/]+/[^/]+}"
_REVISION = "{revision:[^/]+}"
"""One part of a path, with its slashes quoted (refs%2Fpr%2F1)."""


@dataclass(frozen=True)
class Blob:
    """A file of a commit."""

    sha256: str
    oid: str
    """As git names the blob: of an LFS file, of its pointer."""
    size: int
    lfs: bool


@dataclass
class Repo:
    """A dataset repository."""

    private: bool
    branches: dict[str, list[tuple[str, dict[str, Blob]]]] = field(default_factory=dict)
    """Branch, or reference of a pull request -> its commits, each (sha, path -> blob)."""

    def at(self, revision: str) -> tuple[str, dict[str, Blob]] | None:
        """The commit of a branch, or of this sha; None where there is none."""
        if revision in self.branches:
            return self.branches[revision][-1]
        commits = (commit for branch in self.branches.values() for commit in branch)
        return next((commit for commit in commits if commit[0] == revision), None)


@dataclass
class Hub:
    """A running server's content, and what it was sent."""

    folder: Path
    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    """SHA-256 of each LFS object that was uploaded, in order."""
    lfs: bool = True
    """Whether binary files go by LFS; otherwise every file is part of its commit."""
    refuse_after: int | None = None
    """LFS objects taken before further ones are refused (403); None: all are taken."""

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Path -> content, of a revision."""
        commit = self.repos[repo].at(revision)
        assert commit is not None
        return {path: self.blob(blob.sha256).read_bytes() for path, blob in commit[1].items()}

    def commits(self, repo: str, revision: str = "main") -> int:
        """Commits of a branch, the first, empty one included."""
        return len(self.repos[repo].branches[revision])

    def blob(self, sha256: str) -> Path:
        return self.folder / sha256

    # --- requests -------------------------------------------------------------------------------

    def routes(self) -> list[web.RouteDef]:
        api = f"/api/datasets/{_REPO}"
        return [
            web.get("/api/whoami-v2", self.whoami),
            web.post("/api/repos/create", self.create),
            web.post("/api/validate-yaml", self.validate),
            web.get(api, self.info),
            web.get(f"{api}/revision/{_REVISION}", self.info),
            web.get(f"{api}/tree/{_REVISION}", self.tree),
            web.get(f"{api}/tree/{_REVISION}/" + "{below:.+}", self.tree),
            web.post(f"{api}/paths-info/{_REVISION}", self.paths),
            web.post(f"{api}/preupload/{_REVISION}", self.preupload),
            web.post(f"{api}/commit/{_REVISION}", self.commit),
            web.post(f"{api}/branch/{_REVISION}", self.branch),
            web.post(f"{api}/discussions", self.pull_request),
            web.get(f"{api}/discussions/" + "{number}", self.discussion),
            web.post(f"/datasets/{_REPO}.git/info/lfs/objects/batch", self.lfs_batch),
            web.put("/lfs/{sha256}", self.lfs_put),
            web.get(f"/datasets/{_REPO}/resolve/{_REVISION}/" + "{path:.+}", self.resolve),
        ]

    async def whoami(self, request: web.Request) -> web.Response:
        if not _authorized(request):
            return _error(401, "Invalid username or password.")
        return web.json_response({"type": "user", "name": "someone", "orgs": []})

    async def create(self, request: web.Request) -> web.Response:
        if not _authorized(request):
            return _error(401, "Invalid username or password.")
        body = await request.json()
        name = f"{body['organization']}/{body['name']}"
        url = f"{self.url}/datasets/{name}"
        if name in self.repos:
            return web.json_response(
                {"error": "You already created this dataset repo", "url": url}, status=409
            )
        assert body["type"] == "dataset"
        repo = Repo(private=body.get("visibility") == "private" or bool(body.get("private")))
        repo.branches["main"] = [(_sha(name), {})]
        self.repos[name] = repo
        return web.json_response({"url": url})

    async def validate(self, request: web.Request) -> web.Response:
        """Whether a card's licence, tags and languages are texts, or lists of texts."""
        header = yaml.safe_load((await request.json())["content"].split("---")[1])
        wrong = [
            {"message": f'"{key}" must be a lower-case text or a list of them'}
            for key in ("license", "tags", "language")
            if not all(isinstance(each, str) for each in _listed(header.get(key)))
        ]
        return web.json_response({"errors": wrong, "warnings": []}, status=400 if wrong else 200)

    async def info(self, request: web.Request) -> web.Response:
        name, repo, commit = self._found(request)
        if commit is None:
            return _missing(repo)
        return web.json_response(
            {
                "_id": "0" * 24,
                "id": name,
                "sha": commit[0],
                "private": repo.private if repo else False,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "siblings": [{"rfilename": path} for path in sorted(commit[1])],
            }
        )

    async def tree(self, request: web.Request) -> web.Response:
        _, repo, commit = self._found(request)
        if commit is None:
            return _missing(repo)
        below = request.match_info.get("below", "")
        prefix = f"{below}/" if below else ""
        recursive = request.query.get("recursive", "false").lower() == "true"
        paths = [path for path in sorted(commit[1]) if path.startswith(prefix)]
        if below and not paths:
            return _error(404, "not there", "EntryNotFound")
        entries, folders = [], set()
        for path in paths:
            inner = path.removeprefix(prefix)
            parts = inner.split("/")
            for depth in range(1, len(parts) if recursive else min(2, len(parts))):
                folders.add(prefix + "/".join(parts[:depth]))
            if recursive or len(parts) == 1:
                entries.append(_entry(path, commit[1][path]))
        return web.json_response([*map(_folder, sorted(folders)), *entries])

    async def paths(self, request: web.Request) -> web.Response:
        _, repo, commit = self._found(request)
        if commit is None:
            return _missing(repo)
        asked = (await request.post()).getall("paths", [])
        if request.content_type == "application/json":
            asked = (await request.json())["paths"]
        entries = []
        for path in map(str, asked):
            if path in commit[1]:
                entries.append(_entry(path, commit[1][path]))
            elif any(each.startswith(f"{path}/") for each in commit[1]):
                entries.append(_folder(path))
        return web.json_response(entries)

    async def preupload(self, request: web.Request) -> web.Response:
        _, repo, commit = self._pushed(request)
        if commit is None:
            return _missing(repo)
        files = []
        for file in (await request.json())["files"]:
            sample = base64.b64decode(file["sample"])
            held = commit[1].get(file["path"])
            files.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if self.large(file["path"], sample) else "regular",
                    "shouldIgnore": False,
                    "oid": held and (held.sha256 if held.lfs else held.oid),
                }
            )
        return web.json_response({"files": files})

    def large(self, path: str, sample: bytes) -> bool:
        """Whether a file goes by LFS: what is no text does."""
        return self.lfs and (b"\0" in sample or path.endswith(".parquet"))

    async def lfs_batch(self, request: web.Request) -> web.Response:
        self._pushed(request)
        objects = []
        for asked in (await request.json())["objects"]:
            entry = {"oid": asked["oid"], "size": asked["size"]}
            if not self.blob(asked["oid"]).exists():
                entry["actions"] = {"upload": {"href": f"{self.url}/lfs/{asked['oid']}"}}
            objects.append(entry)
        return web.json_response({"transfer": "basic", "objects": objects})

    async def lfs_put(self, request: web.Request) -> web.Response:
        if self.refuse_after is not None and len(self.received) >= self.refuse_after:
            return _error(403, "storage is full")
        content = await request.read()
        sha256 = request.match_info["sha256"]
        if hashlib.sha256(content).hexdigest() != sha256:
            return _error(400, "content is not what its name says")
        self.blob(sha256).write_bytes(content)
        self.received.append(sha256)
        return web.Response()

    async def commit(self, request: web.Request) -> web.Response:
        name, repo, commit = self._pushed(request)
        if repo is None or commit is None:
            return _missing(repo)
        lines = [json.loads(line) for line in (await request.text()).splitlines()]
        files = dict(commit[1])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = self._stored(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if not self.blob(value["oid"]).exists():
                    return _error(400, f"LFS object {value['oid']} was not uploaded")
                files[value["path"]] = _lfs(value["oid"], self.blob(value["oid"]).stat().st_size)
            elif line["key"] == "deletedFile":
                if value["path"] not in files:
                    return _error(404, "A file with this name doesn't exist", "EntryNotFound")
                del files[value["path"]]
        revision = request.match_info["revision"]
        reply: dict[str, Any] = {}
        if request.query.get("create_pr") == "1":
            revision = self._open_pull_request(repo, revision)
            reply["pullRequestUrl"] = self._discussion_url(name, revision)
        sha = _sha(name, revision, len(repo.branches[revision]), *map(str, sorted(files.items())))
        repo.branches[revision].append((sha, files))
        url = f"{self.url}/datasets/{name}/commit/{sha}"
        return web.json_response({"commitUrl": url, "commitOid": sha, **reply})

    async def branch(self, request: web.Request) -> web.Response:
        _, repo, _ = self._pushed(request, revision="main")
        if repo is None:
            return _missing(repo)
        name = request.match_info["revision"]
        if name in repo.branches:
            return _error(409, "Reference already exists")
        repo.branches[name] = list(repo.branches["main"])
        return web.json_response({})

    async def pull_request(self, request: web.Request) -> web.Response:
        name, repo, _ = self._pushed(request, revision="main")
        if repo is None:
            return _missing(repo)
        revision = self._open_pull_request(repo, "main")
        return web.json_response({"num": int(revision.rpartition("/")[2]), "pullRequest": True})

    async def discussion(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.json_response(
            {
                "num": number,
                "title": "a pull request",
                "status": "draft",
                "author": {"name": "someone"},
                "createdAt": "2026-01-01T00:00:00.000Z",
                "isPullRequest": True,
                "events": [],
                "filesWithConflicts": [],
                "diffUrl": None,
                "changes": {"base": "refs/heads/main", "mergeCommitId": None},
            }
        )

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        _, repo, commit = self._found(request)
        if commit is None:
            return _missing(repo)
        blob = commit[1].get(request.match_info["path"])
        if blob is None:
            reply = _error(404, "Entry not found", "EntryNotFound")
            reply.headers["X-Repo-Commit"] = commit[0]
            return reply
        etag = f'"{blob.sha256 if blob.lfs else blob.oid}"'
        headers = {"X-Repo-Commit": commit[0], "X-Linked-Etag": etag}
        headers["X-Linked-Size"] = str(blob.size)
        return web.FileResponse(self.blob(blob.sha256), headers=headers)

    # --- what they share ------------------------------------------------------------------------

    def _found(
        self, request: web.Request, revision: str | None = None
    ) -> tuple[str, Repo | None, tuple[str, dict[str, Blob]] | None]:
        """(name, repository, commit) that a request names; None where it does not see them."""
        name = request.match_info["repo"]
        repo = self.repos.get(name)
        if repo is None or (repo.private and not _authorized(request)):
            return name, None, None
        return name, repo, repo.at(revision or request.match_info.get("revision", "main"))

    def _pushed(
        self, request: web.Request, revision: str | None = None
    ) -> tuple[str, Repo | None, tuple[str, dict[str, Blob]] | None]:
        if not _authorized(request):
            raise web.HTTPUnauthorized(text='{"error": "a push needs a token"}')
        return self._found(request, revision)

    def _stored(self, content: bytes) -> Blob:
        sha256 = hashlib.sha256(content).hexdigest()
        self.blob(sha256).write_bytes(content)
        return Blob(sha256, _git_sha(content), len(content), lfs=False)

    def _open_pull_request(self, repo: Repo, base: str) -> str:
        number = 1 + sum(name.startswith("refs/pr/") for name in repo.branches)
        revision = f"refs/pr/{number}"
        repo.branches[revision] = list(repo.branches[base])
        return revision

    def _discussion_url(self, name: str, revision: str) -> str:
        return f"{self.url}/datasets/{name}/discussions/{revision.rpartition('/')[2]}"


def _authorized(request: web.Request) -> bool:
    return request.headers.get("Authorization") == f"Bearer {TOKEN}"


def _error(status: int, message: str, code: str | None = None) -> web.Response:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return web.json_response({"error": message}, status=status, headers=headers)


def _missing(repo: Repo | None) -> web.Response:
    if repo is None:  # the Hub does not say whether a hidden repository exists
        return _error(404, "Repository not found", "RepoNotFound")
    return _error(404, "Invalid rev id", "RevisionNotFound")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _lfs(sha256: str, size: int) -> Blob:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    return Blob(sha256, _git_sha(pointer.encode()), size, lfs=True)


def _git_sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sha(*parts: object) -> str:
    return hashlib.sha1("\n".join(map(str, parts)).encode()).hexdigest()


def _entry(path: str, blob: Blob) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": blob.size, "oid": blob.oid}
    if blob.lfs:
        entry["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": 134}
    return entry


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": _sha(path)}


@contextmanager
def hub_server(folder: Path) -> Iterator[Hub]:
    """A running Hub that keeps its blobs in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    hub = Hub(folder)
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        application = web.Application(client_max_size=1 << 30)
        application.add_routes(hub.routes())
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner

    runner = loop.run_until_complete(start())
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=300)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
