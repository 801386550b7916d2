"""cotmill train, whole: the real command on the real small model, and a tiny one for the rest."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest
from rich.console import Console

from pipelines.benches.programs import shipped_seeds
from pipelines.export import ExportSettings, export
from pipelines.hydra_app import options
from pipelines.train import divide, identity_of, train
from tests.pipelines.commands import settings_of
from tests.publish.export import runs
from tests.training.tiny import SMALL, train_settings, write_tiny_model
from transforms.engine.errors import BackendError, RunFolderError, SettingsError, SourceError
from transforms.engine.paths import DATA, PROJECT
from transforms.engine.run_folder import RunFolder
from transforms.training.exported import conversations
from transforms.training.trainer import TrainSettings, load_tokenizer


def cotmill(
    *arguments: str,
    launcher: tuple[str, ...] = (),
    check: bool = True,
    cwd: Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "pipelines.cli", "train", *arguments],
        capture_output=True,
        text=True,
        timeout=800,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
        cwd=cwd,
    )
    if check:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Six shipped seeds of two kinds."""
    lines = [
        line
        for kind in ("rates", "geometry")
        for line in (DATA / "seeds" / f"{kind}.jsonl").read_text().splitlines()[:3]
    ]
    path = tmp_path_factory.mktemp("seeds") / "seeds.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def _settings(tiny: str, seeds: str, folder: Path, *overrides: str) -> TrainSettings:
    return train_settings(
        "source=jsonl",
        f"source.path={seeds}",
        f"model.name={tiny}",
        f"output_dir={folder}",
        "optim.max_steps=2",
        *SMALL,
        *overrides,
    )


def _train(settings: TrainSettings) -> tuple[dict[str, Any], str]:
    """Trains in this process; returns the manifest and what was printed."""
    printed = io.StringIO()
    manifest = train(settings, "cotmill train", Console(file=printed, width=100))
    return manifest, printed.getvalue()


# The real command and the real model.


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder, and the process, of 20 steps on the shipped seeds and the embedded model."""
    here = tmp_path_factory.mktemp("smoke")
    done = cotmill(
        "output_dir=out",
        "optim.max_steps=20",
        "optim.batch_size=2",
        "optim.max_length=224",
        "optim.log_steps=1",
        "tasks.mix.reverse=0",
        "tasks.holdout_kinds=[strings]",
        cwd=here,
    )
    return here / "out", done


@pytest.mark.model
def test_the_loss_falls_in_twenty_steps(smoke: tuple[Path, Any]) -> None:
    log = json.loads((smoke[0] / "manifest.json").read_text())["log"]
    assert len([entry for entry in log if "loss" in entry]) == 20
    # Held-out examples are the same each time; those of a step are long or short.
    sums = [0.0, 0.0]
    for task in ("codegen", "codegen_kind", "solve"):
        measured = [entry[f"eval_{task}_loss"] for entry in log if f"eval_{task}_loss" in entry]
        sums = [total + loss for total, loss in zip(sums, measured, strict=True)]
    assert sums[1] < sums[0]


@pytest.mark.model
def test_what_is_left_is_a_small_adapter_its_card_and_its_curve(smoke: tuple[Path, Any]) -> None:
    files = {file.name: file.stat().st_size for file in (smoke[0] / "adapter").iterdir()}
    assert set(files) == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "loss.png",
    }
    assert 1_000_000 < files["adapter_model.safetensors"] < 8_000_000


@pytest.mark.model
def test_no_path_of_this_machine_is_in_the_adapter(smoke: tuple[Path, Any]) -> None:
    content = b"".join(file.read_bytes() for file in (smoke[0] / "adapter").iterdir())
    for path in (str(smoke[0].parent), str(PROJECT), str(Path.home() / ".cache")):
        assert path.encode() not in content


@pytest.mark.model
def test_only_what_a_user_wants_to_know_is_printed(smoke: tuple[Path, Any]) -> None:
    done = smoke[1]
    assert done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    firsts = [words[0] for words in lines]
    assert firsts[:3] == ["verifying", "Examples", "task"]
    steps = [words for words in lines if words[0] == "step" and "training" in words]
    assert len(steps) == 20 and steps[0][-2:] == ["min", "left"]
    assert done.stdout.rstrip().endswith(
        "cotmill synthesize backend.adapter=" + str(smoke[0] / "adapter")
    )


# The rest is seen with the tiny model.


def test_a_stopped_training_goes_on_from_its_checkpoint(
    tiny: str, seeds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    keys = ("optim.max_steps=4", "optim.save_steps=2", "tasks.holdout_kinds=[rates]")
    plain = Trainer.log

    def stopped(self: Any, logs: Any, *rest: Any) -> None:
        plain(self, logs, *rest)
        if self.state.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "log", stopped)
        with pytest.raises(KeyboardInterrupt):
            _train(_settings(tiny, seeds, tmp_path, *keys))
    manifest, printed = _train(_settings(tiny, seeds, tmp_path, *keys, "resume=true"))
    assert "verifying" not in printed and "step 2/4" not in printed
    assert (manifest["status"], manifest["figures"]["steps"]) == ("complete", 4)
    assert manifest["figures"]["timed_steps"] == 2
    steps = [entry["step"] for entry in manifest["log"] if "loss" in entry]
    assert steps == [1, 2, 3, 4]
    assert [e["step"] for e in manifest["log"] if "eval_solve_loss" in e] == [0, 4]


def test_a_training_is_not_resumed_with_other_settings(
    tiny: str, seeds: str, tmp_path: Path
) -> None:
    _train(_settings(tiny, seeds, tmp_path))
    with pytest.raises(RunFolderError, match="holds a training with other settings"):
        _train(_settings(tiny, seeds, tmp_path, "resume=true", "optim.learning_rate=0.5"))
    with pytest.raises(RunFolderError, match="is not empty"):
        _train(_settings(tiny, seeds, tmp_path))
    manifest, _ = _train(_settings(tiny, seeds, tmp_path, "overwrite=true", "optim.max_steps=1"))
    assert manifest["figures"]["steps"] == 1
    assert [file.name for file in tmp_path.glob("checkpoints/*/trainer_state.json")] == [
        "trainer_state.json"
    ]


def test_a_training_does_not_resume_a_run(tiny: str, seeds: str, tmp_path: Path) -> None:
    RunFolder(str(tmp_path)).write_manifest({"run_id": "0" * 32, "segments": []})
    with pytest.raises(RunFolderError, match="holds a run, not a training"):
        _train(_settings(tiny, seeds, tmp_path, "resume=true"))


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("output_dir=elsewhere", True),
        ("optim.save_steps=7", True),
        ("sandbox.slots=1", True),
        ("optim.max_steps=9", False),
        ("tasks.holdout_kinds=[rates]", False),
        ("tasks.mix.unify=1", False),
        ("seed=1", False),
    ],
)
def test_a_training_is_known_by_what_decides_its_weights(override: str, same: bool) -> None:
    plain = identity_of(train_settings())
    assert (identity_of(train_settings(override)) == plain) is same


def test_all_weights_are_trained_into_a_model_that_loads(
    tiny: str, seeds: str, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    manifest, _ = _train(_settings(tiny, seeds, tmp_path, "lora=off"))
    assert manifest["model_folder"] == str(tmp_path / "model")
    trained = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype="auto")
    base = AutoModelForCausalLM.from_pretrained(tiny, dtype="auto")
    assert trained.dtype == torch.bfloat16
    assert not torch.equal(trained.lm_head.weight, base.lm_head.weight)
    assert AutoTokenizer.from_pretrained(tmp_path / "model").eos_token == "<|im_end|>"
    figures = manifest["figures"]
    assert figures["parameters_trained"] == figures["parameters"]


def test_an_adapter_trains_few_parameters_and_names_its_base(
    tiny: str, seeds: str, tmp_path: Path
) -> None:
    manifest, _ = _train(_settings(tiny, seeds, tmp_path))
    figures = manifest["figures"]
    assert 0 < figures["parameters_trained"] < figures["parameters"] / 10
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"]) == (tiny, 12)


def test_processes_of_a_group_share_the_work_and_the_first_one_speaks(
    tiny: str, seeds: str, tmp_path: Path
) -> None:
    group = ("-m", "torch.distributed.run", "--nproc_per_node", "2")
    done = cotmill(
        "source=jsonl",
        f"source.path={seeds}",
        f"model.name={tiny}",
        f"output_dir={tmp_path}",
        "optim.max_steps=3",
        *SMALL,
        launcher=group,
        OMP_NUM_THREADS="1",
    )
    assert done.stdout.count("verifying the seeds") == done.stdout.count("step 3/3") == 1
    assert done.stderr == ""
    trained = json.loads((tmp_path / "manifest.json").read_text())
    assert trained["status"] == "complete"
    assert [entry["step"] for entry in trained["log"] if "loss" in entry] == [1, 2, 3]
    assert len(list(tmp_path.glob("**/checkpoint-3/rng_state_*.pth"))) == 2  # of two processes


# What is trained on.


def test_held_out_kinds_are_never_trained_on() -> None:
    settings = train_settings("tasks.holdout_kinds=[rates]", "optim.max_length=2048")
    training, held_out, counts = divide(shipped_seeds(), settings)
    assert {item.kind for item in held_out} == {"rates"}
    assert "rates" not in {item.kind for item in training} and training
    assert sum(count["held_out"] for count in counts.values()) == len(held_out)


def test_examples_too_long_are_left_out_and_counted() -> None:
    whole, _, _ = divide(shipped_seeds(), train_settings("optim.max_length=4096"))
    short, _, counts = divide(shipped_seeds(), train_settings("optim.max_length=256"))
    left_out = sum(count["too_long"] for count in counts.values())
    assert left_out > 0 and len(short) + left_out == len(whole)
    assert all(count["tokens"] <= 256 * count["training"] for count in counts.values())


def test_without_an_example_there_is_no_training(tiny: str, seeds: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no example is left to train on"):
        _train(_settings(tiny, seeds, tmp_path, "optim.max_length=32"))


def _exported(folder: Path, *overrides: str) -> str:
    """An export of eight accepted rows, two of them for validation."""
    run = runs.caco(folder / "run", 8)
    given = [f"run={run.root}", f"output_dir={folder}/export", "template=null", *overrides]
    chosen = settings_of("export", ExportSettings, "splits.validation=2", *given)
    export(chosen, Console(file=io.StringIO()))
    return f"{folder}/export"


def test_the_rows_of_any_recipe_are_trained_on_by_their_export(tiny: str, tmp_path: Path) -> None:
    folder = _exported(tmp_path)
    settings = _settings(tiny, "none.jsonl", tmp_path / "out", f"examples={folder}")
    manifest, _ = _train(settings)
    counted = manifest["examples"]["export"]
    assert (counted["training"], counted["held_out"], counted["too_long"]) == (6, 2, 0)
    assert any("eval_export_loss" in entry for entry in manifest["log"])
    assert "An example is a conversation" in (tmp_path / "out/adapter/README.md").read_text()


def test_of_an_exported_conversation_the_turns_in_its_mask_are_learned(
    tiny: str, tmp_path: Path
) -> None:
    folder, tokenizer = _exported(tmp_path), load_tokenizer(tiny)
    item = next(conversations(folder, "train", tokenizer))
    row = datasets.load_dataset(folder, cache_dir=f"{tmp_path}/cache")["train"][0]
    learned = tokenizer.decode([token for token in item.labels if token != -100])
    assert row["loss_mask"] == [False, True]
    assert learned.removesuffix("<|im_end|>\n") == row["messages"][1]["content"]


@pytest.mark.parametrize("shape", ["prompt_completion", None])
def test_a_folder_that_is_no_export_of_conversations_is_one_line(
    tiny: str, tmp_path: Path, shape: str | None
) -> None:
    folder = _exported(tmp_path, f"format.shape={shape}") if shape else str(tmp_path)
    with pytest.raises(SettingsError, match="is no export of conversations: make one with"):
        _train(_settings(tiny, "none.jsonl", tmp_path / "out", f"examples={folder}"))


def test_a_template_that_hides_tool_calls_cannot_train_on_them(tiny: str, tmp_path: Path) -> None:
    run = runs.tool_math(tmp_path / "run")
    given = [f"run={run.root}", f"output_dir={tmp_path}/export", "template=null"]
    export(settings_of("export", ExportSettings, *given), Console(file=io.StringIO()))
    with pytest.raises(SettingsError, match="calls tools, which the chat template of model.name"):
        next(conversations(f"{tmp_path}/export", "train", load_tokenizer(tiny)))


def test_a_kind_that_no_seed_has_cannot_be_held_out(tiny: str, seeds: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="of the kind ratse: the seeds have geometry, rates"):
        _train(_settings(tiny, seeds, tmp_path, "tasks.holdout_kinds=[rates,ratse]"))


# What is refused, in one line.


def test_a_model_that_is_not_there_is_one_line(seeds: str, tmp_path: Path) -> None:
    settings = _settings(str(tmp_path / "none"), seeds, tmp_path / "out")
    with pytest.raises(BackendError, match="model.name=.*none cannot be loaded") as caught:
        _train(settings)
    assert "\n" not in str(caught.value)


def test_a_missing_package_names_its_extra(
    seeds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(BackendError, match=r"needs trl .*: pip install 'cotmill\[train\]'"):
        _train(_settings("none", seeds, tmp_path))


def test_a_bucket_cannot_be_trained_into(seeds: str) -> None:
    done = cotmill("output_dir=gs://bucket/x", check=False)
    [line] = done.stderr.splitlines()
    assert done.returncode == 1
    assert line == "cotmill: output_dir=gs://bucket/x: training writes to a local folder; name one"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("resume=true", "overwrite=true"), "resume and overwrite exclude each other"),
        (("tasks.mix.solve=-1",), "tasks.mix.solve=-1.*greater than or equal to 0"),
        (("tasks.mix.poem=1",), "tasks.mix.poem='poem'.* should be 'codegen'"),
        (("optim.learning_rate=0",), "optim.learning_rate=0"),
    ],
)
def test_a_wrong_setting_is_one_line(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        train_settings(*overrides)
    assert "\n" not in str(caught.value)


# Settings.


def test_cacos_training_has_its_published_settings() -> None:
    settings = train_settings("train=caco_qwen_7b")
    optim = settings.optim
    assert (settings.model.name, settings.lora.rank) == ("Qwen/Qwen2.5-Coder-7B", 0)
    assert (optim.epochs, optim.learning_rate, optim.schedule) == (1, 5e-6, "cosine")
    assert (optim.max_length, settings.tasks.mix) == (2048, {"codegen": 1})


def test_help_explains_every_option() -> None:
    values = train_settings().model_dump(by_alias=True)
    unexplained = [key for key, field, _ in options(TrainSettings, values) if not field.description]
    assert unexplained == ["source.type"]  # which the choice of a source sets
    done = cotmill("--help")
    for shown in ("optim.learning_rate", "lora.rank", "tasks.holdout_kinds", "caco_qwen_7b"):
        assert shown in done.stdout
    assert "zero3" not in done.stdout  # accelerate's files are no choices of Hydra's


@pytest.mark.parametrize("name", ["multi_gpu", "zero2", "zero3"])
def test_accelerate_reads_the_launch_files(name: str) -> None:
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    config = load_config_from_file(str(PROJECT / "conf" / "accelerate" / f"{name}.yaml"))
    assert isinstance(config, ClusterConfig)
    zero = config.deepspeed_config.get("zero_stage")
    assert (config.num_processes, zero) == (8, {"zero2": 2, "zero3": 3}.get(name))
