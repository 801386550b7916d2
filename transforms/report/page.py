"""The report's page, from a manifest and what was read from the run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from transforms.diversity.measure import Figures, Lengths, Variety
from transforms.report.plots import bars, histogram
from transforms.report.read import Refused

_LONGEST = 6000
"""Characters of a text that are shown."""
SETS = {
    "rows": "accepted rows",
    "programs": "programs before deduplication",
    "seeds": "verified seeds",
}
"""The sets that are measured, and what the page calls them."""


@dataclass(frozen=True)
class Measure:
    """One line of the table of diversity."""

    group: str
    name: str
    meaning: str
    of: Callable[[Figures], str]


def page(
    manifest: dict[str, Any],
    figures: dict[str, Figures],
    examples: Sequence[dict[str, Any]],
    rejects: dict[tuple[str, str], list[Refused]],
) -> str:
    """Returns the report as one HTML page that loads nothing.

    Texts of models are hostile: the template escapes all of them, and the page forbids scripts and
    requests to whoever opens it.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, percent=percent, clock=clock, short=short, pretty=pretty
    )
    stages = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    spent = tokens(stages)
    paid = sum(row["generated"] + row["recorded"] for row in spent)
    rows = figures["rows"].rows if "rows" in figures else 0
    rendered = environment.get_template("page.html.jinja").render(
        manifest=manifest,
        model=manifest["config"].get("backend", {}).get("model"),
        rows=rows,
        paid=paid,
        each=paid / rows if rows else None,
        seconds=duration(manifest),
        stages=stages,
        tokens=spent,
        reasons=reasons(stages),
        figures=figures,
        sets={name: SETS[name] for name in SETS if name in figures},
        measures=measures(figures),
        embedding=embedding(figures),
        plots=plots(stages, spent, figures),
        examples=examples,
        rejects=rejects,
        lineage=manifest.get("lineage", []),
        config=yaml.safe_dump(manifest["config"], sort_keys=False, allow_unicode=True, width=100),
    )
    # A record may hold half a surrogate pair, which no encoding can write.
    return rendered.encode("utf-8", "backslashreplace").decode()


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
        drawn["funnel"] = bars(
            "Records kept and rejected at each stage",
            [stage["name"] for stage in stages],
            {
                "kept": [stage["kept"] for stage in stages],
                "rejected": [sum(stage["rejected"].values()) for stage in stages],
            },
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
    for name in ("operations", "libraries", "answer_types"):
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


def measures(figures: dict[str, Figures]) -> list[Measure]:
    """The lines of the table of diversity, in groups."""
    wording = next((found.wording for found in figures.values() if found.wording), None)
    coverage = next((found.coverage for found in figures.values() if found.coverage), None)
    programs = "Programs"
    answers = "Answers"
    texts = "Instructions and solutions"
    lines = [
        Measure("", "rows", "", lambda f: number(f.rows)),
        Measure(
            programs,
            "structures",
            "different programs once names and constants are taken away",
            lambda f: f"{number(f.fingerprints.distinct)}{_of(f.fingerprints.distinct, f.rows)}",
        ),
        Measure(
            programs,
            "effective structures",
            "exp of the entropy: as many, used equally, would be as varied",
            lambda f: number(f.fingerprints.effective),
        ),
        Measure(
            programs,
            "largest structure",
            "share of programs that have the most frequent structure",
            lambda f: percent(f.fingerprints.largest),
        ),
        Measure(
            programs,
            "operations",
            "different operators, statements, builtins, methods and library functions",
            lambda f: f"{f.operations.distinct} (effective {number(f.operations.effective)})",
        ),
        Measure(
            programs,
            "library functions",
            "different things taken from modules",
            lambda f: f"{f.functions.distinct} from {f.libraries.distinct} libraries",
        ),
        Measure(programs, "code lines", _SPREAD, lambda f: _spread(f.code_lines)),
        Measure(
            programs,
            "nesting",
            f"of loops, ifs and comprehensions; {_SPREAD}",
            lambda f: _spread(f.nesting),
        ),
        Measure(programs, "input values", _SPREAD, lambda f: _spread(f.input_keys)),
        Measure(
            answers,
            "answers",
            "different ones",
            lambda f: f"{number(f.answers.distinct)}{_of(f.answers.distinct, f.rows)}",
        ),
        Measure(answers, "most frequent answer", "", lambda f: _first(f.answers)),
        Measure(answers, "most frequent type", "", lambda f: _first(f.answer_types)),
        Measure(texts, "instruction words", _SPREAD, lambda f: _spread(f.instruction_words)),
        Measure(texts, "solution words", _SPREAD, lambda f: _spread(f.solution_words)),
        Measure(
            texts,
            "most frequent opening",
            "first three words",
            lambda f: _first(f.openings),
        ),
    ]
    if coverage:
        same = f"In {number(coverage.programs)} programs of each"
        lines += [
            Measure(same, "structures", "", lambda f: _coverage(f, "fingerprints")),
            Measure(same, "operations", "", lambda f: _coverage(f, "operations")),
        ]
    if wording:
        same = f"In {number(wording.texts)} instructions, {number(wording.words)} words, of each"
        lines += [
            Measure(same, name, meaning, lambda f, key=field: _wording(f, key))  # type: ignore[misc]
            for name, meaning, field in (
                ("distinct-1", "different words by words", "distinct_1"),
                ("distinct-2", "different pairs by pairs", "distinct_2"),
                ("distinct-3", "different triples by triples", "distinct_3"),
                ("compression", "zlib: higher where texts repeat each other", "compression"),
                ("shared openings", "first three words are another's too", "shared_openings"),
                ("mean distance", "of each two instructions", "mean_distance"),
                ("nearest distance", "of each to its nearest", "nearest_distance"),
            )
        ]
    return lines


_SPREAD = "median, 95th percentile, largest"
_EMBEDDINGS = {
    "hashed_ngrams": "hashed character 3- to 5-grams with numbers masked (no model: they tell"
    " likeness of wording, not of meaning)"
}


def embedding(figures: dict[str, Figures]) -> str | None:
    """What distances were measured by, in words; None where there are none."""
    names = [found.wording.embedding for found in figures.values() if found.wording]
    return _EMBEDDINGS.get(names[0], names[0]) if names else None


def _spread(lengths: Lengths | None) -> str:
    return "–" if lengths is None else f"{lengths.median}, {lengths.p95}, {lengths.max}"


def _first(variety: Variety) -> str:
    for kind, share in variety.shares.items():
        return f"{kind} ({percent(share)})"
    return "–"


def _of(distinct: int, rows: int) -> str:
    return f" ({percent(distinct / rows)})" if rows else ""


def _any(value: float | None) -> str:
    return "–" if value is None else number(value)


def _coverage(figures: Figures, key: str) -> str:
    return _any(asdict(figures.coverage)[key] if figures.coverage else None)


def _wording(figures: Figures, key: str) -> str:
    return _any(asdict(figures.wording)[key] if figures.wording else None)


def number(value: float) -> str:
    """A number as people read it: thousands apart, decimals where they matter."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share in percent, to one decimal below ten."""
    value = 100 * share
    return (
        f"{value:.0f}\N{NO-BREAK SPACE}%"
        if value >= 10 or value == round(value)
        else f"{value:.1f}\N{NO-BREAK SPACE}%"
    )


def clock(time: str) -> str:
    """A manifest's time, as people read it."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M} UTC"


def short(text: str) -> str:
    """A text, cut where it is longer than anyone reads."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} more characters"


def pretty(value: Any) -> str:
    """A value as indented JSON, a text as it is."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to be shown)"
