"""What the command that refines takes."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class Options:
    """Which records, by whom, and where to."""

    annotations: str = setting(..., "Annotations, as `metaforge annotate` writes them.", place="read")
    out: str = setting(..., "File of refined annotations to write.", place="file")
    refiner: str = setting(
        "template",
        "Who makes the sentences: wordings of our own, a model behind an endpoint, or recorded answers.",
        choices=("template", "endpoint", "replay"),
    )
    seed: int = setting(0, "Of the template: another seed, other wordings.")
    share: bool = setting(True, "Of the template: whether the share of the image is said.")
    base_url: str = setting(
        "",
        "Of the endpoint: its address, such as https://example.org/v1. Without: METAFORGE_BASE_URL or OPENAI_BASE_URL.",
    )
    model: str = setting("", "Of the endpoint: the model.")
    key_file: str = setting(
        "",
        "Of the endpoint: a file that holds its key. Without: METAFORGE_API_KEY or OPENAI_API_KEY, or no key.",
        place="read",
    )
    answers: str = setting(
        "", "Where every answer is recorded as it comes, or of replay read. Without: beside --out.", place="read"
    )
    send_images: bool = setting(False, "Of the endpoint: whether the images are sent too. They leave this machine.")
    pairs: str = setting("", "With --send_images: the folder of the pairs.", place="read")
    body: str = setting(
        "",
        'Of the endpoint: JSON laid over each request, such as {"temperature": 0}. null takes a field out: some models '
        'want {"max_tokens": null, "max_completion_tokens": 300}, some know no "response_format".',
    )
    workers: int = setting(4, "Of the endpoint: questions at a time.", least=1, most=256)
    tries: int = setting(5, "Of the endpoint: how often a question is asked.", least=1, most=100)
    timeout: float = setting(60.0, "Of the endpoint: seconds without a byte that end a try.", above=0, most=86400)
    deadline: float = setting(300.0, "Of the endpoint: seconds for all tries of a question.", above=0, most=86400)
    price_in: float = setting(0.0, "Price of a million tokens of questions, for the line on costs.")
    price_out: float = setting(0.0, "Price of a million tokens of answers.")
    image_tokens: int = setting(1000, "Tokens that the endpoint counts for an image; they differ from model to model.")
    report: str = setting("", "JSON to write: counts, and how well the texts agree with the annotations.", place="file")
    overlap: bool = setting(False, "Whether the report has BLEU and ROUGE-L (the extra `text`).")
