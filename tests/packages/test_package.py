"""Packages read from folders, archives and installations: the same files, name and licence."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from transforms.engine.paths import DATA
from transforms.packages.evaluations import is_evaluation
from transforms.packages.package import (
    NotAPackage,
    is_permissive,
    modules,
    packed,
    read_package,
    suites,
    unpacked,
)

SPANS = DATA / "packages" / "spans"
PKG_INFO = """Metadata-Version: 2.1
Name: spans
Version: 1.0.0
Summary: ranges
Classifier: License :: OSI Approved :: {license}
"""


def sdist(folder: Path, license: str = "MIT License", **more: str) -> str:
    path = folder / "spans-1.0.0.tar.gz"
    files = {each.relative_to(SPANS).as_posix(): each.read_text() for each in SPANS.rglob("*.*")}
    files = {**files, "PKG-INFO": PKG_INFO.format(license=license), **more}
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"spans-1.0.0/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return str(path)


def test_a_folder_states_its_name_version_and_licence_in_pyproject() -> None:
    package = read_package(str(SPANS))
    assert (package.name, package.version, package.license) == ("spans", "1.0.0", "Apache-2.0")
    assert suites(package.files) == [
        f"tests/test_{name}.py" for name in ("algebra", "schedule", "text")
    ]
    assert "spans/algebra.py" in modules(package.files)


def test_an_archive_holds_the_modules_of_its_folder(tmp_path: Path) -> None:
    package = read_package(sdist(tmp_path))
    assert (package.name, package.license) == ("spans", "MIT")
    assert modules(package.files) == modules(read_package(str(SPANS)).files)


@pytest.mark.parametrize(
    ("text", "license"),
    [("Neither the name of", "BSD-3-Clause"), ("Redistribution is permitted", "BSD-2-Clause")],
)
def test_a_bsd_licence_is_told_by_its_text(tmp_path: Path, text: str, license: str) -> None:
    assert read_package(sdist(tmp_path, "BSD License", LICENSE=text)).license == license


def test_a_licence_that_is_not_known_is_not_permissive(tmp_path: Path) -> None:
    package = read_package(sdist(tmp_path, "Other/Proprietary License"))
    assert not is_permissive(package.license)


def test_an_installed_distribution_is_read_by_its_name() -> None:
    package = read_package("iniconfig")
    assert package.license == "MIT" and "iniconfig/__init__.py" in modules(package.files)


@pytest.mark.parametrize("place", ["no-such-package", str(DATA / "seeds"), __file__])
def test_what_is_no_package_is_an_error_that_says_why(place: str) -> None:
    with pytest.raises(NotAPackage):
        read_package(place)


def test_a_packed_tree_is_the_same_text_each_time_and_unpacks() -> None:
    files = read_package(str(SPANS)).files
    turned = dict(reversed(files.items()))
    assert packed(files) == packed(turned)
    assert dict(unpacked(packed(files))) == dict(files)


def test_names_of_evaluations_are_known_however_they_are_written() -> None:
    assert all(map(is_evaluation, ["Django", "more_itertools", "scikit-learn", "Faker"]))
    assert not is_evaluation("spans")
