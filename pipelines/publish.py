"""cotmill publish: a run's rows, card, report and manifest to the Hugging Face Hub."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCardData, HfApi, get_token
from huggingface_hub.hf_api import RepoFile
from pydantic import Field, model_validator
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from transforms.engine.errors import PublishError, RunFolderError
from transforms.engine.run_folder import RunFolder, absolute
from transforms.engine.settings import Group
from transforms.publish.card import card_data, dataset_card
from transforms.publish.hub import (
    Change,
    changes,
    hub_errors,
    open_repo,
    place,
    remote_files,
    upload,
)
from transforms.publish.licensing import dataset_licenses, hub_license
from transforms.publish.scrub import Scrubber
from transforms.publish.staging import (
    Rows,
    published_manifest,
    stage_manifest,
    stage_page,
    stage_rows,
)
from transforms.sources.licenses import NO_LICENSE, spdx


class PublishSettings(Group):
    """Everything `cotmill publish` can be told."""

    output_dir: str = Field(description="folder of a run, on any Beam filesystem")
    repo: str = Field(
        pattern=r"^[\w.-]+/[\w.-]+$",
        description="dataset repository, such as my-org/my-rows; made where it is not there",
    )
    private: bool = Field(False, description="whether a new repository is private")
    license: str | None = Field(
        None,
        description="SPDX licence to publish under (null: computed from the rows' licences; "
        "refused where a row has none, or where two of them exclude each other)",
    )
    language: str | list[str] | None = Field(
        None, description="language of the rows for the card, as ISO 639 code, or a list of them"
    )
    revision: str | None = Field(
        None,
        description="branch to upload to, made where it is not there, or refs/pr/N (null: main)",
    )
    create_pr: bool = Field(False, description="upload to a new pull request")
    incomplete: bool = Field(
        False,
        description="publish what there is of a run that has failed or has unanswered records",
    )
    dry_run: bool = Field(False, description="show what would be uploaded, and upload nothing")
    endpoint: str | None = Field(
        None, description="URL of the Hub (null: HF_ENDPOINT, or https://huggingface.co)"
    )

    @model_validator(mode="after")
    def _one_place(self) -> PublishSettings:
        if self.create_pr and self.revision:
            raise ValueError(
                "create_pr and revision exclude each other: a pull request is made to main, and "
                "revision=refs/pr/N uploads to one that is there"
            )
        return self


def publish(settings: PublishSettings, console: Console) -> list[Change]:
    """Uploads what is new or changed of a finished run; returns what became of each file.

    Raises:
        RunFolderError: there is no run in the folder.
        PublishError: the run is not complete, has no rows or no licence; there is no token; the Hub
            cannot be reached or refuses.
    """
    run = RunFolder(absolute(settings.output_dir))
    manifest = _finished(run, settings.incomplete)
    api = HfApi(endpoint=settings.endpoint)
    token = get_token()
    if token is None and not settings.dry_run:
        raise PublishError(
            "there is no token for the Hub: set HF_TOKEN, or run `hf auth login` (a token that may "
            "write: https://huggingface.co/settings/tokens)"
        )
    with tempfile.TemporaryDirectory(prefix="cotmill-publish-") as name:
        folder = Path(name)
        rows = lay_out(run, manifest, settings, folder)
        if rows.scrubbed:
            console.print(
                f"{rows.scrubbed:,} rows held a secret or a path of this machine: replaced",
                highlight=False,
            )
        if settings.dry_run:
            return _shown(changes(folder, _remote_or_none(api, settings, console)), console)
        with hub_errors(settings.repo, place(api.endpoint)):
            open_repo(api, settings.repo, settings.private, settings.revision)
            remote = remote_files(api, settings.repo, settings.revision)
            planned = _shown(changes(folder, remote), console)
            if all(change.state == "same" for change in planned):
                console.print("nothing has changed: nothing was uploaded", highlight=False)
                return planned
            commit = upload(
                api,
                folder,
                settings.repo,
                planned,
                message=f"{rows.count:,} rows of run {manifest['run_id'][:8]}",
                revision=settings.revision,
                create_pr=settings.create_pr,
            )
    console.print(commit.pr_url or commit.commit_url, highlight=False, soft_wrap=True)
    return planned


def _finished(run: RunFolder, incomplete: bool) -> dict[str, Any]:
    """The manifest of a run that may be published."""
    manifest = run.read_manifest()
    if manifest is None or "run_id" not in manifest:
        holds = "holds no manifest.json" if manifest is None else "holds no run"
        raise RunFolderError(f"output_dir={run.root} {holds}: name the folder of a run")
    status = manifest["status"]
    if status != "complete" and not incomplete:
        unanswered = manifest.get("unanswered", 0)
        detail = f", {unanswered:,} records unanswered" if unanswered else ""
        raise PublishError(
            f"output_dir={run.root}: this run is not complete (status: {status}{detail}): finish "
            "it with resume=true, or publish what there is of it with incomplete=true"
        )
    return manifest


def lay_out(
    run: RunFolder, manifest: dict[str, Any], settings: PublishSettings, folder: Path
) -> Rows:
    """Writes what is published of a run into an empty folder; returns what is known of its rows."""
    scrubber = Scrubber(manifest)
    rows = stage_rows(run, folder, scrubber)
    if manifest["status"] == "complete" and rows.count != manifest["accepted"]:
        raise PublishError(
            f"output_dir={run.root}: data/ holds {rows.count:,} rows and manifest.json counts "
            f"{manifest['accepted']:,}: bring back the files that the run wrote, and no others"
        )
    # What is written at a run's end lacks where it did not come to it.
    whole = {"lineage": [], "kinds": [], **manifest, "accepted": rows.count}
    published = published_manifest(whole, scrubber)
    licenses = _licenses(published, rows, settings.license)
    data = front_matter(published, rows, licenses, settings.language)
    card = dataset_card(published, data, _loading(settings), _licensed(licenses, rows, settings))
    (folder / "README.md").write_text(card, encoding="utf-8")
    stage_manifest(published, folder)
    stage_page(run, "report.html", folder, scrubber)
    return rows


def front_matter(
    manifest: dict[str, Any], rows: Rows, licenses: list[str], language: str | list[str] | None
) -> DatasetCardData:
    """The card's front matter: what the manifest tells, licence, languages, features and sizes."""
    # datasets imports pandas: a second that --help and a mistake need not wait for
    from datasets import DatasetInfo, Features, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict

    data = card_data(manifest)
    for name, value in hub_license(licenses).items():
        data[name] = value
    data["language"] = language
    split = SplitInfo("train", num_bytes=rows.arrow_bytes, num_examples=rows.count)
    splits = SplitDict()
    splits.add(split)
    info = DatasetInfo(
        features=Features.from_arrow_schema(rows.schema),
        splits=splits,
        download_size=rows.file_bytes,
        dataset_size=rows.arrow_bytes,
    )
    DatasetInfosDict({"default": info}).to_dataset_card_data(data)
    return data


def _licenses(manifest: dict[str, Any], rows: Rows, stated: str | None) -> list[str]:
    if stated is None:
        of_seeds = {row["license"]: row["seeds"] for row in manifest["lineage"]}
        found = rows.licenses if rows.licenses is not None else of_seeds
        return dataset_licenses(found or {NO_LICENSE: rows.count})
    license = spdx(stated)
    if license in (None, NO_LICENSE):
        raise PublishError(
            f"license={stated} is no SPDX licence: name one, such as CC-BY-4.0, or your own as "
            "LicenseRef-NAME"
        )
    return [str(license)]


def _licensed(licenses: list[str], rows: Rows, settings: PublishSettings) -> str:
    """The card's words on the licence: who decided on it, and what the rows' own are."""
    named = ", ".join(licenses)
    if settings.license is not None:
        return f"{named}, as whoever published the rows states."
    column = " Each row names its own in the column `license`." if rows.licenses else ""
    return f"{named}: the licences of the seeds that the rows were made from.{column}"


def _loading(settings: PublishSettings) -> str:
    revision = f', revision="{settings.revision}"' if settings.revision else ""
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("{settings.repo}"{revision})["train"]\n```'
    )


def _remote_or_none(api: HfApi, settings: PublishSettings, console: Console) -> dict[str, RepoFile]:
    """The repository's files; none, and a line that says why, where the Hub does not tell."""
    try:
        with hub_errors(settings.repo, place(api.endpoint)):
            return remote_files(api, settings.repo, settings.revision)
    except PublishError as error:
        console.print(f"all files are shown as new: {error}", highlight=False, soft_wrap=True)
        return {}


def _shown(planned: list[Change], console: Console) -> list[Change]:
    """Prints what becomes of each file, and returns it."""
    shown = Table(box=None)
    for name in ("file", "state"):
        shown.add_column(name)
    shown.add_column("size", justify="right")
    for change in planned:
        shown.add_row(change.path, change.state, decimal(change.size))
    console.print(shown)
    sent = [change.size for change in planned if change.state in ("new", "changed")]
    console.print(f"to upload: {len(sent)} files, {decimal(sum(sent))}", highlight=False)
    return planned


def _main(settings: PublishSettings) -> None:
    publish(settings, Console(file=sys.stdout))


def main() -> None:
    name_first_word("output_dir")
    run_command(
        "publish",
        "a run's rows, card, report and manifest to the Hugging Face Hub",
        PublishSettings,
        _main,
    )
