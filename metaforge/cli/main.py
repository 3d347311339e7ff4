"""The console script: `metaforge COMMAND --flags` is the module of that name beside this one."""

import importlib
import sys

COMMANDS = {
    "train": "meta-train a detector over forgery domains",
    "adapt": "adapt a detector to a new kind of forgery by a few labelled images",
    "thresholds": "fit a detector's thresholds to stated shares of mistakes on labelled images",
    "predict": "screen images with a detector",
    "screen": "screen any number of files, with a record of each that serves as evidence",
    "evaluate": "say how often a screen was right, with intervals, and whether that is enough",
    "corrections": "make what reviewers say of verdicts into images to adapt on",
    "report": "report on one image or video, with evidence, on a page that needs no other file",
    "serve": "serve a detector over HTTP, with a page to look at verdicts",
    "backup": "write what a service needs to one file, while it runs",
    "restore": "make a service of a backup again",
    "watch": "say of a running video, every few seconds, who in it looks forged",
    "explain": "say of images where the face may be forged",
    "export": "write the detector of a run to a folder of its own",
    "distill": "teach a small network what detectors say",
    "prune": "take channels out of a detector's network",
    "forge": "make a folder of forged and real images, to rehearse with",
    "annotate": "say of pairs of a real face and its forgery where and how they differ",
    "refine": "put annotations of forged faces into better words",
    "captions": "check annotations, and write them in a form that other programs read",
    "prepare": "turn a data set of the field into a prepared folder",
}
"""What each command does, in the order in which one meets them."""


def main() -> None:
    """Runs a command, or says which there are."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        lines = [f"  {command:{width}}  {does}" for command, does in COMMANDS.items()]
        print("\n".join(["metaforge COMMAND --flags", "", *lines, "", "metaforge COMMAND --help lists its flags."]))
        sys.exit(0)
    if name not in COMMANDS:
        print(f"metaforge: no command '{name}'; there are {', '.join(COMMANDS)}.", file=sys.stderr)
        sys.exit(2)
    sys.argv[1:2] = []
    importlib.import_module(f"metaforge.cli.{name}").command()


if __name__ == "__main__":
    main()
