"""How Sphinx makes the site of docs/: `make docs`."""

from importlib.metadata import version as installed
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

from pipelines.cli import import_leanly

import_leanly("apache_beam.io")  # without its warnings; autodoc imports the rest

project = "cotmill"
copyright = "the cotmill authors"
version = release = installed("cotmill")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["examples"]
myst_heading_anchors = 3
smartquotes = False  # they would join the hyphens of --help

default_role = "code"  # docstrings name code in single backticks
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "expand"}

html_theme = "furo"
html_title = f"cotmill {release}"
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"


def _docstring(
    app: Sphinx, what: str, name: str, subject: Any, options: Any, lines: list[str]
) -> None:
    """Reads `Args:` and `Raises:` as Google's style has them, but not in the text below a field, of
    which napoleon would take all before a colon for a type; `**sides` is a name and nothing bold.
    """
    text = [line.replace("**", r"\*\*") for line in lines]
    if what != "attribute":
        text = GoogleDocstring(text, Config(), app, what, name, subject, options).lines()
    lines[:] = text


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", _docstring)
