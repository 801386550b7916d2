"""Takes secrets and the paths of this machine out of what is published.

A manifest is searched value by value: for keys that name a secret, for texts that look like one,
for URLs with credentials, for values of environment variables that hold one, and for absolute
paths, whose last part stays. What the search finds is then replaced in pages and in rows, too.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from huggingface_hub import get_token

REMOVED = "[removed]"
"""What stands in place of a secret."""

_TOKENS = (
    r"\bhf_[A-Za-z0-9]{20,}|\bsk-[\w-]*[A-Za-z0-9]{16,}[\w-]*|\b[prs]k_(?:live|test)_[A-Za-z0-9]{10,}"
    r"|\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeprs]-[\w-]{10,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}|\bnpm_[A-Za-z0-9]{30,}"
    r"|\bpypi-[\w-]{40,}|\bnvapi-[\w-]{20,}|\bgsk_[A-Za-z0-9]{20,}|\br8_[A-Za-z0-9]{20,}"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)"
)
"""Secrets that a text shows by their form, in the grammar that RE2 shares with Python."""
_TOKEN = re.compile(_TOKENS.replace(r"\z", r"\Z"))
_IN_TEXT = (
    (re.compile(r"(?<=://)[^/\s@?#'\"<>]+@"), ""),
    (
        re.compile(
            r"([?&;][\w-]*(?:key|token|secret|password|passwd|signature|credential)[\w-]*=)"
            r"[^&\s'\"<>#]+",
            re.IGNORECASE,
        ),
        rf"\1{REMOVED}",
    ),
    (
        re.compile(
            r"(--[\w-]*(?:api[-_]?key|token|secret|password)[= ]|\b[A-Z][A-Z0-9_]*"
            r"(?:KEY|TOKEN|SECRET|PASSWORD)=|\b(?i:authorization:\s*\w+\s|bearer\s+(?=\S{12})))"
            r"[^\s'\"<>]+"
        ),
        rf"\1{REMOVED}",
    ),
)
"""Secrets that a text shows by what stands before them, and what becomes of them."""

_ENTRY = re.compile(r"^([ \t-]*)([\w.-]+)(:[ \t]+)(\S.*)$", re.MULTILINE)
"""A line of YAML: indentation, key, colon, value."""
_NOTHING = ("null", "true", "false", "{}", "[]")
"""Values in YAML that are no secret."""

_PART = r"(?:[^\s/\\'\"<>|:;,`()\[\]{}+]|\+(?!/))+"
_PATH = re.compile(
    rf"(?:(?<=file://)|(?<![\w./~<*)\]}}\\]))/(?=[A-Za-z_.])(?:{_PART}/)+(?:{_PART})?"
    rf"|(?<!\w)[A-Z]:\\(?:{_PART}\\)+{_PART}"
)
"""Absolute paths of two parts or more, in a text."""
_WHOLE_PATH = re.compile(r"(?:file://)?/[^/\s]+/(?:[^\n+]|\+(?!/))+|[A-Z]:\\[^\n]+")
"""A text that is an absolute path, maybe with spaces in it."""
_HOME = re.compile(r"(?:/home/[^/]+|/Users/[^/]+|/root|[A-Za-z]:\\Users\\[^\\]+)[/\\]?")

_SECRET_WORDS = {"password", "passwd", "pwd", "secret", "secrets", "credential", "credentials"}
_SECRET_WORDS |= {"authorization", "cookie", "cookies", "apikey", "headers"}
_NOT_SECRET = {"eos", "bos", "pad", "unk", "sep", "cls", "mask", "stop", "image", "special"}
"""What stands before `token` in names of a tokenizer's tokens."""
_KEYS = {"api", "access", "private", "account", "signing", "encryption", "ssh", "service"}
"""What stands before `key` in names of secrets."""
_SECRET_VARIABLE = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL")


def names_secret(key: str) -> bool:
    """Whether a setting of this name holds a secret.

    >>> names_secret("apiKey"), names_secret("max_tokens"), names_secret("api_key_env")
    (True, False, False)
    """
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).lower())
    if not words or words[-1] == "env":
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] in ("token", "pat"):
        return before not in _NOT_SECRET
    return bool(_SECRET_WORDS & set(words)) or (words[-1] in ("key", "keys") and before in _KEYS)


class Scrubber:
    """Replaces what one manifest gives away, in the manifest itself, in pages and in rows.

    Args:
        manifest: of the run, as it was written.
        environment: variables of this process.
    """

    def __init__(
        self, manifest: Mapping[str, Any], environment: Mapping[str, str] = os.environ
    ) -> None:
        known: dict[str, str] = {}
        holding_keys = set()  # names of environment variables that settings say hold a key
        for key, text, secret in _texts_of(manifest):
            if key.endswith("_env"):
                holding_keys.add(text)
            if secret and _is_telling(text):
                known[text] = REMOVED
            elif _WHOLE_PATH.fullmatch(text):
                known[text] = _last_part(text)
            known |= {found[0]: _last_part(found[0]) for found in _PATH.finditer(text)}
        for name, value in environment.items():
            if (name in holding_keys or _SECRET_VARIABLE.search(name)) and _is_telling(value):
                known[value] = REMOVED
        if token := get_token():
            known[token] = REMOVED
        self._known = {_plain(text): instead for text, instead in known.items()}
        self._pattern = _any_of(known)

    def manifest(self, value: Any, secret: bool = False) -> Any:
        """Returns a JSON value without what it gives away, in keys and in values.

        Args:
            secret: whether it stands below a key that names a secret.
        """
        if isinstance(value, Mapping):
            return {
                self.text(name): self.manifest(each, secret or names_secret(name))
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self.manifest(each, secret) for each in value]
        if secret and value is not None and not isinstance(value, bool):
            return REMOVED
        if not isinstance(value, str):
            return value
        return _last_part(value) if _WHOLE_PATH.fullmatch(value) else self.text(value)

    def text(self, text: str) -> str:
        """Returns a page, plain or HTML, without what it gives away."""
        text = _TOKEN.sub(REMOVED, self._without_known(text))
        for pattern, instead in _IN_TEXT:
            text = pattern.sub(instead, text)
        text = _ENTRY.sub(_without_value, text)
        return _PATH.sub(lambda found: _last_part(found[0]), text)

    def rows(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, int]:
        """Returns rows, and how many of them were changed.

        Secrets are replaced, and paths that the manifest holds; other paths may be a problem's.
        """
        suspects = "|".join([_TOKENS, *map(_re2, self._known)])
        texts = (text for column in batch.columns for text in _texts_in(column))
        if not any(pc.any(pc.match_substring_regex(text, suspects)).as_py() for text in texts):
            return batch, 0
        before = batch.to_pylist()
        after = list(map(self._row, before))
        changed = sum(one != other for one, other in zip(before, after, strict=True))
        return pa.RecordBatch.from_pylist(after, schema=batch.schema), changed

    def _row(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._row(each) for name, each in value.items()}
        if isinstance(value, list):
            return list(map(self._row, value))
        if not isinstance(value, str):
            return value
        return _TOKEN.sub(REMOVED, self._without_known(value))

    def _without_known(self, text: str) -> str:
        if not self._known:
            return text
        return self._pattern.sub(lambda found: self._known.get(_plain(found[0]), REMOVED), text)


def _texts_of(value: Any, key: str = "", secret: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Yields each text of a JSON value: (its key, the text, whether a key above names a secret)."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield "", name, False
            yield from _texts_of(each, name, secret or names_secret(name))
    elif isinstance(value, list):
        for each in value:
            yield from _texts_of(each, key, secret)
    elif isinstance(value, str) or (secret and type(value) in (int, float)):
        yield key, str(value), secret


def _is_telling(text: str) -> bool:
    """Whether a secret is one: placeholders such as `EMPTY` and `not-needed` may be any text's."""
    if len(text) < 8 or set(text) == {"*"}:
        return False
    return len(text) >= 16 or any(letter.isdigit() for letter in text)


def _without_value(found: re.Match[str]) -> str:
    """A line of YAML without its value, where its key names a secret."""
    before, key, colon, value = found.groups()
    return f"{before}{key}{colon}{value if not names_secret(key) or value in _NOTHING else REMOVED}"


def _last_part(path: str) -> str:
    """The last part of an absolute path; `~` for somebody's home."""
    path = path.removeprefix("file://")
    return "~" if _HOME.fullmatch(path) else re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _any_of(known: Mapping[str, str]) -> re.Pattern[str]:
    """Matches each text also where HTML has escaped it, and where YAML has wrapped it."""
    forms = []
    for text in sorted(known, key=len, reverse=True):
        end = "" if known[text] == REMOVED else r"(?![\w-])"
        for form in dict.fromkeys([text, html.escape(text).replace("&#x27;", "&#39;")]):
            forms.append(r"\s+".join(map(re.escape, form.split())) + end)
    return re.compile("|".join(forms))


def _plain(found: str) -> str:
    return " ".join(html.unescape(found).split())


def _re2(text: str) -> str:
    """A text as RE2 writes it, with any white space for its own."""
    return r"\s+".join(map(re.escape, text.split()))


def _texts_in(column: pa.Array) -> Iterator[pa.Array]:
    """Yields the arrays of text in a column, at any depth."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield column
    elif pa.types.is_struct(kind):
        for index in range(kind.num_fields):
            yield from _texts_in(column.field(index))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_in(column.flatten())
