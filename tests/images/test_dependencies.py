"""Pictures add one package to the core install: pillow."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from transforms.engine.paths import PROJECT

IMPORT = re.compile(r"^ *(?:from|import) (\w+)", re.M)
OF_PICTURES = {
    "PIL": "pillow",
    "cadquery": "cadquery",
    "OCP": "cadquery",
    "resvg_py": "resvg-py",
    "rapidocr_onnxruntime": "rapidocr-onnxruntime",
}
"""Modules that draw or read pictures, and the distributions that have them."""


def imported(files: Iterable[Path]) -> set[str]:
    """Names of the modules that files import, anywhere in them."""
    return {name for file in files for name in IMPORT.findall(file.read_text())}


def test_pictures_add_pillow_alone_to_the_core_install() -> None:
    files = set(PROJECT.glob("transforms/**/*.py"))
    pictures = {file for file in files if {"images", "scenes"} & set(file.parts)}
    of_their_own = imported(pictures) - imported(files - pictures) - sys.stdlib_module_names
    assert pictures and of_their_own <= OF_PICTURES.keys()
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    core = {re.split(r"[\[<>=~ ]", each)[0] for each in project["dependencies"]}
    assert core & set(OF_PICTURES.values()) == {"pillow"}
