"""`cotmill init recipe` refuses what would not run; tests/test_pages.py runs what it writes."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["caco", "folder=new"], "name=caco is the name of a recipe or module"),
        (["json", "folder=new"], "name=json is the name of a recipe or module"),
        (["sums", "folder=."], "folder=. exists"),
        (["sums", "folder=/proc/none"], "folder=/proc/none cannot be made"),
        (["Sums", "folder=new"], "name='Sums': "),
        ([], "name is missing"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from pipelines.init import main

    monkeypatch.setattr(sys, "argv", ["cotmill init", "recipe", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    [line] = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1 and message in line
