"""cotmill publish, by the real client of the Hub against a Hub on the loopback."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from huggingface_hub import DatasetCard, constants
from rich.console import Console

from pipelines.publish import PublishSettings, publish
from pipelines.report import write_report
from tests.hub_server import TOKEN, Hub, hub_server
from tests.pipelines.commands import cotmill
from tests.publish.report.folder import examples, run_folder
from tests.publish.test_scrub import ENVIRONMENT, leaks, planted
from transforms.engine.errors import CotmillError, RunFolderError
from transforms.engine.paths import PROJECT
from transforms.engine.records import Example
from transforms.engine.run_folder import RunFolder
from transforms.engine.tables import write_table

REPO = "my-org/my-rows"


def a_run(
    root: Path, sizes: tuple[int, ...] = (3, 2), license: str = "MIT", **manifest
) -> RunFolder:
    """A finished run whose shards have `sizes` rows; `manifest` replaces entries of its own."""
    run = run_folder(root, accepted=0)
    for path in (root / "data").iterdir():
        path.unlink()
    rows = [replace(row, license=license, kind="rates") for row in examples(sum(sizes))]
    for shard, size in enumerate(sizes):
        name = f"train-{shard:05}-of-{len(sizes):05}.parquet"
        part, rows = rows[:size], rows[size:]
        write_table(run.path("data", name), part, Example, "zstd")
    found = run.read_manifest() | {
        "accepted": sum(sizes),
        "kinds": [{"kind": "rates", "rows": sum(sizes)}],
        "columns": [{"name": "id", "type": "string", "meaning": "Hash of it."}],
    }
    found["config"]["recipe"] = {
        "name": "caco",
        "about": "Verified rows.",
        "citation": "arXiv 2510.04081",
    }
    for name, value in manifest.items():
        found[name] = {**found[name], **value} if isinstance(value, dict) else value
    run.write_manifest(found)
    write_report(run, found)
    return run


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the server speaks LFS
    with hub_server(tmp_path / "hub") as running:
        yield running


def published(hub: Hub, run: RunFolder, **settings) -> tuple[dict[str, str], str]:
    """Publishes a run; returns what became of each file, and what was printed."""
    shown = io.StringIO()
    given = {"output_dir": run.root, "repo": REPO, "endpoint": hub.url, **settings}
    changes = publish(PublishSettings(**given), Console(file=shown, width=120))
    return {change.path: change.state for change in changes}, shown.getvalue()


def refusal(hub: Hub, run: RunFolder, **settings) -> str:
    """The one line of a run that is not published."""
    with pytest.raises(CotmillError) as refused:
        published(hub, run, **settings)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def page(language: str) -> str:
    """The first block of a language in docs/publish.md."""
    text = (PROJECT / "docs" / "publish.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)[0]


def test_what_the_page_publishes_loads_by_name_with_the_rows_and_features_of_the_folder(
    hub, tmp_path, monkeypatch
):
    run = a_run(tmp_path / "outputs" / "demo")
    for name, value in {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for line in page("bash").splitlines():
        if line.startswith("cotmill"):
            done = cotmill(*shlex.split(line)[1:], cwd=tmp_path)
            assert done.returncode == 0, done.stderr
    assert hub.repos[REPO].private and f"{hub.url}/datasets/{REPO}/commit/" in done.stdout
    seen = "\nimport json\nprint(json.dumps([str(dict(rows.features)), rows.to_list()]))"
    loaded = subprocess.run(
        [sys.executable, "-c", page("python") + seen], capture_output=True, text=True, timeout=600
    )
    assert loaded.returncode == 0, loaded.stderr
    local = load_dataset("parquet", data_files=f"{run.root}/data/*.parquet")["train"]
    assert json.loads(loaded.stdout) == [str(dict(local.features)), local.to_list()]


def test_card_report_manifest_and_rows_are_published_and_nothing_else(hub, tmp_path):
    run = a_run(tmp_path / "run")
    (Path(run.root) / "data" / "notes.txt").write_text("my own")
    states, _ = published(hub, run)
    shards = [f"data/train-0000{n}-of-00002.parquet" for n in range(2)]
    assert states == dict.fromkeys(["README.md", *shards, "manifest.json", "report.html"], "new")
    assert sorted(hub.files(REPO)) == sorted(states)


def test_the_card_has_what_the_hub_reads(hub, tmp_path):
    sources = {"mix": {"type": "huggingface", "path": "openai/gsm8k"}}
    run = a_run(tmp_path / "run", config={"source": {"type": "mix", "sources": sources}})
    published(hub, run, language="en")
    card = DatasetCard(hub.files(REPO)["README.md"].decode())
    info = card.data["dataset_info"]
    assert card.data.license == "mit"
    assert card.data.language == "en"
    assert card.data.source_datasets == ["openai/gsm8k"]
    assert {"synthetic", "cotmill", "caco"} <= set(card.data["tags"])
    assert card.data.size_categories == ["n<1K"]
    assert info["splits"][0]["num_examples"] == 5
    assert info["download_size"] == sum(
        len(content) for path, content in hub.files(REPO).items() if path.endswith(".parquet")
    )
    assert {feature["name"] for feature in info["features"]} >= {"id", "messages", "license"}
    for words in (
        f'load_dataset("{REPO}")',
        "https://arxiv.org/abs/2510.04081",
        "| sample | small | 1,200 |",
        "| form | 11 | 6 | 5 |",
        "## Known limits",
    ):
        assert words in card.text


def test_nothing_that_is_uploaded_gives_away_a_secret_or_a_path(hub, tmp_path, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    given_away = planted()
    run = a_run(tmp_path / "alice", error=given_away["error"], config=given_away["config"])
    manifest = run.read_manifest()
    manifest["segments"][-1]["stages"] += given_away["segments"][0]["stages"]
    run.write_manifest(manifest)
    shard = run.path("data", "train-00001-of-00002.parquet")
    table = pq.read_table(shard)
    rows = table.to_pylist()
    rows[0]["source"] = given_away["config"]["source"]["path"][0]
    rows[1]["calls"][0]["model"] = given_away["config"]["backend"]["model"]
    pq.write_table(table.from_pylist(rows, schema=table.schema), shard)
    write_report(run, manifest)
    for name in ("manifest.json", "report.html"):
        assert len(leaks(Path(run.path(name)).read_text())) >= 5
    _, printed = published(hub, run)
    for path, content in hub.files(REPO).items():
        if path.endswith(".parquet"):
            content = json.dumps(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
        assert leaks(content.decode()) == [], path
        assert str(tmp_path) not in content.decode(), path
    assert "2 rows held a secret or a path of this machine" in printed


def test_a_second_publish_has_nothing_to_upload(hub, tmp_path):
    run = a_run(tmp_path / "run")
    published(hub, run)
    states, printed = published(hub, run)
    assert set(states.values()) == {"same"}
    assert "nothing was uploaded" in printed
    assert hub.commits(REPO) == 2  # the empty one, and that of the first publish


def test_after_more_rows_only_what_is_new_is_uploaded(hub, tmp_path):
    published(hub, a_run(tmp_path / "run", (3, 2)))
    more = a_run(tmp_path / "more", (3, 2, 1))
    before = list(hub.received)
    states, _ = published(hub, more)
    assert len(hub.received) == len(before) + 1  # two shards have new names and no new content
    assert states["data/train-00001-of-00002.parquet"] == "removed"
    assert sum(path.startswith("data/") for path in hub.files(REPO)) == 3
    assert states["report.html"] == "changed"


def test_an_interrupted_upload_goes_on_where_it_ended(hub, tmp_path):
    run = a_run(tmp_path / "run", (2, 2, 1))
    hub.refuse_after = 1
    assert "storage is full" in refusal(hub, run)
    assert hub.files(REPO) == {}
    hub.refuse_after = None
    published(hub, run)
    assert len(hub.received) == len(set(hub.received)) == 3
    assert len(hub.files(REPO)) == 6


def test_the_client_that_streams_uploads_what_changed_too(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    hub.lfs = False
    published(hub, a_run(tmp_path / "run", (3, 2)))
    states, _ = published(hub, a_run(tmp_path / "more", (5,)))
    assert states["data/train-00000-of-00002.parquet"] == "removed"
    assert sum(path.startswith("data/") for path in hub.files(REPO)) == 1
    assert hub.commits(REPO) == 3


def test_a_dry_run_uploads_nothing_and_needs_no_token(hub, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("pipelines.publish.get_token", lambda: None)
    states, printed = published(hub, a_run(tmp_path / "run"), dry_run=True)
    assert states["README.md"] == "new"
    assert "data/train-00000-of-00002.parquet" in printed and "to upload: 5 files" in printed
    assert hub.repos == {} and hub.received == []


def test_a_dry_run_tells_what_differs_from_what_is_there(hub, tmp_path):
    published(hub, a_run(tmp_path / "run", (3, 2)))
    states, _ = published(hub, a_run(tmp_path / "more", (3, 3)), dry_run=True)
    assert states["data/train-00000-of-00002.parquet"] == "same"
    assert states["data/train-00001-of-00002.parquet"] == "changed"
    assert hub.commits(REPO) == 2


def test_a_dry_run_without_a_hub_shows_all_files_as_new(hub, tmp_path):
    run = a_run(tmp_path / "run")
    states, printed = published(hub, run, dry_run=True, endpoint="http://127.0.0.1:9")
    assert set(states.values()) == {"new"}
    assert "all files are shown as new: endpoint=http://127.0.0.1:9 cannot be reached" in printed


def test_a_hub_that_cannot_be_reached_is_one_line(hub, tmp_path):
    line = refusal(hub, a_run(tmp_path / "run"), endpoint="http://alice:pass@127.0.0.1:9")
    assert line.startswith("endpoint=http://127.0.0.1:9 cannot be reached")


def test_a_hub_without_xet_storage_is_one_line_with_the_setting(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    assert "HF_HUB_DISABLE_XET=1" in refusal(hub, a_run(tmp_path / "run"))


def test_a_private_repository_is_hidden_from_others(hub, tmp_path):
    published(hub, a_run(tmp_path / "run"), private=True)
    assert hub.repos[REPO].private


def test_a_public_repository_is_not_taken_for_a_private_one(hub, tmp_path):
    run = a_run(tmp_path / "run")
    published(hub, run)
    assert "is public" in refusal(hub, run, private=True)


def test_a_revision_is_a_branch_of_its_own(hub, tmp_path):
    published(hub, a_run(tmp_path / "run"), revision="v2")
    assert hub.files(REPO) == {}
    assert 'revision="v2"' in hub.files(REPO, "v2")["README.md"].decode()


def test_a_pull_request_leaves_main_as_it_is_and_can_be_added_to(hub, tmp_path):
    _, printed = published(hub, a_run(tmp_path / "run", (3, 2)), create_pr=True)
    assert f"{hub.url}/datasets/{REPO}/discussions/1" in printed
    published(hub, a_run(tmp_path / "more", (3, 3)), revision="refs/pr/1")
    assert hub.files(REPO) == {}
    assert hub.commits(REPO, "refs/pr/1") == 3


def test_a_run_that_is_not_complete_is_refused_unless_asked_for(hub, tmp_path):
    run = a_run(tmp_path / "run", status="incomplete", unanswered=7)
    assert "7 records unanswered" in refusal(hub, run)
    assert hub.repos == {}
    published(hub, run, incomplete=True)
    assert "7 records unanswered" in hub.files(REPO)["README.md"].decode()


def test_a_failed_run_without_its_last_figures_is_published_where_asked_for(hub, tmp_path):
    run = a_run(tmp_path / "run", status="failed")
    manifest = run.read_manifest()
    for name in ("accepted", "kinds", "lineage"):
        del manifest[name]
    run.write_manifest({**manifest, "finished": None})
    published(hub, run, incomplete=True)
    assert "5 rows" in hub.files(REPO)["README.md"].decode()


@pytest.mark.parametrize(
    ("license", "said"),
    [
        ("", "state no licence"),
        ("NOASSERTION", "state no licence"),
        ("MIT AND NOASSERTION", "state no licence"),
        ("my terms", "'my terms'"),
        ("CC-BY-SA-4.0 AND GPL-3.0-only", "do not go together"),
    ],
)
def test_rows_without_a_licence_for_all_are_refused_unless_one_is_stated(
    hub, tmp_path, license, said
):
    run = a_run(tmp_path / "run", license=license)
    line = refusal(hub, run)
    assert said in line and "license=SPDX" in line
    published(hub, run, license="cc-by-4.0")
    card = DatasetCard(hub.files(REPO)["README.md"].decode())
    assert card.data.license == "cc-by-4.0"


def test_rows_of_any_recipe_are_published_under_the_licences_of_the_lineage(hub, tmp_path):
    run = a_run(tmp_path / "run", (), accepted=2)
    rows = [
        {"id": str(n), "turns": [{"text": "x", "image": b"y"}], "reward": 0.5} for n in range(2)
    ]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, run.path("data", "train-00000-of-00001.parquet"))
    published(hub, run)
    card = DatasetCard(hub.files(REPO)["README.md"].decode())
    assert card.data.license == "apache-2.0"
    assert card.data["dataset_info"]["splits"][0]["num_examples"] == 2


def test_a_stated_licence_that_spdx_does_not_have_is_refused(hub, tmp_path):
    assert "license=free" in refusal(hub, a_run(tmp_path / "run"), license="free")


def test_without_a_token_nothing_is_begun(hub, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.publish.get_token", lambda: None)
    assert "HF_TOKEN" in refusal(hub, a_run(tmp_path / "run"))


def test_a_token_that_may_not_write_is_one_line(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    line = refusal(hub, a_run(tmp_path / "run"))
    assert "refused the token" in line and "HF_TOKEN" in line


def test_rows_that_the_manifest_does_not_count_are_refused(hub, tmp_path):
    run = a_run(tmp_path / "run")
    os.remove(run.path("data", "train-00001-of-00002.parquet"))
    assert "3 rows" in refusal(hub, run)


def test_a_run_without_rows_is_refused(hub, tmp_path):
    assert "nothing to publish" in refusal(hub, a_run(tmp_path / "run", ()))


def test_a_folder_without_a_run_is_refused(hub, tmp_path):
    with pytest.raises(RunFolderError, match="manifest.json"):
        published(hub, RunFolder(str(tmp_path)))
