"""An evaluation set is held against rows as hashes of what its kind of items has of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.hashes import HashesSettings, hashes
from tests.beam import on_workers
from tests.programs_for_tests import SANDBOX
from tests.stages.diversity.benchmarks import HUMANEVAL, SETTINGS, humaneval, shipped_seeds
from tests.stages.diversity.test_instructions import example
from transforms.engine.errors import SourceError
from transforms.stages.diversity import hashed
from transforms.stages.diversity.decontaminate import Decontaminate, check_benchmarks
from transforms.stages.diversity.hashed import HashedSet, build, evaluations, read_hashes
from transforms.stages.diversity.settings import DecontaminateSettings

PATCH = """--- a/toy/core.py
+++ b/toy/core.py
@@ -1,3 +1,4 @@
 def total(values):
-    return sum(values[1:])
+    checked = [value for value in values if value]
+    return sum(checked, start=type(values[0])())
"""
ISSUE = (
    "Summing an empty list of durations raises a type error since the start value is an integer "
    "and the first element of the list is left out as well."
)


def listed(tmp_path: Path, name: str, *rows: dict[str, Any]) -> HashedSet:
    source = tmp_path / "copy.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    build(name, str(source), str(tmp_path / "out" / f"{name}.parquet"))
    return read_hashes(str(tmp_path / "out" / f"{name}.parquet"))


@pytest.fixture
def swe(tmp_path: Path) -> HashedSet:
    row = {
        "problem_statement": ISSUE,
        "patch": PATCH,
        "instance_id": "toy__toy-17",
        "base_commit": "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
        "PASS_TO_PASS": '["tests/test_core.py::test_a_name_that_is_not_hashed"]',
    }
    return listed(tmp_path, "swe_bench", row)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"Please fix this: {ISSUE.upper()}", "words"),
        ("a\n  checked = [value for value in values if value]\n", None),
        ("  checked =  [value for value in values if value]\n"
         "\treturn sum(checked, start=type(values[0])())", "lines"),
        ("    return sum(values[1:])\n    return sum(values[1:])", None),
        ("See toy__toy-17.", "exact"),
        ("At a1b2c3d4e5f60718293a4b5c6d7e8f9012345678, nothing.", "exact"),
        ("tests/test_core.py::test_a_name_that_is_not_hashed", None),
        ("Summing an empty list of durations raises a type error.", None),
    ],
)  # fmt: skip
def test_an_issue_is_found_by_its_words_a_patch_by_two_lines_and_an_item_by_its_id(
    swe: HashedSet, text: str, kind: str | None
) -> None:
    repeated = swe.repeated(text)
    assert (repeated or "None").endswith(f"of {kind})" if kind else "None")


def test_a_chinese_task_is_found_by_its_characters(tmp_path: Path) -> None:
    task = "根据仓库内容请把给定的文件拆分成每页一个新的文件并保存到输出目录"
    held = listed(tmp_path, "gittaskbench", {"task_description": task, "task_id": "Toy_01"})
    assert held.repeated(f"任务：{task[:22]}") and not held.repeated(task[:18])


def test_a_package_is_judged_by_share_and_not_by_one_hit(tmp_path: Path) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "start.md").write_text(words)
    build("nl2repo", str(tmp_path / "toy"), str(tmp_path / "nl2repo.parquet"))
    held = read_hashes(str(tmp_path / "nl2repo.parquet"))
    other = " ".join(f"other{number}" for number in range(3000))
    first = words.split()
    assert held.repeated(" ".join(first[:14])) and not held.repeated(" ".join(first[:13]))
    assert held.repeated(f"{other[:9000]} {' '.join(first[:20])}")
    assert not held.repeated(f"{other} {' '.join(first[:14])}")


def test_code_is_held_without_its_comments_and_docstrings_by_themselves(tmp_path: Path) -> None:
    said = "Integrates the motion of a damped pendulum with the step that the caller has set here."
    other = "This comment has words of its own, more than thirteen of them, and nobody hashes it."
    code = f'def swing(angle):\n    """{said}"""\n    # {other}\n'
    held = listed(tmp_path, "sgi", {"incomplete_functions": code + "    return 1\n"})
    assert held.repeated(said) and not held.repeated(other)
    body = "speed = speed + step * (pull * length - loss * speed) / mass * a + b * c + d * e - f"
    held = listed(tmp_path, "canitedit", {"before": f"{body}  # {said}"})
    assert held.repeated(body) and not held.repeated(said)


def test_what_many_items_share_is_a_phrase_of_the_trade(tmp_path: Path) -> None:
    phrase = "Let us say that a robe takes so many bolts of fibre as there are"
    rows = [{"question": f"{phrase}. And number {n} is {'abcd'[n] * 5}."} for n in range(4)]
    assert not listed(tmp_path, "gsm8k", *rows).repeated(phrase)


def test_every_set_reads_its_columns_and_says_which_are_missing(tmp_path: Path) -> None:
    for name, rule in evaluations().items():
        columns = [c for kind, listed_ in rule.items() if kind in hashed._READ for c in listed_]
        text = '"""' + " ".join(f"token{n}" for n in range(40)) + '"""'
        assert listed(tmp_path, name, dict.fromkeys(columns, text)).repeated(text)
        if "*" not in columns:
            with pytest.raises(
                SourceError, match=f"none of the columns of {name}, .*: {columns[0]}"
            ):
                listed(tmp_path, name, {"other": text})
    with pytest.raises(SourceError, match="there is no evaluation mine: there are swe_bench"):
        build("mine", str(tmp_path), "out")


def test_rows_that_repeat_a_hashed_set_are_rejected_and_strangers_kept(tmp_path: Path) -> None:
    output = str(tmp_path / "humaneval.parquet")
    hashes(HashesSettings(name="humaneval", path=HUMANEVAL, output=output), _quiet())
    settings = DecontaminateSettings(**SETTINGS, hashes={"humaneval": output})
    strangers = [example(f"seed {n}", s["problem"]) for n, s in enumerate(shipped_seeds()[::40])]
    copy = example("copy", humaneval()[12]["prompt"])
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = (
            pipeline
            | beam.Create([*strangers, copy])
            | Decontaminate(decontaminate=settings, sandbox=SANDBOX)
        )
        lost = outcome.rejected | beam.Map(lambda r: (r.id, r.reason, r.detail[:10]))
        assert_that(lost, equal_to([("copy", "contaminated", "humaneval ")]))


def _quiet() -> Any:
    import io

    from rich.console import Console

    return Console(file=io.StringIO())


def test_a_list_that_is_missing_is_named_before_the_run(tmp_path: Path) -> None:
    settings = DecontaminateSettings(**SETTINGS, hashes={"sgi": str(tmp_path / "no.parquet")})
    with pytest.raises(SourceError, match="decontaminate.hashes.sgi.*`cotmill hashes sgi`"):
        check_benchmarks(settings)
    pl.DataFrame({"kind": ["words"], "hash": [1]}).write_parquet(tmp_path / "no.parquet")
    with pytest.raises(SourceError, match="is no file of `cotmill hashes`"):
        check_benchmarks(settings)


def test_a_list_counts_by_its_content(tmp_path: Path) -> None:
    output = str(tmp_path / "swe_bench.parquet")
    settings = DecontaminateSettings(**SETTINGS, hashes={"swe_bench": output})
    found = []
    for text in (ISSUE, ISSUE[::-1]):
        (tmp_path / "copy.jsonl").write_text(json.dumps({"problem_statement": text}))
        build("swe_bench", str(tmp_path / "copy.jsonl"), output)
        found.append(settings.identity())
    assert found[0] != found[1]
    assert "hashes" not in DecontaminateSettings(**SETTINGS).identity()
