"""Packages that are tasks of an evaluation, by name: no row is made of them."""

from __future__ import annotations

from packaging.utils import canonicalize_name

# fmt: off
_NAMES = (
    # SWE-bench (arXiv 2310.06770)
    "astropy", "django", "flask", "matplotlib", "pylint", "pytest", "requests", "scikit-learn",
    "seaborn", "sphinx", "sympy", "xarray",
    # NL2Repo-Bench (arXiv 2512.12730), under the names that the package index has
    "aiofiles", "arguably", "arxiv-mcp-server", "asteval", "autojump", "autopep8", "autorccar",
    "binaryalert", "bleach", "boltons", "python-box", "cachier", "cerberus", "cherry",
    "cookiecutter", "coverage-shield", "databases", "dbutils", "python-decouple", "deepdiff",
    "deslib", "dictdatabase", "docopt-ng", "emoji", "fastapi-users", "flask-restful", "flasky",
    "freezegun", "python-frontmatter", "ftfy", "funcy", "fuzzywuzzy", "gitingest",
    "google-images-download", "graphneuralnetwork", "humanize", "icecream", "ipytest", "jinja2",
    "jsonlines", "justext", "markdownify", "markupsafe", "math-verify", "mechanicalsoup", "mootdx",
    "more-itertools", "phe", "pandarallel", "parse", "pathlib2", "pdfplumber", "plac", "pss",
    "pyautogui", "pyjwt", "pylama", "pyperclip", "pypinyin", "pyquery", "pysondb", "pytest-cov",
    "pytestify", "python-dotenv", "python-fsutil", "python-jose", "pathspec", "python-patterns",
    "pytest-cases", "python-slugify", "pythonprojecttemplate", "grad-cam", "pytz", "records",
    "requests-html", "retrying", "rich-click", "schedule", "schema", "six", "sortedcontainers",
    "sqlparse", "stable-baselines3", "stamina", "structlog", "synthetic", "tablib", "tenacity",
    "tinydb", "tqdm", "trimming", "tsfresh", "typing-extensions", "uiautomator", "unidecode",
    "unittest-parametrize", "verifiers", "voluptuous", "wifiphisher", "wsgidav", "xlrd",
    "ydata-profiling",
    # the same by other names that a folder may have
    "box", "decouple", "frontmatter", "jinja", "paillier", "python-pathspec",
    "python-pytest-cases", "pytorch-grad-cam", "pysondb-v2", "schedule-master", "sklearn",
    # GitTaskBench (arXiv 2508.18993)
    "animeganv3", "deoldify", "descratch", "eparse", "faker", "funasr", "invisible-watermark",
    "neurokit2", "neurokit", "pypdf2", "scrapy", "speechbrain", "stegano", "trafilatura",
    "transparent-background", "videopose3d",
)
# fmt: on

EVALUATION_PACKAGES = frozenset(map(canonicalize_name, _NAMES))
"""Names as the package index writes them: lower case, with hyphens."""


def is_evaluation(name: str) -> bool:
    """Whether a package is a task of an evaluation.

    >>> is_evaluation("more_itertools"), is_evaluation("toolz")
    (True, False)
    """
    return canonicalize_name(name) in EVALUATION_PACKAGES
