r"""Puts annotations of forged faces into better words, and refuses words that say more than the annotation does.

    metaforge refine --annotations=annotations.jsonl --out=refined.jsonl
    metaforge refine --annotations=annotations.jsonl --out=refined.jsonl --refiner=endpoint \
        --base_url=https://example.org/v1 --model=NAME

The first asks nobody: wordings of our own are drawn by a seed. The second asks a language model behind any endpoint of
OpenAI's form. Its key is read from METAFORGE_API_KEY or OPENAI_API_KEY, or from a file (--key_file), and written
nowhere. Images are sent only with --send_images. Every answer is recorded beside --out as it comes; called again, after
an interruption or with another --out and the same --answers, the command asks only for what is missing.
Each record gets `refined`: `text`, the new sentence, or the raw one where the guard refused it or no answer came;
`refiner`; `accepted`; and `why` not.
"""

from typing import NoReturn

from metaforge.captions.refining.options import Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from metaforge.captions.refining.costs import cost
        from metaforge.captions.refining.running import run

        summary = run(options)
        tokens = summary.usage["prompt_tokens"], summary.usage["completion_tokens"]
        if any(tokens):
            price = cost(*tokens, price_in=options.price_in, price_out=options.price_out)
            said = f"tokens of all answers, also those of earlier calls: {tokens[0]:,} asked and {tokens[1]:,} answered"
            print(said + (f", {price}" if price else ""))
        return f"Wrote {options.out}: {summary}."

    return launch(argv, body, doc=__doc__ or "", options=Options(), resumes=True)


def command() -> NoReturn:
    """The command as a program."""
    start(main)
