"""A whole run of swe_patch against a scripted server, its replay, and its exports."""

from __future__ import annotations

import difflib
import io
import re
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from pipelines.export import ExportSettings, export
from pipelines.synthesize import synthesize
from tests.chat_server import chat_server
from tests.pipelines.commands import settings_of
from tests.settings_for_tests import composed
from transforms.engine.paths import DATA
from transforms.publish.reward import reward

SPANS = DATA / "packages" / "spans"


def mender(body: dict[str, Any]) -> dict[str, Any]:
    """Mends the modules that it is shown, from what was published; or, by the seed, does not."""
    question = body["messages"][-1]["content"]
    diff = ""
    for path, text in re.findall(
        r"^(spans/\w+\.py):\n\n```python\n(.*?)\n```$", question, re.S | re.M
    ):
        old, new = (
            f"{each}\n".splitlines(True) for each in (text, (SPANS / path).read_text()[:-1])
        )
        diff += "".join(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"))
    return {"content": f"So:\n```diff\n{diff}```" if body["seed"] % 2 else "I cannot."}


def run(folder: Path, url: str, *more: str) -> list[dict[str, Any]]:
    settings = composed(
        "recipe=swe_patch", "source=package", f"source.packages=[{SPANS}]", "backend=openai",
        f"backend.base_url={url}", "backend.model=m", "recipe.stages.bugs.most=2",
        "recipe.stages.attempt.sampler.samples=8", "sandbox.slots=1", f"output_dir={folder}", *more,
    )  # fmt: skip
    synthesize(settings, Console(file=io.StringIO()))
    return pl.read_parquet(folder / "data" / "*.parquet").sort("id").to_dicts()


def test_diffs_are_rows_whose_reward_runs_offline_and_a_replay_gives_the_same(
    tmp_path: Path,
) -> None:
    with chat_server(mender) as (url, asked):
        rows = run(tmp_path / "run", url)
        before = len(asked)
        again = run(tmp_path / "again", url, f"ledger.dir={tmp_path}/run/ledger")
        assert (again, len(asked)) == (rows, before)
    assert rows and all(0 < row["agreement"] < 1 and row["license"] == "Apache-2.0" for row in rows)
    given = [f"run={tmp_path}/run", "format=rl", "template=null", f"output_dir={tmp_path}/rl"]
    export(settings_of("export", ExportSettings, *given), Console(file=io.StringIO()))
    [example, *_] = pl.read_parquet(tmp_path / "rl" / "data" / "*.parquet").to_dicts()
    row = next(row for row in rows if row["answer"] == example["answer"])
    assert reward(row["messages"][-1]["content"], example) == 1
    assert reward("```diff\n--- a/x\n```", example) == 0
