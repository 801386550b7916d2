"""The status names every layer; the bench ends in one JSON line with all its figures."""

import json

import pytest

from tests.pipelines.commands import cotmill


def test_status_has_a_row_for_each_layer_and_says_whether_strict_starts():
    done = cotmill("sandbox", "status")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line.strip()}
    for layer in ("user_namespace", "network_namespace", "seccomp", "landlock", "cgroup"):
        assert rows[layer] in ("active", "unavailable")
    assert "sandbox=strict" in done.stdout


def test_the_bench_ends_in_one_line_of_json_with_every_figure():
    done = cotmill("bench", "sandbox", "programs=10", "rounds=1", "sandbox.wall_seconds=60")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["over_manager_ratio"] > 0
    assert figures["of_fork_limit_ratio"] > 0
    mixes = {(row["mix"], row["executor"]) for row in figures["rows"]}
    assert {mix for mix, _ in mixes} == {"mixed", "codeio"} and len(mixes) == 10


@pytest.mark.parametrize("arguments", [("bench", "nothing"), ("sandbox", "nothing")])
def test_a_word_that_is_not_known_shows_the_usage(arguments):
    done = cotmill(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("Usage: cotmill")
