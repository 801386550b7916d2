"""Scores: how likely a model finds a given text, or each of a few labels, in place of an answer.

A score is asked for with a `Request` that `score` or `score_labels` makes of another, so the
ledger, replays, counts, prices and budgets hold for it. Its response's text is JSON, a list of
[text, log probability], which `scored` reads:

    response = yield score(request, " 4 eggs.")
    total = scored(response).sum

So a value, process or outcome model is a model by name like any other: what it says is read from
the log probabilities of its labels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from transforms.models.requests import ErrorKind, Request, Response, Sampler, Score

LIKELIEST = 20
"""First tokens among which labels are looked for: the most that vLLM and OpenAI's chat give."""


class NoScores(ValueError):
    """The endpoint gives no log probabilities of what is to be scored."""


class Unscorable(ValueError):
    """This request alone has no score: its prompt leads to none of the labels, or is empty."""


def score(request: Request, continuation: str) -> Request:
    """Returns the request for the log probabilities of `continuation` as the answer to `request`.

    They follow the request's forced prefix. How an answer would be sampled does not count: of two
    requests that differ in that alone, the scores have one id.

    Raises:
        ValueError: `continuation` is empty.
    """
    if not continuation:
        raise ValueError("there is nothing to score: the continuation is empty")
    return _scoring(request, Score(continuation=continuation))


def score_labels(request: Request, labels: Sequence[str]) -> Request:
    """Returns the request for the log probability of each label as the first token of the answer.

    A label has to be one token of the model. Space around it does not count: " +" is "+".

    Raises:
        ValueError: there are fewer than 2 labels, or one is empty, has space around it or occurs
            twice.
    """
    if len(labels) < 2 or len({*labels}) < len(labels):
        raise ValueError(f"labels={list(labels)}: give two or more that differ")
    if any(not label or label != label.strip() for label in labels):
        raise ValueError(f"labels={list(labels)}: give labels without space around them")
    return _scoring(request, Score(labels=tuple(labels)))


def _scoring(request: Request, asked: Score) -> Request:
    sampler = Sampler(
        temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=1, prefix=request.sampler.prefix
    )
    # Without tags: a score's text is JSON that cotmill wrote, never a thought.
    return replace(
        request, sampler=sampler, run_seed=0, sample=0, think_tags=None, reasons=False, score=asked
    )


@dataclass(frozen=True)
class Scored:
    """Texts with their log probabilities (natural logarithm, at most 0)."""

    texts: tuple[str, ...]
    """The tokens of the continuation, in order; or the labels, as they were asked for."""
    logprobs: tuple[float, ...]
    """One for each of `texts`; -inf for a label that is not among the likeliest first tokens."""

    @property
    def sum(self) -> float:
        """Log probability of the whole continuation."""
        return math.fsum(self.logprobs)

    @property
    def mean(self) -> float:
        """Log probability per token of the continuation."""
        return self.sum / len(self.logprobs)

    def probability(self, label: str) -> float:
        """Probability of `label` among the labels: their softmax, as DREAM (arXiv 2509.25420)
        reads a reward from two labels.

        Raises:
            ValueError: it was not asked for.
        """
        best = max(self.logprobs)
        weights = [math.exp(logprob - best) for logprob in self.logprobs]
        return weights[self.texts.index(label)] / math.fsum(weights)


def scored(response: Response) -> Scored:
    """Returns the scores in the response to a request of `score` or `score_labels`.

    Raises:
        ValueError: it holds none, since the request failed or is no such request
            (`judge_response` gives the verdict on it).
    """
    if response.error is not None:
        raise ValueError(f"nothing was scored: {response.error}")
    pairs = json.loads(response.text)
    return Scored(
        tuple(text for text, _ in pairs),
        tuple(-math.inf if logprob is None else logprob for _, logprob in pairs),
    )


def scores_text(pairs: Iterable[tuple[str, float]]) -> str:
    """Returns the text of a response, as `scored` reads it; JSON has no infinity, so it is null.

    >>> scores_text([("+", -0.5), ("-", float("-inf"))])
    '[["+", -0.5], ["-", null]]'
    """
    return json.dumps(
        [[text, logprob if math.isfinite(logprob) else None] for text, logprob in pairs],
        ensure_ascii=False,
    )


def of_labels(
    labels: Sequence[str], likeliest: Iterable[tuple[str, float]]
) -> list[tuple[str, float]]:
    """Returns each label with its log probability, that of all first tokens that read as it.

    Args:
        likeliest: first tokens as text, with their log probabilities; a text may occur twice.

    Raises:
        Unscorable: no label is among them.

    >>> of_labels(["yes", "no"], [("yes", -1.0), (" no", -2.0), ("No", -0.5)])
    [('yes', -1.0), ('no', -2.0)]
    """
    given = [(text.strip(), logprob) for text, logprob in likeliest]
    scores = [
        (label, _sum_of([logprob for text, logprob in given if text == label])) for label in labels
    ]
    if all(math.isinf(logprob) for _, logprob in scores):
        shown = ", ".join(repr(text) for text, _ in given[:5])
        raise Unscorable(
            f"none of the labels {', '.join(labels)} is among the {len(given)} likeliest first "
            f"tokens ({shown} ...): each has to be one token, and the prompt has to ask for it"
        )
    return scores


def _sum_of(logprobs: list[float]) -> float:
    """Log of the sum of probabilities."""
    if not logprobs:
        return -math.inf
    best = max(logprobs)
    return best + math.log(math.fsum(math.exp(each - best) for each in logprobs))


def continued(
    tokens: Sequence[str], logprobs: Sequence[float | None], before: int, continuation: int
) -> list[tuple[str, float]]:
    """Returns the tokens of a continuation with their log probabilities, out of an echoed text.

    Args:
        tokens: those of the prompt, of the continuation and of what the model wrote after it.
        logprobs: one for each; None for the first of all.
        before: characters of the prompt.
        continuation: characters of the continuation.

    Raises:
        Unscorable: the continuation's first token is the text's.
        NoScores: the tokens end before the continuation does.

    >>> continued(["a", " b", " c", "!"], [None, -1.0, -2.0, -3.0], 1, 4)
    [(' b', -1.0), (' c', -2.0)]
    """
    pairs: list[tuple[str, float]] = []
    start = 0
    for token, logprob in zip(tokens, logprobs, strict=True):
        end = start + len(token)
        if end > before and start < before + continuation:
            if logprob is None:
                raise Unscorable("the first token of a text has no log probability: give a prompt")
            pairs.append((token, logprob))
        start = end
    if start < before + continuation:
        raise NoScores("the text that it echoes is shorter than the one it was sent")
    return pairs


def with_scores(response: Response, pairs: Callable[[], list[tuple[str, float]]]) -> Response:
    """Returns `response` with scores as its text, or its failure; its tokens count in either case.

    Args:
        pairs: returns the scores, or raises Unscorable.
    """
    try:
        return replace(response, text=scores_text(pairs()), finish_reason="stop")
    except Unscorable as error:
        kind = ErrorKind.INVALID
        return replace(response, text="", finish_reason="error", error=str(error), error_kind=kind)


def by_token(
    ids: Sequence[int], start: int, prompt_logprobs: Sequence[Mapping[int, float]]
) -> list[float]:
    """Returns the log probabilities of `ids[start:]`.

    Args:
        prompt_logprobs: for each token of the prompt, token id -> log probability, that of the
            token itself among them; empty for the first of all.
    """
    return [prompt_logprobs[at][ids[at]] for at in range(start, len(ids))]
