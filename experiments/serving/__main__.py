"""What a detector costs over HTTP, with the client on the same machine.

    python -m experiments.serving --out=serving.json

Each server is a process with its children, and so is the client. In rounds that begin with another server each, every
server is asked for face crops and for photographs that arrive at a fixed rate, for crops that arrive faster, and for
crops as fast as it answers, in batches and one by one. `metaforge` is `metaforge serve`; `plain` is
`experiments/serving/plain_server.py`, fifty lines of FastAPI and ONNX Runtime; `litserve` is LitServe
(`pip install litserve`). All have the same ONNX file, and find faces by the same function. Only `metaforge` makes a
verdict of the score (a hash, flags, provenance, thresholds); the others answer the bare score. It takes the extras
`serve`, `faces`, `onnx` and `dev`.
"""

from experiments.serving.config import Config, Options
from metaforge.commands import launch, start
from metaforge.whole import refuse_used


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        refuse_used(options.out)
        from experiments.serving.running import run
        from experiments.serving.table import markdown

        print(markdown(run(config, options.out)))
        return f"Wrote {options.out}."

    return launch(argv, body, doc=__doc__ or "", options=Options(), config=Config())


if __name__ == "__main__":
    start(main)
