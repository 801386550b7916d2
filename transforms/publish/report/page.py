"""The report's page, from a manifest and what was read from the run folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from transforms.engine.errors import CotmillError
from transforms.engine.manifest import segments_of, unanswered_in
from transforms.images.blobs import MIMES, Blobs
from transforms.images.wire import data_url
from transforms.publish.catalog import State
from transforms.publish.fields import Picture, fields_of
from transforms.publish.pages import environment
from transforms.publish.report.formats import number
from transforms.publish.report.measures import embedding, measures
from transforms.publish.report.plots import bars, histogram
from transforms.stages.controls import COUNT, Overlap, overlaps
from transforms.stages.diversity.measure import Figures, Variety

SETS = {
    "rows": "accepted rows",
    "programs": "programs before deduplication",
    "seeds": "verified seeds",
}
"""The sets that are measured, and what the page calls them."""

_PICTURES_MB = 20
"""Bytes of pictures in a report, at most."""


def page(
    manifest: dict[str, Any],
    figures: dict[str, Figures],
    examples: Sequence[State],
    rejects: Mapping[tuple[str, str], Sequence[State]],
    blobs: Blobs | None = None,
) -> str:
    """Returns the report as one HTML page that loads nothing, pictures included.

    Texts of models are hostile: the template escapes all of them, and the page forbids scripts and
    requests to whoever opens it.
    """
    shown = environment(Path(__file__).parent, _Embedded(blobs))
    template = shown.get_template("page.html.jinja")
    segments = segments_of(manifest)
    stages = [stage for segment in segments for stage in segment["stages"]]
    spent = tokens(stages)
    paid = sum(row["generated"] + row["recorded"] for row in spent)
    rows = manifest.get("accepted", 0)
    unanswered = sum(map(unanswered_in, segments))
    rendered = template.render(
        manifest=manifest,
        segments=segments,
        name=manifest.get("recipe") or f"cotmill {manifest.get('command')}",
        model=(manifest["config"].get("backend") or {}).get("model"),
        rows=rows,
        paid=paid,
        each=paid / rows if rows else None,
        seconds=duration(manifest),
        stages=stages,
        unanswered=unanswered,
        tokens=spent,
        ran=ran(stages),
        counted=counted(stages),
        controls=controls(stages),
        reasons=reasons(stages),
        figures=figures,
        sets={name: SETS[name] for name in SETS if name in figures},
        measures=measures(figures),
        embedding=embedding(figures),
        plots=plots(stages, spent, figures),
        examples=[(row, fields_of(row.record)) for row in examples],
        rejects={
            key: [(reject, fields_of(reject.record)) for reject in some]
            for key, some in rejects.items()
        },
        lineage=manifest.get("lineage", []),
        config=yaml.safe_dump(manifest["config"], sort_keys=False, allow_unicode=True, width=100),
    )
    # A record may hold half a surrogate pair, which no encoding can write.
    return rendered.encode("utf-8", "backslashreplace").decode()


class _Embedded:
    """Gives pictures as data URLs, until the page holds `_PICTURES_MB` of them."""

    def __init__(self, blobs: Blobs | None) -> None:
        self._blobs, self._left = blobs, _PICTURES_MB * 1e6

    def __call__(self, picture: Picture) -> str:
        if self._blobs is None:
            return ""
        try:
            data = self._blobs.named(picture.name)
        except CotmillError:
            return ""
        self._left -= len(data)
        return data_url(MIMES[picture.name.rpartition(".")[2]], data) if self._left >= 0 else ""


def tokens(stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each stage asked of each model, one row apiece."""
    return [
        {
            "stage": stage["name"],
            "model": model,
            "requests": spent.get("requests", 0) + spent.get("requests.recorded", 0),
            "prompt": spent.get("tokens.prompt", 0),
            "generated": spent.get("tokens.generated", 0),
            "recorded": spent.get("tokens.recorded", 0),
            "saved": spent.get("requests.saved", 0),
        }
        for stage in stages
        for model, spent in stage.get("models", {}).items()
    ]


def ran(stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells that each stage had run, by how they ended, and its calls of tools by name."""
    rows = []
    for stage in stages:
        for kind in ("cells", "tools"):
            tallies = {"run": kind, "recorded": f"{kind}.recorded", "again": f"{kind}.rebuilt"}
            counts = {name: stage.get("counts", {}).get(what, {}) for name, what in tallies.items()}
            for key in sorted({key for found in counts.values() for key in found}):
                amounts = {name: found.get(key, 0) for name, found in counts.items()}
                rows.append({"stage": stage["name"], "what": f"{kind}: {key}", **amounts})
    return rows


def counted(stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What else stages counted, such as judgments that changed with the order: amounts by key, and
    their shares of all keys of the same count."""
    return [
        {"stage": stage["name"], "what": what, "key": key, "amount": amount,
         "share": amount / sum(amounts.values())}
        for stage in stages
        for what, amounts in stage.get("counts", {}).items()
        if what.partition(".")[0] not in ("cells", "tools", COUNT)
        for key, amount in sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    ]  # fmt: skip


def controls(stages: Iterable[dict[str, Any]]) -> dict[str, list[Overlap]]:
    """How much of what a grader keeps its controls keep, by stage."""
    counts = {stage["name"]: stage.get("counts", {}).get(COUNT) for stage in stages}
    return {name: overlaps(found) for name, found in counts.items() if found}


def reasons(stages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why records were rejected, most frequent first."""
    found = [
        {"stage": stage["name"], "reason": reason, "rejected": count, "in": stage["in"]}
        for stage in stages
        for reason, count in stage["rejected"].items()
    ]
    return sorted(found, key=lambda row: (-row["rejected"], row["stage"], row["reason"]))


def duration(manifest: dict[str, Any]) -> float | None:
    """Seconds from start to end; None for a run that is not finished."""
    if not manifest.get("finished"):
        return None
    start, end = (datetime.fromisoformat(manifest[name]) for name in ("started", "finished"))
    return (end - start).total_seconds()


def plots(
    stages: list[dict[str, Any]], spent: list[dict[str, Any]], figures: dict[str, Figures]
) -> dict[str, Markup]:
    """The page's plots by name; those that would be empty are left out."""
    drawn: dict[str, Markup] = {}
    if stages:
        ends = {
            "kept": [stage["kept"] for stage in stages],
            "rejected": [sum(stage["rejected"].values()) for stage in stages],
        }
        put_off = [stage.get("unanswered", 0) for stage in stages]
        if any(put_off):
            ends["unanswered"] = put_off
        drawn["funnel"] = bars(
            "Records kept and rejected at each stage",
            [stage["name"] for stage in stages],
            ends,
            stacked=True,
            notes=[f"{number(stage['kept'])} of {number(stage['in'])}" for stage in stages],
        )
    top = reasons(stages)[:15]
    if top:
        drawn["reasons"] = bars(
            "The most frequent reasons",
            [row["reason"] for row in top],
            {"rejected": [row["rejected"] for row in top]},
            stacked=True,
            notes=[f"{number(row['rejected'])} {row['stage']}" for row in top],
        )
    if spent:
        drawn["tokens"] = bars(
            "Tokens by stage",
            [row["stage"] for row in spent],
            {name: [row[name] for row in spent] for name in ("generated", "recorded")},
            stacked=True,
            notes=[number(row["generated"] + row["recorded"]) for row in spent],
        )
    filled = {name: found for name, found in figures.items() if found.rows}
    for name in ("kinds", "operations", "libraries", "answer_types"):
        drawn |= _shares(name, {key: getattr(found, name) for key, found in filled.items()})
    for name in ("instruction_words", "solution_words", "code_lines", "nesting", "input_keys"):
        counts = {
            key: lengths.histogram
            for key, found in filled.items()
            if (lengths := getattr(found, name)) is not None
        }
        if counts:
            drawn[name] = histogram(f"Distribution of {name.replace('_', ' ')}", counts)
    return drawn


def _shares(name: str, varieties: dict[str, Variety]) -> dict[str, Markup]:
    """Bars of the kinds that are most frequent in the accepted rows or in the seeds."""
    ranking = [variety for key, variety in varieties.items() if key != "programs"]
    most: dict[str, float] = {}
    for variety in ranking or varieties.values():
        for kind, share in variety.shares.items():
            most[kind] = max(share, most.get(kind, 0.0))
    kinds = sorted(most, key=lambda kind: (-most[kind], kind))[:16]
    if not kinds:
        return {}
    series = {
        key: [variety.shares.get(kind, 0.0) for kind in kinds] for key, variety in varieties.items()
    }
    title = f"Shares of {name.replace('_', ' ')}"
    return {name: bars(title, kinds, series, percent=True)}
