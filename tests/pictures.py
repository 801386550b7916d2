"""The pictures of docs/images, from a run: `make pictures`, after `make demo`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser import browser
from tests.publish.inspect.serving import serving
from transforms.engine.paths import PROJECT
from transforms.publish.catalog import Catalog, End, Query

IMAGES = PROJECT / "docs" / "images"


def main(run: str) -> None:
    """Takes the pictures of a finished run of the recipe caco with a reject of stage verify."""
    catalog = Catalog.open(run)
    [reject, *_] = catalog.find(Query(end=End.REJECTED, stage="verify")).states
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(catalog) as url,
        browser(Path(folder)) as tab,
    ):
        tab.size(1100, 800)
        tab.open(Path(catalog.run.path("report.html")).as_uri())
        tab.screenshot(IMAGES / "report.png")
        tab.screenshot(IMAGES / "row.png", "#rows article")
        tab.open(url)
        tab.screenshot(IMAGES / "inspect.png")
        tab.open(f"{url}/record/{reject.id}")
        tab.screenshot(IMAGES / "reject.png")


if __name__ == "__main__":
    main(sys.argv[1])
