"""The Hugging Face Hub: what a repository holds, and how a folder gets there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from huggingface_hub import CommitInfo, HfApi
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import httpx
from huggingface_hub.utils.sha import git_hash, sha_fileobj

from transforms.engine.errors import PublishError, one_line

_SHARDS = "data/train-*.parquet"
"""Files of a repository that are deleted where a run no longer has them."""


@dataclass(frozen=True)
class Change:
    """What becomes of one file of a repository."""

    path: str
    size: int
    """Bytes that the repository holds afterwards; of a removed file, those that it held."""
    state: Literal["new", "changed", "same", "removed"]


def changes(folder: Path, remote: dict[str, RepoFile]) -> list[Change]:
    """Compares a folder with a repository's files, by content; sorted by path."""
    found = []
    for local in sorted(path for path in folder.rglob("*") if path.is_file()):
        path, size = local.relative_to(folder).as_posix(), local.stat().st_size
        held = remote.get(path)
        state: Literal["new", "changed", "same"] = "new"
        if held is not None:
            state = "same" if held.size == size and _same(local, held) else "changed"
        found.append(Change(path, size, state))
    kept = {change.path for change in found}
    stale = [each for each in remote.values() if fnmatchcase(each.path, _SHARDS)]
    found += [Change(each.path, each.size, "removed") for each in stale if each.path not in kept]
    return sorted(found, key=lambda change: change.path)


def _same(local: Path, held: RepoFile) -> bool:
    if held.lfs is None:
        return bool(git_hash(local.read_bytes()) == held.blob_id)
    with local.open("rb") as file:
        return sha_fileobj(file).hex() == held.lfs.sha256


def remote_files(api: HfApi, repo: str, revision: str | None) -> dict[str, RepoFile]:
    """The files of a dataset repository by path; none where it, or the revision, is not there."""
    if not api.repo_exists(repo, repo_type="dataset"):
        return {}
    try:
        tree = api.list_repo_tree(repo, repo_type="dataset", revision=revision, recursive=True)
        return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    except RevisionNotFoundError:
        return {}


def open_repo(api: HfApi, repo: str, private: bool, revision: str | None) -> None:
    """Creates what is not there yet of a dataset repository and its branch.

    Raises PublishError where the repository is to be private and is there, and public.
    """
    api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
    if private and not api.repo_info(repo, repo_type="dataset").private:
        raise PublishError(
            f"repo={repo} is there already and is public: make it private in its settings on the "
            "Hub, or leave private=true out"
        )
    if revision is not None and not revision.startswith("refs/"):
        api.create_branch(repo, branch=revision, repo_type="dataset", exist_ok=True)


def upload(
    api: HfApi,
    folder: Path,
    repo: str,
    planned: list[Change],
    *,
    message: str,
    revision: str | None,
    create_pr: bool,
) -> CommitInfo:
    """Uploads the files that are new or changed, and deletes shards that are no longer there.

    An upload that was interrupted goes on where it ended: what the Hub has is not sent again.
    """
    return api.upload_folder(
        repo_id=repo,
        repo_type="dataset",
        folder_path=folder,
        commit_message=message,
        revision=revision,
        create_pr=create_pr,
        allow_patterns=[each.path for each in planned if each.state in ("new", "changed")],
        delete_patterns=[each.path for each in planned if each.state == "removed"] or None,
    )


@contextmanager
def hub_errors(repo: str, endpoint: str) -> Iterator[None]:
    """Turns what goes wrong between here and the Hub into a PublishError of one line."""
    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        if status in (401, 403):
            raise PublishError(
                f"repo={repo}: {endpoint} refused the token ({one_line(error)}): set HF_TOKEN to "
                "one that may write there, or run `hf auth login`"
            ) from error
        raise PublishError(f"repo={repo}: {endpoint} answered: {one_line(error)}") from error
    except OfflineModeIsEnabled as error:
        raise PublishError("HF_HUB_OFFLINE is set: unset it to publish") from error
    except (httpx.HTTPError, OSError) as error:
        fix = "look at the network: the same command goes on from there"
        if "xet-" in str(error):  # the path of a request for a token of Xet storage
            fix = "where this Hub has no Xet storage, set HF_HUB_DISABLE_XET=1"
        raise PublishError(
            f"endpoint={endpoint} cannot be reached ({one_line(error)}): {fix}"
        ) from error
    except (RuntimeError, ValueError) as error:  # how the client wraps errors of single files
        cause = error.__cause__ or error
        raise PublishError(
            f"repo={repo}: the upload failed ({one_line(cause)}): publish again: it goes on where "
            "it ended"
        ) from error


def place(endpoint: str) -> str:
    """An endpoint as it is shown: without credentials."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
