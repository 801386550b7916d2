"""Which licences a dataset may be published under."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.errors import PublishError
from transforms.publish.licensing import dataset_licenses, hub_license

PERMISSIVE = ["MIT", "Apache-2.0", "CC-BY-4.0", "CC0-1.0", "BSD-3-Clause", "ODC-By-1.0"]
DEMANDING = ["CC-BY-SA-4.0", "CC-BY-NC-4.0", "GPL-3.0-only", "ODbL-1.0", "LicenseRef-Acme"]


@given(st.lists(st.sampled_from(PERMISSIVE), min_size=1), st.sampled_from([*DEMANDING, None]))
def test_permissive_licences_go_together_and_with_one_that_asks_for_more(names, demanding):
    rows = dict.fromkeys([*names, *filter(None, [demanding])], 2)
    assert dataset_licenses(rows) == sorted(rows)


@given(st.lists(st.sampled_from(DEMANDING), min_size=2, unique=True), st.booleans())
def test_two_that_each_ask_for_more_are_refused_in_one_row_and_in_two(names, one_row):
    rows = {" AND ".join(names): 3} if one_row else dict.fromkeys(names, 3)
    with pytest.raises(PublishError, match="do not go together") as refused:
        dataset_licenses(rows)
    assert all(f"{name} (3 rows)" in str(refused.value) for name in names)


def test_licences_of_a_row_count_one_by_one():
    rows = {"MIT AND (Apache-2.0 OR ISC)": 1, "mit": 2}
    assert dataset_licenses(rows) == ["Apache-2.0", "ISC", "MIT"]


def test_versions_of_one_creative_commons_licence_go_together():
    rows = {"CC-BY-SA-3.0": 1, "CC-BY-SA-4.0": 1, "CC-BY-2.0": 1}
    assert dataset_licenses(rows) == ["CC-BY-2.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"MIT": 5, "": 2}, "2 rows state no licence"),
        ({"NOASSERTION": 1}, "1 rows state no licence"),
        ({"MIT AND NOASSERTION": 1}, "state no licence"),
        ({"homemade": 4}, "4 rows state 'homemade'"),
        ({"CC-BY-ND-4.0": 1}, "no derived works"),
        ({"CC-BY-NC-ND-4.0": 1, "MIT": 1}, "no derived works"),
        ({"GPL-2.0-only": 1, "Apache-2.0": 1}, "exclude each other"),
        ({"CC-BY-SA-4.0": 1, "CC-BY-NC-SA-4.0": 1}, "do not go together"),
        ({"GPL-2.0-only": 1, "GPL-3.0-only": 1}, "do not go together"),
    ],
)
def test_what_is_refused(rows, said):
    with pytest.raises(PublishError, match=said) as refused:
        dataset_licenses(rows)
    assert "license=SPDX" in str(refused.value)


@pytest.mark.parametrize(
    ("licenses", "entries"),
    [
        (["Apache-2.0"], {"license": "apache-2.0"}),
        (["GPL-3.0-or-later"], {"license": "gpl-3.0"}),
        (["CC-BY-4.0", "MIT"], {"license": ["cc-by-4.0", "mit"]}),
        (["ODbL-1.0"], {"license": "odbl"}),
        (["MulanPSL-2.0"], {"license": "other", "license_name": "mulanpsl-2.0"}),
        (
            ["LicenseRef-Acme", "MIT"],
            {"license": "other", "license_name": "licenseref-acme-and-mit"},
        ),
    ],
)
def test_licences_are_named_as_the_hub_names_them(licenses, entries):
    assert hub_license(licenses) == entries
