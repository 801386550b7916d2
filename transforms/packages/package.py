"""A Python package: read from a source distribution, a folder or an installed one."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

Files = Mapping[str, bytes]
"""Path below the package's folder -> content."""

MOST_BYTES = 8 << 20
"""Size of a package's files, at most."""


class NotAPackage(ValueError):
    """It cannot be read as a package; the message says why."""


@dataclass(frozen=True)
class Package:
    """A package as it was published."""

    name: str
    version: str
    license: str
    """SPDX expression; NOASSERTION where it states none that SPDX has."""
    summary: str
    files: Files

    @cached_property
    def digest(self) -> str:
        """SHA-256 over its paths and contents."""
        digest = hashlib.sha256()
        for path, data in sorted(self.files.items()):
            digest.update(b"%d %d " % (len(path.encode()), len(data)) + path.encode() + data)
        return digest.hexdigest()


def is_test(path: str) -> bool:
    """Whether a file belongs to a package's tests, and so is never changed by a patch.

    >>> [is_test(path) for path in ("toolz/tests/data.py", "test_a.py", "latest.py")]
    [True, True, False]
    """
    *folders, name = PurePosixPath(path).parts
    in_tests = any(folder in ("test", "tests", "testing") for folder in folders)
    return in_tests or name == "conftest.py" or is_suite(path)


def is_suite(path: str) -> bool:
    """Whether a file holds tests that are collected."""
    name = PurePosixPath(path).name
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def suites(files: Iterable[str]) -> list[str]:
    """Returns the files of tests, in order."""
    return sorted(filter(is_suite, files))


def modules(files: Iterable[str]) -> list[str]:
    """Returns the files of the package's own modules, which alone a patch may change: those below
    a folder that is a package, tests left out."""
    paths = set(files)
    found = []
    for path in paths:
        folder = PurePosixPath(path).parent
        if path.endswith(".py") and not is_test(path) and f"{folder}/__init__.py" in paths:
            found.append(path)
    return sorted(found)


def roots(files: Iterable[str]) -> list[str]:
    """Returns the folders that its modules are imported from."""
    return ["src", "."] if any(path.startswith("src/") for path in files) else ["."]


def dotted(path: str) -> str:
    """Returns the name that a module is imported by.

    >>> dotted("src/spans/core.py"), dotted("spans/__init__.py")
    ('spans.core', 'spans')
    """
    parts = PurePosixPath(path.removeprefix("src/").removesuffix(".py")).parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tops(files: Iterable[str]) -> set[str]:
    """Returns the top-level names that its modules are imported by."""
    return {dotted(path).partition(".")[0] for path in modules(files)}


def packed(files: Files) -> str:
    """Returns files as one text, the same for the same files: a ZIP archive in base 64."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        for path, data in sorted(files.items()):
            zipped.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return base64.b64encode(archive.getvalue()).decode()


@lru_cache(maxsize=8)
def unpacked(archive: str) -> Files:
    """Returns the files that `packed` made a text of."""
    return _from_zip(base64.b64decode(archive))


def read_package(place: str) -> Package:
    """Reads a package.

    Args:
        place: a folder, an archive (.tar.gz, .zip, .whl), or the name of an installed distribution.

    Raises:
        NotAPackage: there is none, it has no modules, or it is larger than `MOST_BYTES`.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        files = _from_folder(path)
    elif path.is_file():
        files = _from_archive(path)
    else:
        files = _from_distribution(place)
    kept = {name: data for name, data in files.items() if _is_wanted(name)}
    facts = _facts(files, path.name if path.is_dir() else "")
    if not modules(kept):
        raise NotAPackage(f"{place} has no folder with an __init__.py")
    if (size := sum(map(len, kept.values()))) > MOST_BYTES:
        raise NotAPackage(f"{place} has {size >> 20} MiB of files, more than {MOST_BYTES >> 20}")
    return Package(**facts, files=kept)


def _from_folder(folder: Path) -> Files:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = ((path.relative_to(folder).as_posix(), path) for path in paths)
    return {name: path.read_bytes() for name, path in named if _is_wanted(name) or _states(name)}


def _from_archive(path: Path) -> Files:
    try:
        if path.suffix in (".zip", ".whl"):
            return _from_zip(path.read_bytes(), strip=path.suffix == ".zip")
        with tarfile.open(path) as archive:
            return dict(_below_top(archive))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise NotAPackage(f"{path} is no archive that can be read: {error}") from None


def _below_top(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        name = member.name.removeprefix("./").partition("/")[2]
        if name and member.isreg() and (stream := archive.extractfile(member)):
            yield name, stream.read()


def _from_zip(data: bytes, strip: bool = False) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {each.filename: archive.read(each) for each in archive.infolist()}
    named = {(name.partition("/")[2] if strip else name): data for name, data in found.items()}
    return {name: data for name, data in named.items() if name and not name.endswith("/")}


def _from_distribution(name: str) -> Files:
    try:
        found = importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        raise NotAPackage(
            f"{name} is no folder, no archive and no installed distribution"
        ) from None
    paths = [path for path in found.files or () if ".." not in path.parts]
    return {str(path): path.read_binary() for path in paths if Path(path.locate()).is_file()}


_LEFT_OUT = re.compile(
    r"(^|/)(\.[^/]*|__pycache__|[^/]*\.egg-info|docs?|build|dist|venv|node_modules)/"
    r"|(^|/)\.[^/]*$|\.(pyc|pyo|so|pyd|dll|dylib)$|\.dist-info/(?!.*LICEN[CS]E)",
    re.IGNORECASE,
)
"""Files that neither tests nor a reader of the package need."""


def _is_wanted(path: str) -> bool:
    return not _LEFT_OUT.search(path)


def _states(path: str) -> bool:
    """Whether a file may state name, version and licence."""
    return path.endswith((".dist-info/METADATA", "PKG-INFO"))


def _facts(files: Files, folder: str) -> dict[str, str]:
    """Returns name, version, licence and summary as the package's own metadata states them."""
    stating = sorted((path for path in files if _states(path)), key=len)
    text = next((files[path].decode(errors="replace") for path in stating), None)
    if text is not None:
        headers = HeaderParser().parsestr(text)
        name, version = headers.get("Name", folder), headers.get("Version", "0")
        licenses = [headers.get("License-Expression"), headers.get("License")]
        classifiers: list[str] = headers.get_all("Classifier") or []
        summary = headers.get("Summary", "")
    else:
        try:
            project = tomllib.loads(files.get("pyproject.toml", b"").decode()).get("project", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            project = {}
        name, version = project.get("name", folder), str(project.get("version", "0"))
        stated = project.get("license")
        licenses = [stated.get("text") if isinstance(stated, dict) else stated]
        classifiers, summary = project.get("classifiers", []), project.get("description", "")
    if not name:
        raise NotAPackage("it states no name, in PKG-INFO, METADATA or pyproject.toml")
    return {
        "name": str(name),
        "version": str(version),
        "license": _license(licenses, classifiers, files),
        "summary": str(summary),
    }


_CLASSIFIED = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "zlib/libpng License": "Zlib",
    "The Unlicense (Unlicense)": "Unlicense",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
}


def _license(stated: Iterable[str | None], classifiers: Iterable[str], files: Files) -> str:
    for text in filter(None, stated):
        with suppress(InvalidLicenseExpression):
            return canonicalize_license_expression(text)
    names = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")]
    names += [text.strip() for text in stated if text]
    for name in names:
        if name in _CLASSIFIED:
            return _CLASSIFIED[name]
        if re.fullmatch(r"(new |3-clause |modified )?BSD( license)?", name, re.IGNORECASE):
            texts = [data for path, data in files.items() if re.search(r"LICEN[CS]E", path)]
            third = any(b"either the name" in text for text in texts)
            return "BSD-3-Clause" if third else "BSD-2-Clause"
    return "NOASSERTION"


# fmt: off
PERMISSIVE = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0",
    "PSF-2.0", "Python-2.0", "Unlicense", "Zlib",
})
# fmt: on
"""Licences under which derived works may be published with no more than the licence's text."""


def is_permissive(license: str) -> bool:
    """Whether all licences of an SPDX expression are permissive.

    >>> is_permissive("MIT OR Apache-2.0"), is_permissive("GPL-3.0-only")
    (True, False)
    """
    names = re.findall(r"[\w.+-]+", license)
    return bool(names) and all(name in PERMISSIVE or name in ("AND", "OR") for name in names)
