"""The command helps those who ask, and names what it does not know."""

import subprocess
import sys

import pytest
from apache_beam.io.filesystems import FileSystems

from pipelines import cli, hydra_app
from pipelines.cli import main
from pipelines.hydra_app import chosen, is_caused_by, options, settable, user_message
from pipelines.stage_help import unread
from tests.settings_for_tests import composed
from transforms.engine.errors import BackendError, BudgetReached, SettingsError
from transforms.recipes.settings import Settings


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=600
    )


def test_help_lists_the_commands():
    done = run("pipelines.cli", "--help")
    assert done.returncode == 0 and "synthesize" in done.stdout


def test_an_unknown_command_is_named_with_those_there_are():
    done = run("pipelines.cli", "synthesise")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("cotmill: there is no command 'synthesise': synthesize, ")


@pytest.mark.parametrize(
    "arguments",
    [("--help", "ledger", "status"), ("ledger", "--help", "status"), ("ledger", "status", "-h")],
)
def test_help_may_be_asked_for_in_any_place(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cotmill", *arguments])
    main()
    assert "ledger.dir" in capsys.readouterr().out


def test_a_flag_before_the_settings_and_a_value_that_hydra_does_not_know_are_read():
    done = run("pipelines.cli", "report", "--cfg", "job", "output_dir=größe=1/a b")
    assert done.returncode == 0, done.stderr
    assert "output_dir: größe=1/a b" in done.stdout


@pytest.mark.parametrize(
    "setting", ["source=7", "source={type: mix, x: 1}", "backend=[vllm]", "recipe=null"]
)
def test_a_group_is_chosen_by_a_name(setting):
    with pytest.raises(SettingsError, match="there is no such choice: .*a setting of it is"):
        chosen(setting)


@pytest.mark.parametrize("setting", ["source=shipped", "source=a,b", "source.limit=7", "seed=7"])
def test_names_of_choices_and_settings_are_left_as_they_are(setting):
    assert chosen(setting) == setting


@pytest.mark.parametrize("folder", ["/dev/null", "/dev/null/below", "/proc/none", "x" * 300])
def test_a_folder_that_cannot_be_written_is_one_line(folder, tmp_path):
    path = folder if folder.startswith("/") else str(tmp_path / folder)
    settings = ["recipe=augment", "source.limit=1", f"output_dir={path}"]
    done = run("pipelines.cli", "synthesize", *settings)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert path in line and ("cannot be used" in line or "cannot be made" in line)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["synthesize", "runner.workers=2"], ["server", "pipelines.synthesize"]),
        (["synthesize", "runner.workers=1"], ["pipelines.synthesize"]),
        (["synthesize", "runner=flink"], ["pipelines.synthesize"]),
        (["bench", "scale", "runner.workers=2"], ["pipelines.bench"]),
    ],
)
def test_the_server_of_several_workers_is_begun_before_the_command_is_imported(
    arguments, expected, monkeypatch
):
    begun = []

    def imported(name):
        begun.append(name)
        raise SystemExit

    monkeypatch.setattr("sys.argv", ["cotmill", *arguments])
    monkeypatch.setattr(cli, "begin_server", lambda: begun.append("server"))
    monkeypatch.setattr(cli, "import_leanly", imported)
    with pytest.raises(SystemExit):
        main()
    assert begun == expected


def test_ctrl_c_while_a_command_is_imported_is_one_line(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_leanly", interrupted)
    monkeypatch.setattr(sys, "argv", ["cotmill", "synthesize"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "cotmill: interrupted before the command began\n"


@pytest.mark.parametrize(
    ("group", "name", "expected"),
    [
        ("recipe", "augmented", "did you mean augment or "),
        ("recipe", "xyzzy", "see cotmill recipes"),
        ("sandbox", "xyzzy", "auto, none, strict"),
    ],
)
def test_a_choice_that_is_not_there_is_one_short_line(group, name, expected):
    error = Exception(f"Could not find '{group}/{name}'")
    message = hydra_app.hydra_mistake(error)
    assert message.startswith(f"{group}={name}: there is no such choice: {expected}")
    assert len(message) < 120


def test_letters_that_the_terminal_lacks_do_not_end_a_command(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run("pipelines.cli", "report", "--cfg", "job", "output_dir=größe")
    assert done.returncode == 0 and "output_dir: gr??e" in done.stdout


@pytest.mark.parametrize("command", ["bench", "backend", "sandbox", "ledger"])
def test_help_of_a_command_of_two_words_is_no_error_and_a_wrong_word_is_one(
    command, monkeypatch, capsys
):
    for arguments, status in (([command, "--help"], 0), ([command, "nothing"], 2)):
        monkeypatch.setattr(sys, "argv", ["cotmill", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == status
        assert f"Usage: cotmill {command}" in capsys.readouterr().err


def test_help_without_groups_shows_none(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cotmill", "recipes", "--help"])
    main()
    shown = capsys.readouterr().out
    assert "GROUP" not in shown and "show this recipe alone" in shown


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["recipes", "kaco"], "name=kaco: there is no such choice: did you mean caco"),
        (["ledger", "status", "/nowhere"], "there is no ledger in /nowhere"),
        (["dedup", "x.parquet"], "output_dir is missing: set output_dir=VALUE (folder to write"),
        (["synthesize", "kaco"], "recipe=kaco: there is no such choice: did you mean caco"),
        (["backend", "check", "http://x"], "backend.model is missing: set backend.model=VALUE ("),
    ],
)
def test_what_comes_first_may_be_a_bare_word(arguments, line, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cotmill", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert line in capsys.readouterr().err


def test_a_value_that_the_shell_took_apart_is_one_line_with_the_fix():
    done = run("pipelines.cli", "report", "output_dir=my", "run")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "'run' is not a setting" in line and "'output_dir=my run'" in line


@pytest.mark.parametrize(
    "module", [("pipelines.cli", "synthesize"), ("pipelines.synthesize",)], ids=["cotmill", "-m"]
)
def test_help_of_a_command_shows_every_option_with_its_meaning(module):
    done = run(*module, "backend=openai", "source=jsonl", "--help")
    assert done.returncode == 0, done.stderr
    for shown in ("backend.base_url", "(required)", "sampling.num_programs", "Groups", "openai"):
        assert shown in done.stdout
    assert "gpu_memory_utilization" not in done.stdout


@pytest.mark.parametrize(
    ("recipe", "left_out"),
    [
        ("caco", {"augmentation"}),
        ("tool_math", {"sampling", "filter", "verify", "dedup", "decontaminate", "augmentation"}),
        ("augment", {"backend", "models", "ledger", "budget", "prices", "sampling", "verify",
                     "dedup", "decontaminate"}),
    ],
)  # fmt: skip
def test_help_leaves_out_the_groups_that_no_stage_of_the_recipe_reads(recipe, left_out):
    assert unread(hydra_app.composed("synthesize", [f"recipe={recipe}"])["recipe"]) == left_out


def test_every_option_of_the_settings_is_offered_by_help():
    values = composed("backend=vllm").model_dump(by_alias=True)
    keys = {key for key, _, _ in options(Settings, values)}
    assert {"output_dir", "sampling.solve.top_p", "runner.options", "ledger.dir"} <= keys
    assert len(keys) > 70


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("sandbox.slots=2", "++sandbox.slots=2"),
        ("output_dir=x", "++output_dir=x"),
        ("backend=openai", "backend=openai"),
        ("+backend.x=1", "+backend.x=1"),
        ("~source.limit", "~source.limit"),
        ("hydra.verbose=true", "hydra.verbose=true"),
        ("--help", "--help"),
    ],
)
def test_plain_overrides_may_set_keys_that_no_yaml_lists(argument, expected):
    assert settable(argument) == expected


WARNS = """
import logging, sys
import transforms.models.ledger.ledger
from pipelines.hydra_app import run_command
from pipelines.report import ReportSettings

def main(settings):
    logging.getLogger("transforms.models.ledger.ledger").warning("a part is damaged")
    logging.getLogger("another_library").warning("noise")
    from huggingface_hub.utils import logging as hub
    hub.get_logger("huggingface_hub.utils._http").warning("noise")

run_command("report", "", ReportSettings, main)
"""


def test_warnings_reach_the_user_and_those_of_libraries_do_not():
    done = subprocess.run(
        [sys.executable, "-c", WARNS, "output_dir=x"], capture_output=True, text=True, check=True
    )
    assert "a part is damaged" in done.stderr and "noise" not in done.stderr


def test_a_users_error_is_found_inside_what_a_worker_process_left_of_it():
    text = (
        "Traceback (most recent call last):\n  File ...\n"
        "transforms.engine.errors.BackendError: nothing answers at x [while running 'unify/Ask']\n"
    )
    assert user_message(RuntimeError(text)) == "nothing answers at x"
    wrapped = RuntimeError("outer")
    wrapped.__cause__ = BackendError("inner [while running 'unify/Ask']")
    assert user_message(wrapped) == "inner"
    assert user_message(RuntimeError("a bug")) is None


def test_an_errors_kind_is_known_inside_what_a_worker_process_left_of_it():
    text = "Traceback ...\ntransforms.engine.errors.BudgetReached: spent [while running 'Ask']\n"
    assert is_caused_by(RuntimeError(text), BudgetReached)
    assert not is_caused_by(RuntimeError(text), BackendError)
    wrapped = RuntimeError("outer")
    wrapped.__context__ = BudgetReached("it is spent")
    assert is_caused_by(wrapped, BudgetReached)


def test_a_full_disk_a_dead_worker_and_a_missing_filesystem_say_how_to_go_on():
    full = OSError(28, "No space left on device")
    assert "No space left on device" in user_message(full)
    assert "resume=true" in user_message(full)
    with pytest.raises(ValueError) as nothing:
        FileSystems.exists("nowhere://bucket/run")
    assert user_message(nothing.value).startswith("nowhere://bucket/run: ")
    assert "resume=true" in user_message(RuntimeError("Channel closed prematurely."))
