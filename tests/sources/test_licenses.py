"""Licences of dataset cards, as SPDX writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.sources.licenses import card_license, spdx


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mit", "MIT"),
        ("apache-2.0", "Apache-2.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("odc-by", "ODC-By-1.0"),
        (" MIT ", "MIT"),
        ("MIT AND CC-BY-4.0", "MIT AND CC-BY-4.0"),
        ("NOASSERTION", "NOASSERTION"),
        ("other", None),
        ("cc", None),
        ("", None),
    ],
)
def test_a_licence_is_written_as_spdx_does(name: str, expected: str | None) -> None:
    assert spdx(name) == expected


@pytest.mark.parametrize(
    ("card", "license", "told"),
    [
        ("---\nlicense: mit\n---\n# x", "MIT", None),
        ("---\nlicense:\n- mit\n- cc-by-4.0\n---\n", "CC-BY-4.0 AND MIT", None),
        ("---\r\nlicense: mit\r\n---\r\n", "MIT", None),
        ("---\nlicense: other\nlicense_name: own\n---\n", None, "license other, own is no SPDX"),
        ("---\nlicense: [mit, other]\n---\n", None, "license mit, other is no SPDX"),
        ("---\nlanguage: en\n---\n", None, None),
        ("# no front matter", None, None),
        ("---\nlicense: [\n---\n", None, "cannot be read"),
    ],
)
def test_a_card_states_its_licence_or_a_line_says_why_not(
    tmp_path: Path, card: str, license: str | None, told: str | None
) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(card.encode())
    stated, line = card_license(str(path))
    assert stated == license
    assert line is None if told is None else (line and told in line and "\n" not in line)


def test_without_a_card_nothing_is_said(tmp_path: Path) -> None:
    assert card_license(str(tmp_path / "README.md")) == (None, None)
