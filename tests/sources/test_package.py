"""Packages as seeds: their tests are run, and what may not be a source is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.packages.test_package import sdist
from tests.sources.reading import read, source_of
from transforms.engine.errors import SourceError
from transforms.engine.paths import DATA
from transforms.models.episode import play
from transforms.packages.package import packed, read_package
from transforms.sources.package import PackageReason, PackageSource, rows_of, seed_of

SHIPPED = [str(DATA / "packages" / name) for name in ("spans", "rowkit")]


def test_shipped_packages_are_seeds_with_their_passing_tests(tmp_path: Path) -> None:
    seen = read(tmp_path, type="package", packages=SHIPPED)
    assert seen.reasons == {} and len(seen.seeds) == 2
    for seed in seen.seeds:
        facts = json.loads(seed["metadata"])
        assert (seed["license"], facts["version"]) == ("Apache-2.0", "1.0.0")
        assert len(facts["passing"]) >= 50
        assert all("::" in test for test in facts["passing"])
        assert facts["digest"] == read_package(str(DATA / "packages" / facts["name"])).digest
        assert facts["archive"] == packed(
            read_package(str(DATA / "packages" / facts["name"])).files
        )


UNSTABLE = """
import random

import pytest

from spans import merge


class Place:
    pass


@pytest.mark.parametrize("number", [random.SystemRandom().random()])
def test_of_another_id_each_time(number):
    assert merge([]) == []


def test_that_swallows_its_own_failure():
    assert merge([]) == []


def test_of_the_hash_seed():
    assert hash("a") % 2 == {parity}


def test_that_is_sound():
    assert merge([]) == []


def swallowing(test):
    def run():
        try:
            test()
        except AssertionError:
            pass
    return run


test_that_is_wrapped = swallowing(lambda: None)


@swallowing
def test_that_proves_nothing():
    assert merge([]) == []
"""


def passing(folder: Path, text: str) -> list[str]:
    from tests.recipes.playing import player

    source = PackageSource(type="package", packages=[sdist(folder, **{"tests/test_x.py": text})])
    [row] = rows_of(source)
    _, seed = player()(seed_of(row, source))
    return [test for test in json.loads(seed.metadata)["passing"] if "test_x" in test]


def test_tests_that_are_not_stable_or_prove_nothing_are_dropped(tmp_path: Path) -> None:
    found = {test.partition("::")[2] for test in passing(tmp_path, UNSTABLE.format(parity=0))}
    found |= {test.partition("::")[2] for test in passing(tmp_path, UNSTABLE.format(parity=1))}
    assert {"test_that_is_sound", "test_that_swallows_its_own_failure"} <= found
    assert not any("another_id" in test or "proves_nothing" in test for test in found)


@pytest.mark.parametrize(
    ("license", "more", "reason"),
    [
        ("GNU General Public License v3 (GPLv3)", {}, PackageReason.LICENSE),
        ("Other/Proprietary License", {}, PackageReason.LICENSE),
        (
            "MIT License",
            {"PKG-INFO": "Name: Flask\nVersion: 3\nLicense: MIT\n"},
            PackageReason.EVALUATION_TASK,
        ),
    ],
)
def test_what_may_not_be_a_source_is_refused(
    tmp_path: Path, license: str, more: dict[str, str], reason: str
) -> None:
    source = PackageSource(type="package", packages=[sdist(tmp_path, license, **more)])
    [row] = rows_of(source)
    assert play(seed_of(row, source)).result[1].reason == reason


def test_a_licence_is_taken_that_the_settings_name(tmp_path: Path) -> None:
    place = sdist(tmp_path, "Other/Proprietary License")
    source = PackageSource(type="package", packages=[place], license="MIT")
    [row] = rows_of(source)
    assert json.loads(row.raw)["license"] == "MIT"


def test_what_cannot_be_read_is_one_line_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"source.packages: no-such is no folder"):
        source_of(type="package", packages=["no-such"]).check()


def test_a_package_that_is_installed_is_told_of(tmp_path: Path) -> None:
    [line] = source_of(type="package", packages=["iniconfig"]).check()
    assert "installed here" in line
