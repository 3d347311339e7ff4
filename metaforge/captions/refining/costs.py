"""What asking about many records will cost, said before it is done."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from metaforge.captions.refining.prompt import Prompt, messages

_LETTERS = 4  # of English in a token of most vocabularies; JSON has fewer
_ANSWER = 40  # tokens


class Estimate(NamedTuple):
    """Of a run.

    Attributes:
        requests: how many.
        tokens_in: of all of them together.
        tokens_out: of all answers.
    """

    requests: int
    tokens_in: int
    tokens_out: int


def estimate(prompts: Iterable[Prompt], *, image_tokens: int = 0) -> Estimate:
    """About how many tokens some prompts are: a quarter of their letters, and what images are said to be.

    Args:
        prompts: all that will be asked; memory does not grow with them.

    Other Arguments:
        image_tokens: of each of the two images of a prompt.

    Example:
        >>> from metaforge.captions.refining.prompt import SCHEMA, Guide, Pair
        >>> prompt = Prompt("a", Pair("r.png", "f.png", None), Guide("forged", (), (), 0.1, "", ()), "Say it.", SCHEMA)
        >>> estimate([prompt, prompt], image_tokens=1000).requests
        2
    """
    requests, letters = 0, 0
    for prompt in prompts:
        requests += 1
        letters += sum(len(json.dumps(one["content"])) for one in messages(prompt))
    return Estimate(requests, letters // _LETTERS + 2 * image_tokens * requests, _ANSWER * requests)


def cost(tokens_in: int, tokens_out: int, *, price_in: float = 0.0, price_out: float = 0.0) -> str:
    """What tokens cost, "" without prices.

    Args:
        tokens_in: of questions.
        tokens_out: of answers.

    Other Arguments:
        price_in: of a million tokens of questions, in any currency.
        price_out: of a million tokens of answers.

    Example:
        >>> cost(2_000_000, 100_000, price_in=0.15, price_out=0.6)
        '0.36 at the given prices'
    """
    if not price_in and not price_out:
        return ""
    return f"{(tokens_in * price_in + tokens_out * price_out) / 1e6:.2f} at the given prices"
