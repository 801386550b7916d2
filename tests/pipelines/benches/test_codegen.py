"""The codegen bench: the same run with two models, and what became of each one's programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

from pipelines.benches.codegen import BenchCodegenSettings, asked, run_settings
from pipelines.hydra_app import settable, to_settings
from tests.models.fault_server import fault_server
from tests.pipelines.shipped_answers import shipped_answer, stage_of, write_seeds
from transforms.engine.paths import CONF


def _settings(*overrides: str) -> BenchCodegenSettings:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        config = compose("bench_codegen", [settable(item) for item in overrides])
        return to_settings(config, BenchCodegenSettings)


def test_it_asks_for_the_kinds_that_the_embedded_adapter_was_not_trained_on() -> None:
    trained = yaml.safe_load((CONF / "train" / "embedded.yaml").read_text())
    assert _settings().kinds == trained["tasks"]["holdout_kinds"]


def test_both_runs_draw_as_many_prompts_of_the_same_kinds() -> None:
    settings = _settings("num_programs=7", "kinds=[rates]")
    runs = [run_settings(settings, way, "x") for way in (settings.before, settings.after)]
    assert [(run.sampling.num_programs, run.sampling.kinds) for run in runs] == [(7, ["rates"])] * 2
    assert [run.backend.answering for run in runs] == ["embedded", "embedded+smollm2-135m-caco"]
    assert runs[0].source == runs[1].source


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("num_programs=7", "kind"),
        ("after.sampling.conditioning=few_shot", "few_shot"),
        ("after.sampling.conditioning={kind: 2, few_shot: 1}", "kind 2 + few_shot 1"),
    ],
)
def test_what_the_trained_model_is_shown_can_be_set(override: str, said: str) -> None:
    assert asked(_settings(override).after).removeprefix("embedded+smollm2-135m-caco, ") == said


def _untrained(prompt: str) -> str:
    """Programs and problems as the other, but no solution."""
    return " I do not know." if stage_of(prompt) == "solve" else shipped_answer(prompt)


def test_the_funnels_of_both_models_are_told(tmp_path: Path) -> None:
    seeds = write_seeds(tmp_path / "seeds.jsonl")
    with fault_server(answer=_untrained) as before, fault_server(answer=shipped_answer) as after:
        ways = [
            override
            for name, server in (("before", before), ("after", after))
            for override in (
                f"backend@{name}.backend=openai",
                f"{name}.backend.base_url={server.base_url}",
                f"{name}.backend.model={name}",
                f"{name}.backend.api=completions",
                f"{name}.sampling.conditioning=few_shot",
                f"{name}.sampling.solve.samples=1",
                *(f"{name}.sampling.{stage}.shots=1" for stage in ("program", "reverse", "solve")),
            )
        ]
        arguments = [
            *(sys.executable, "-m", "pipelines.cli", "bench", "codegen", *ways),
            *("kinds=[number_theory]", "num_programs=24", f"output_dir={tmp_path / 'runs'}"),
            *("source=jsonl", f"source.path={seeds}", "source.license=Apache-2.0"),
            *("filter.max_trivial_share=1", "sandbox.slots=2", "verify.rounds=1"),
        ]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        first = sum(after.asked.values())
        again = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
        assert again.stdout == done.stdout and sum(after.asked.values()) == first
    told = json.loads(done.stdout.splitlines()[-1])
    lost, won = told["rows"]
    assert told["kinds"] == ["number_theory"]
    assert [row["programs"] for row in told["rows"]] == [24, 24]
    assert lost["kept_share"] == won["kept_share"] > 0
    assert (lost["accepted"], lost["tokens_per_accepted"], lost["fingerprints"]) == (0, None, 0)
    assert 0 < won["fingerprints"] <= won["accepted"] == round(24 * won["accepted_share"])
    assert won["runnable_share"] >= won["kept_share"] >= won["accepted_share"]
    assert won["tokens_per_accepted"] > 0
    [line] = [line for line in done.stdout.splitlines() if line.strip().startswith("after ")]
    assert f"{100 * won['accepted_share']:.1f}" in line.split()
