"""The licence of a dataset, computed from the licences of its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from transforms.engine.errors import PublishError
from transforms.sources.licenses import HUB_NAMES, NO_LICENSE, spdx

_PERMISSIVE = re.compile(
    r"0BSD|Apache-\d.*|Artistic-2\.0|BSD-\d-Clause(-Clear)?|BSL-1\.0|CC0-1\.0|CC-BY-\d.*"
    r"|CDLA-Permissive-\d.*|ECL-2\.0|etalab-2\.0|ISC|MIT|MIT-0|MulanPSL-2\.0|NCSA|ODC-By-1\.0"
    r"|PDDL-1\.0|PostgreSQL|PSF-2\.0|Python-2\.0|Unlicense|WTFPL|Zlib"
)
"""Licences whose works may be part of a whole under any other licence."""
_NO_DERIVATIVES = re.compile(r"CC-BY(-NC)?-ND-.*")
_APART = ({"Apache-2.0", "GPL-2.0-only"},)
"""Further pairs that exclude each other."""
_ON_THE_HUB = re.compile(
    r"afl-3\.0|agpl-3\.0|apache-2\.0|artistic-2\.0|bsd-[23]-clause|bsd-3-clause-clear|bsl-1\.0"
    r"|c-uda|cc0-1\.0|cc-by-(2\.0|2\.5|3\.0|4\.0)|cc-by-sa-[34]\.0|cc-by-nc-[234]\.0|cc-by-nd-4\.0"
    r"|cc-by-nc-nd-[34]\.0|cc-by-nc-sa-[234]\.0|cdla-permissive-[12]\.0|cdla-sharing-1\.0|ecl-2\.0"
    r"|epl-[12]\.0|etalab-2\.0|eupl-1\.[12]|gfdl|gpl-[23]\.0|isc|lgpl-(2\.1|3\.0)|mit|mpl-2\.0|ms-pl"
    r"|ncsa|odbl|odc-by|ofl-1\.1|osl-3\.0|pddl|postgresql|unlicense|wtfpl|zlib"
)
"""Names of licences that the Hub knows; any other has to be called `other` there."""


def dataset_licenses(rows: Mapping[str, int]) -> list[str]:
    """Returns the SPDX licences under which a dataset may be published, sorted.

    A whole may hold works under any number of permissive licences, and under one licence beside
    them that asks for more (share-alike, copyleft, non-commercial, or one that is not known here);
    versions of one Creative Commons licence count as one. An `OR` counts as an `AND`: who may
    choose says so by `license=`.

    Args:
        rows: licence as the rows state it, an SPDX expression -> number of rows.

    Raises PublishError where a row has no licence or one that SPDX does not know, where a licence
    allows no derived works, and where two licences exclude each other.
    """
    counts: dict[str, int] = {}
    for text, count in rows.items():
        unstated = not text.strip() or NO_LICENSE in text.upper()
        expression = None if unstated else spdx(text)
        if expression is None:
            stated = "state no licence" if unstated else f"state {text!r}, which SPDX does not have"
            raise PublishError(
                f"license: {count:,} rows {stated}: set source.license in a new run, or the "
                "licence that you may publish them under: license=SPDX"
            )
        for name in filter(None, re.split(r"\s+(?:AND|OR)\s+|[()]", expression)):
            counts[name] = counts.get(name, 0) + count
    clash = _clash(sorted(counts))
    if clash is not None:
        names, why = clash
        stated = " and ".join(f"{name} ({counts[name]:,} rows)" for name in names)
        raise PublishError(
            f"license: {stated} {why}: leave such seeds out, or state the licence that you may "
            "publish the rows under: license=SPDX"
        )
    return sorted(counts)


def _clash(names: list[str]) -> tuple[list[str], str] | None:
    """Licences that cannot be published together, and why; None where there are none."""
    if frozen := [name for name in names if _NO_DERIVATIVES.fullmatch(name)]:
        return frozen, "allows no derived works"
    demanding: dict[str, str] = {}
    for name in names:
        if not _PERMISSIVE.fullmatch(name):
            demanding[re.sub(r"^(CC-[A-Z-]*[A-Z])-\d.*", r"\1", name)] = name
    if len(demanding) > 1:
        return list(demanding.values()), "do not go together: each sets terms for the whole"
    for pair in _APART:
        if pair <= set(names):
            return sorted(pair), "exclude each other"
    return None


def hub_license(licenses: list[str]) -> dict[str, Any]:
    """Returns a card's entries for SPDX licences: `license`, and names where the Hub has none.

    >>> hub_license(["Apache-2.0", "ODC-By-1.0"])
    {'license': ['apache-2.0', 'odc-by']}
    >>> hub_license(["LicenseRef-Acme"])
    {'license': 'other', 'license_name': 'licenseref-acme'}
    """
    names = list(map(_hub_name, licenses))
    if not all(map(_ON_THE_HUB.fullmatch, names)):
        return {"license": "other", "license_name": "-and-".join(names).replace(" ", "-")}
    return {"license": names[0] if len(names) == 1 else sorted(set(names))}


def _hub_name(license: str) -> str:
    names = {identifier: name for name, identifier in HUB_NAMES.items()}
    lower = re.sub(r"-(only|or-later)$", "", license.lower())
    return lower if _ON_THE_HUB.fullmatch(lower) else names.get(license, lower)
