"""A segment runs from Parquet to Parquet; the last one's rows are the data set."""

import json

import polars as pl
import pytest
from datasets import load_dataset

from tests.programs_for_tests import SPAM, execution
from tests.settings_for_tests import composed
from transforms.engine.manifest import finish_manifest, new_manifest
from transforms.engine.paths import DATA
from transforms.engine.recipe import build_segments
from transforms.engine.records import Attempt, Attempts, Seed, grow
from transforms.engine.run_folder import RunFolder
from transforms.engine.segments import run_segment
from transforms.engine.tables import shard_path, write_table
from transforms.publish.card import dataset_card

SEEDS = [
    json.loads(line)
    for name in ("rates", "strings", "probability")
    for line in (DATA / "seeds" / f"{name}.jsonl").read_text().splitlines()
]
EXAM = {
    **SEEDS[0],
    "problem": "Ada shares 60 nuts with 4 friends. How many has each of them?",
    "solution": "They are 4 + 1 = 5 people. Each of them has 60 ÷ 5 = 12 nuts.",
}
"""A row that a benchmark has too."""


def attempts(row, index):
    """A shipped seed as a solved problem: its own solution, and one that is wrong."""
    answer = row["answer"]
    output = answer if row["code"] and _is_json_number(answer) else json.dumps(answer)
    return grow(
        Attempts,
        execution(row["code"], output=output, id=str(index)),
        kind=row["kind"] if row["kind"] != "strings" else None,
        instruction=row["problem"],
        attempts=(
            Attempt("It cannot be known.", "stop", answer=None, agrees=False),
            Attempt(row["solution"], "stop", answer=answer, agrees=True),
        ),
    )


def _is_json_number(text):
    try:
        return isinstance(json.loads(text), (int, float))
    except ValueError:
        return False


@pytest.fixture(scope="module", params=[1, 2], ids=["1 worker", "2 workers"])
def finished(request, tmp_path_factory):
    """(folder, manifest) after the last two segments ran over solved seeds."""
    folder = tmp_path_factory.mktemp("run")
    benchmark = folder / "exam.jsonl"
    exam = [{"id": 7, "problem": EXAM["problem"].upper()}, {"problem": "What is 2 + 2?"}, {}]
    benchmark.write_text("\n".join(map(json.dumps, exam)) + "\n")
    settings = composed(
        f"output_dir={folder}",
        f"runner.workers={request.param}",
        "sink.rows_per_shard=20",
        "+recipe.stages.deduplicate.begins_segment=true",
        f"decontaminate.benchmarks={{exam: {{type: jsonl, path: {benchmark}}}}}",
    )
    segments = build_segments(settings, str(folder), str(folder / "ledger"))
    run = RunFolder(str(folder))
    records = [attempts(row, index) for index, row in enumerate(SEEDS)]
    records.append(attempts({**SEEDS[0], "code": SPAM}, "copy"))
    records.append(attempts(EXAM, "exam"))
    write_table(shard_path(run.path(segments[5].folder), "part", 0, 1), records, Attempts, "zstd")
    write_table(shard_path(run.path(segments[1].folder), "part", 0, 1), [], Seed, "zstd")
    manifest = new_manifest(settings, segments, layers=())
    for before, segment in zip(segments[5:], segments[6:], strict=False):
        entry = run_segment(segment, before, run, settings)
        manifest["segments"].append(entry)
    finish_manifest(manifest, run, segments, settings.prices)
    return folder, manifest


def test_solved_problems_become_rows_and_copies_become_rejects(finished):
    _, manifest = finished
    verify, deduplicate = (segment["stages"][0] for segment in manifest["segments"])
    assert (verify["in"], verify["kept"]) == (len(SEEDS) + 2, len(SEEDS) + 2)
    assert deduplicate["kept"] == len(SEEDS) + 1
    assert deduplicate["rejected"] == {"duplicate_instruction": 1}
    assert manifest["accepted"] == len(SEEDS)


def test_a_row_that_a_benchmark_has_is_a_reject_that_names_the_item(finished):
    folder, manifest = finished
    decontaminate = manifest["segments"][-1]["stages"][-1]
    assert decontaminate["rejected"] == {"contaminated": 1}
    assert decontaminate["benchmarks"] == {"exam": {"items": 2, "unreadable": 1}}
    rejects = pl.read_parquet(f"{folder}/rejects/*.parquet").filter(reason="contaminated")
    assert rejects["detail"].to_list() == [
        'exam 7 (exact): "ADA SHARES 60 NUTS WITH 4 FRIENDS. HOW MANY HAS EACH OF THEM…"'
    ]


def test_the_card_says_which_benchmarks_the_rows_were_compared_with(finished):
    _, manifest = finished
    assert "| exam | 2 | 1 |" in dataset_card(manifest)
    bare = {**manifest, "segments": manifest["segments"][:1]}
    assert "compared with no benchmark" in dataset_card(bare)


def test_rows_are_whole_and_load_in_datasets(finished):
    folder, manifest = finished
    rows = load_dataset("parquet", data_files=f"{folder}/data/*.parquet")["train"]
    assert len(rows) == len(SEEDS) == len(set(rows["id"]))
    by_instruction = {row["problem"]: row for row in SEEDS}
    for row in rows:
        seed = by_instruction[row["instruction"]]
        assert row["solution"] == seed["solution"]
        assert (row["agreement"], row["difficulty"], row["attempts"]) == (0.5, 0.5, 2)
        assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
        assert row["calls"] == [{"stage": "sample", "model": "m", "tokens": 1}]
        assert row["run_id"] == manifest["run_id"]
        assert json.loads(row["answer"]) is not None


def test_shards_are_numbered_and_no_larger_than_about_what_was_asked(finished):
    folder, _ = finished
    names = sorted(path.name for path in (folder / "data").iterdir())
    assert names == [f"train-0000{n}-of-00002.parquet" for n in range(2)]


def test_rows_keep_the_kind_asked_for_and_are_counted_by_it(finished):
    folder, manifest = finished
    counts = {"probability": 14, "rates": 13, None: 13}
    assert manifest["kinds"] == [{"kind": kind, "rows": n} for kind, n in counts.items()]
    kept = pl.read_parquet(f"{folder}/data/*.parquet")["kind"].value_counts()
    assert dict(kept.rows()) == counts
    assert "| probability | 14 |" in dataset_card(manifest)
    bare = {**manifest, "kinds": [{"kind": None, "rows": 40}]}
    assert "named no kind" in dataset_card(bare)


def test_the_card_names_the_data_its_columns_and_its_funnel(finished):
    _, manifest = finished
    card = dataset_card(manifest)
    assert card.startswith("---\n") and "path: data/train-*.parquet" in card
    assert "| agreement | double |" in card
    assert f"| verify | {len(SEEDS) + 2} | {len(SEEDS) + 2} | 0 |" in card
