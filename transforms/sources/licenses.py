"""Licences as SPDX writes them, from columns, settings and dataset cards."""

from __future__ import annotations

import os
from typing import Any

import yaml
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

NO_LICENSE = "NOASSERTION"
"""What SPDX writes where nobody states a licence."""

HUB_NAMES = {
    "odc-by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "pddl": "PDDL-1.0",
    "c-uda": "C-UDA-1.0",
    "apache 2.0": "Apache-2.0",
}
"""Names of licences in dataset cards that are not, but for case, SPDX identifiers."""


def spdx(text: str) -> str | None:
    """Returns the SPDX expression that a licence's name stands for, or None where it is unknown.

    >>> spdx("cc-by-4.0"), spdx("other")
    ('CC-BY-4.0', None)
    """
    name = text.strip()
    if name.upper() == NO_LICENSE:
        return NO_LICENSE
    try:
        return canonicalize_license_expression(HUB_NAMES.get(name.lower(), name))
    except InvalidLicenseExpression:
        return None


def stated(license: str | None) -> str | None:
    """Returns the licence that settings state, in SPDX's spelling where SPDX has it."""
    return license and (spdx(license) or license)


def card_license(path: str) -> tuple[str | None, str | None]:
    """Returns (licence, line for the user) of a dataset card, a README.md with YAML before it.

    The licence is None where the card states none or one that SPDX does not have; of the latter
    the line tells. Where a card lists several, all of them hold.
    """
    if not os.path.isfile(path):
        return None, None
    from huggingface_hub import metadata_load  # 0.2 s, and most sources have no card

    try:
        data: Any = metadata_load(path) or {}
    except (OSError, ValueError, yaml.YAMLError):
        return None, f"{path}: its YAML cannot be read, so it states no licence"
    names = data.get("license") or []
    names = [str(name) for name in (names if isinstance(names, list) else [names])]
    known = [spdx(name) for name in names]
    if not names or None not in known:
        return " AND ".join(sorted({name for name in known if name})) or None, None
    told = ", ".join(filter(None, [*names, str(data.get("license_name") or "")]))
    return None, (
        f"{path}: license {told} is no SPDX licence: rows carry source.license, or {NO_LICENSE}"
    )
