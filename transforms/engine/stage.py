"""A stage: a named step of a recipe, from PCollection of `reads` to `Outcome` of `writes`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from hydra.utils import get_method
from pydantic import BeforeValidator, ConfigDict, ValidationError, create_model

from transforms.engine.accounting import Check, Verdict, first_rejection, keep, reject
from transforms.engine.errors import first_line
from transforms.engine.outcomes import Decide, Outcome
from transforms.images.rows import holds_pictures


class Same:
    """As `writes`, which it is by default: the stage writes records of the type that it reads."""


class AnyRecord:
    """As `reads`: a stage that takes records of any type, a dataclass with an `id`."""


@dataclass(kw_only=True)
class Stage(beam.PTransform):
    """A step of a recipe. A subclass is a dataclass that says what it reads and writes.

    Its fields come from the recipe's YAML, or, where one is named like a group of settings
    (`sandbox`, `filter`), from that group. `expand` returns an `Outcome`.
    """

    name: str
    """The recipe's key: unique in the recipe, and what counts and rejects are filed under."""
    begins_segment: bool = False
    """Whether a segment begins here: what came before it is not run again where a run is gone on
    with."""

    reads: ClassVar[type | None]
    """The record type that it takes; None for a source, which takes a pipeline's begin."""
    writes: ClassVar[type] = Same
    """The record type that it keeps."""
    writes_pictures: ClassVar[type | None] = None
    """What it keeps in place of `writes` where the records that it reads hold pictures; None is no
    other type."""
    creates_records: ClassVar[bool] = False
    """Whether what enters it is other than the records that the stage before it kept."""
    by_record: ClassVar[bool] = False
    """Whether what becomes of a record depends on no other: a segment of such stages alone can run
    in parts (`runner.part_rows`). A class that writes `expand`, `sides` or `opened` itself has to
    say so anew."""
    draws: ClassVar[bool] = False
    """Whether it draws `sampling.num_programs` records: that number decides no other stage."""
    shows_pictures: ClassVar[bool] = False
    """Whether it shows its model pictures: backends that take text alone are refused before the
    run."""
    reasons: ClassVar[Iterable[str]] = ()
    """Why it rejects records, as one word each: a StrEnum, or members of several."""
    by_field: ClassVar[tuple[str, ...]] = ()
    """Its own fields whose values name fields of the records that it reads."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "by_record" not in vars(cls) and vars(cls).keys() & {"expand", "sides", "opened"}:
            cls.by_record = False

    def rejects_for(self) -> tuple[str, ...]:
        """The reasons for which this instance rejects records: those of its class, and those that
        its fields add."""
        return tuple(map(str, self.reasons))

    def named_fields(self) -> dict[str, str]:
        """Its own field -> the field of the records that it names; those that name none are left
        out."""
        return {field: name for field in self.by_field if (name := getattr(self, field))}


def written_by(stage: Stage, arriving: type | None) -> type:
    """Returns the record type that a stage writes where records of type `arriving` come in."""
    if stage.writes is Same:
        if arriving is None:
            raise TypeError(f"{stage.name} writes what it reads, and nothing comes before it")
        return arriving
    if stage.writes_pictures is not None and holds_pictures(arriving):
        return stage.writes_pictures
    return stage.writes


def takes(stage: Stage, arriving: type | None) -> bool:
    """Returns whether a stage can take what comes in: records of a type, or (None) nothing."""
    wanted: Any = stage.reads
    if wanted is None or arriving is None:
        return wanted is arriving
    return wanted is AnyRecord or issubclass(arriving, wanted)


def lacking(stage: Stage, arriving: type | None) -> dict[str, str]:
    """Returns the stage's own field -> the field that it names and that arriving records lack."""
    there = {field.name for field in fields(arriving)} if arriving is not None else set()
    return {field: name for field, name in stage.named_fields().items() if name not in there}


def named(function: Any) -> Any:
    """Returns a function, or the one that a recipe names by its import path.

    Raises ValueError where there is none of that name.
    """
    if not isinstance(function, str):
        return function
    try:
        return get_method(function)
    except Exception as error:
        raise ValueError(f"there is no function {function}: {first_line(error)}") from None


Named = Annotated[Callable[..., Any], BeforeValidator(named)]
"""The type of a stage's field that is a function: a recipe names it by its import path."""


def chosen(choice: Any, known: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    """Returns the function that a recipe chooses by its name in `known` or by its import path; as
    `{name: {argument: value}}` with keyword arguments, which are held against its signature.

    >>> def longest(texts, *, keep: int = 1): return sorted(texts, key=len)[-keep:]
    >>> chosen({"longest": {"keep": 2}}, {"longest": longest})(["a", "bbb", "cc"])
    ['cc', 'bbb']

    Raises ValueError where there is no such function, or it does not take these arguments.
    """
    if callable(choice):
        return choice
    name: Any = choice
    arguments: Any = {}
    if isinstance(choice, Mapping) and len(choice) == 1:
        [(name, arguments)] = choice.items()
    if not isinstance(name, str):
        raise ValueError(f"{choice!r} is neither a name nor {{name: {{argument: value}}}}")
    if name not in known and "." not in name:
        raise ValueError(f"{name} is none of {', '.join(known)}, and no import path")
    function: Callable[..., Any] = known[name] if name in known else named(name)
    own: dict[str, Any] = {
        each.name: (each.annotation, ... if each.default is each.empty else each.default)
        for each in inspect.signature(function, eval_str=True).parameters.values()
        if each.kind is each.KEYWORD_ONLY
    }
    try:
        form = create_model(name, __config__=ConfigDict(extra="forbid"), **own)
        values = form.model_validate(arguments or {})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, (name, *first["loc"])))
        raise ValueError(f"{place}: {first['msg']} (it takes {', '.join(own)})") from None
    made = functools.partial(function, **{each: getattr(values, each) for each in own})
    return functools.update_wrapper(made, function)


def check(reason: str) -> Callable[[Callable[[Any], Any]], Check]:
    """Makes a check of a function that says what is wrong with a record.

    The function returns the detail of the rejection, or True; and None, False or an empty text
    where it has nothing against the record.

    >>> @check("too_wordy")
    ... def too_wordy(row):
    ...     return len(row.split()) > 3 and f"{len(row.split())} words"
    >>> too_wordy("one two three four")
    Verdict(reason='too_wordy', detail='4 words', unanswered=False)
    >>> too_wordy("one").kept
    True
    """

    def make(function: Callable[[Any], Any]) -> Check:
        @functools.wraps(function)
        def judge(record: Any) -> Verdict:
            found = function(record)
            return reject(reason, "" if found is True else str(found)) if found else keep()

        judge.reason = reason  # type: ignore[attr-defined]
        return judge

    return make


def pair(record: Any, returned: Any) -> tuple[Any, Verdict]:
    """Returns what a function of a record returned as (record, Verdict): a Verdict is one on the
    record itself, and any other record is kept."""
    if isinstance(returned, Verdict):
        return record, returned
    return returned if isinstance(returned, tuple) else (returned, keep())


@dataclass(kw_only=True)
class Filter(Stage):
    """PCollection[record] -> Outcome of the same: the first check that objects decides.

    A subclass says what it reads; `Filter` itself takes records of any type.
    """

    checks: tuple[Named, ...] = ()
    """Functions record -> Verdict (see `check`)."""

    reads: ClassVar[type] = AnyRecord
    by_record: ClassVar[bool] = True

    def checked_by(self) -> tuple[Check, ...]:
        """The checks, in order."""
        return self.checks

    def rejects_for(self) -> tuple[str, ...]:
        checks = [getattr(check, "reason", None) for check in self.checks]
        return (*super().rejects_for(), *filter(None, checks))

    def expand(self, records: PCollection) -> Outcome:
        checks = self.checked_by()
        return (
            records
            | "Judge" >> beam.Map(lambda record: (record, first_rejection(checks, record)))
            | "Decide" >> Decide(self.name)
        )


@dataclass(kw_only=True)
class Map(Stage):
    """PCollection of `reads` -> Outcome of `writes`: what `of` makes of each record."""

    by_record: ClassVar[bool] = True
    of: ClassVar[Callable[..., Any]]
    """record -> a record of `writes`, or a Verdict that rejects the record that was read."""

    def expand(self, records: PCollection) -> Outcome:
        return (
            records
            | "Make" >> beam.Map(lambda record: pair(record, self.of(record)))
            | "Decide" >> Decide(self.name)
        )
