"""What failed tries say: of a request, and of the endpoint that was asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from transforms.engine.errors import CotmillError, one_line, typed_line
from transforms.images.wire import TooManyPictures
from transforms.models.backends.base import kind_of
from transforms.models.backends.endpoint_replies import PAGE, Complaint, Refused, blamed, fix
from transforms.models.backends.endpoint_requests import arguments_of
from transforms.models.backends.places import Place
from transforms.models.requests import ErrorKind, Request
from transforms.models.scores import NoScores, Unscorable

_ENDS_ALL = {
    **dict.fromkeys((301, 302, 303, 307, 308), "sends requests elsewhere"),
    401: "refuses the key",
    402: "asks to be paid",
    404: "knows no such path or model",
    405: "takes no questions at this path",
    407: "stands behind a proxy that refuses to pass requests on",
    410: "no longer has this path or model",
}
"""Statuses that every other request would get as well, and no waiting mends. Where others were
answered before, or the endpoint lists the model that it does not find, the request is asked again
first: a gateway may have lost its mind for a moment."""
_NAMES = 8
"""Models of an endpoint that an error lists at most."""
_PASSES = {408, 409, 421, 423, 424, 425, 449, 460, 499}
"""Statuses below 500 of failures on the way or in the endpoint, not of the request."""
_PASSES_IN_WORDS = re.compile(
    r"try again (?:later|in|after)|temporar|currently loading|still loading|overloaded|"
    r"timed out|just a moment",
    re.IGNORECASE,
)
_LIMITED = re.compile(r"rate.?limit|too.?many.?requests|throttl", re.IGNORECASE)
"""What endpoints call a limit on the rate of requests under another status than 429."""
_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_TOO_LARGE = ("request too large", "reduce the length")


@dataclass(frozen=True)
class Trouble:
    """One failed try: what it says of the request, and what of the endpoint."""

    kind: ErrorKind
    what: str
    again: bool = False
    """Whether the same request may fare better when it is asked again."""
    wait: float = 0.0
    """Seconds that the endpoint asks to wait."""
    down: bool = False
    """Nobody listened: this says nothing of the request."""
    limited: bool = False
    """The endpoint limits the rate of requests: this says nothing of the request either."""
    lost: bool = False
    """No reply came in time."""
    useless: bool = False
    """A reply came that is no answer: the endpoint is up."""
    ends_all: bool = False
    """Every other request would get it as well."""
    belied: bool = False
    """The endpoint's own list of its models says otherwise."""
    fix: str | None = None
    """The setting that mends it, where the endpoint names a parameter."""


def trouble_of(
    error: Exception,
    request: Request,
    place: Place,
    *,
    limit: float,
    parameters: Mapping[str, str | None],
    served: Sequence[str],
) -> Trouble:
    """What a failed try says of its request and of the endpoint.

    Args:
        limit: seconds that the try could take.
        parameters: the endpoint's names for arguments (`OpenAIBackend.parameters`).
        served: names of the models that the endpoint lists; empty where it lists none.
    """
    if isinstance(error, Complaint):
        return _complaint(error, request, place, parameters, served)
    if isinstance(error, NoScores):
        what = (
            f"{place.base_url} cannot score what stage {request.stage} asks it to "
            f"({error}): name a model for the stage that can, such as one of backend vllm"
        )
        return Trouble(ErrorKind.INVALID, what, ends_all=True)
    if isinstance(error, Unscorable):
        return Trouble(ErrorKind.INVALID, str(error))
    if isinstance(error, TooManyPictures):
        return Trouble(ErrorKind.TOO_LONG, str(error), fix=f"raise backend.{error.setting}")
    if isinstance(error, CotmillError):  # its pictures are not there
        return Trouble(ErrorKind.INVALID, str(error), ends_all=True)
    if isinstance(error, Refused):
        return Trouble(ErrorKind.REFUSED, str(error))
    if isinstance(error, TimeoutError):
        late = f"no answer within {limit:g} seconds ({place.setting}.timeout_seconds)"
        return Trouble(ErrorKind.TIMEOUT, late, again=True, lost=True)
    if isinstance(error, (aiohttp.ClientError, OSError)):
        down = isinstance(error, aiohttp.ClientConnectorError)
        what = typed_line(first_cause(error))
        return Trouble(ErrorKind.SERVER_ERROR, what, again=True, down=down)
    return Trouble(ErrorKind.SERVER_ERROR, one_line(error), again=True, useless=True)


def _complaint(
    said: Complaint,
    request: Request,
    place: Place,
    parameters: Mapping[str, str | None],
    served: Sequence[str],
) -> Trouble:
    status, what, url = said.status, str(said), place.base_url
    setting = place.setting
    if status in _ENDS_ALL or said.code in _QUOTA:
        why = _ENDS_ALL.get(status, _ENDS_ALL[402])
        mend = _remedy(status, request.model, place, served)
        what = f"{url} {why} ({what}): {mend}, then go on with resume=true"
        belied = status in (404, 405, 410) and request.model in served
        return Trouble(
            ErrorKind.SERVER_ERROR, what, again=True, ends_all=True, belied=belied, wait=said.wait
        )
    too_large = status == 413 or any(words in said.message.lower() for words in _TOO_LARGE)
    words = f"{said.code} {said.message}"
    if (status in (420, 429) or _LIMITED.search(words)) and not too_large:
        return Trouble(ErrorKind.SERVER_ERROR, what, again=True, limited=True, wait=said.wait)
    if status in _PASSES or not 400 <= status < 500:
        kind = ErrorKind.TIMEOUT if status in (408, 504) else ErrorKind.SERVER_ERROR
        return Trouble(kind, what, again=True, wait=said.wait, useless=status == 500)
    kind = ErrorKind.TOO_LONG if too_large else kind_of(words)
    if kind is ErrorKind.INVALID and (said.is_page or _PASSES_IN_WORDS.search(words)):
        what += f" ({PAGE})" * said.is_page  # a gateway's: no verdict of the API's
        return Trouble(ErrorKind.SERVER_ERROR, what, again=True, wait=said.wait, useless=True)
    further = json.loads(request.body)
    own = {parameters.get(name) or name: name for name in arguments_of(request)}
    roles = {message.role for message in request.messages}
    names = {*own, *further, *(roles & {"system"})}
    parameter = blamed(said, names) if kind is ErrorKind.INVALID else None
    if parameter in further:
        remedy: str | None = f"take {setting}.request.{parameter} out"
    elif parameter == "chat_template_kwargs":
        remedy = f"set {setting}.chat_template_kwargs={{}}"
    else:
        stage = group_of(request.stage)
        remedy = parameter and fix(said, parameter, stage, own.get(parameter), setting)
    return Trouble(kind, what, fix=remedy)


def _remedy(status: int, model: str, place: Place, served: Sequence[str]) -> str:
    """What to do about a status of `_ENDS_ALL`."""
    if status in (401, 402):
        return "mend it"
    if status == 407:
        return "give the proxy's user and password in HTTPS_PROXY or HTTP_PROXY"
    setting = place.setting
    if status in (404, 410) and served and model not in served:
        names = ", ".join(served[:_NAMES]) + ", ..." * (len(served) > _NAMES)
        return f"set {setting}.model to one that it serves ({names})"
    return (
        f"set {setting}.base_url to the root of the API, such as http://127.0.0.1:8000/v1, and "
        f"{setting}.model to a model of it"
    )


def group_of(stage: str) -> str:
    """The group of `sampling` that holds a stage's sampler."""
    return "program" if stage == "sample" else stage


def first_cause(error: BaseException) -> BaseException:
    """What began the chain of errors that ends in `error`; itself where nothing else caused it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
