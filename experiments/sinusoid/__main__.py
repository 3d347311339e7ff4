r"""Does the package reproduce MAML's sinusoid table? 5-shot regression against pre-training on the same data.

    python -m experiments.sinusoid --workdir=runs/sinusoid
    python -m experiments.sinusoid --workdir=runs/sinusoid_quick --preset=quick

A task is $y = A \sin(x - \varphi)$ with A ~ U[0.1, 5], phase ~ U[0, pi], x ~ U[-5, 5]; the network is 1-40-40-1 with
ReLU. MAML trains with 10 support and 10 query points, one inner step at 0.01 and exact second order; pre-training
sees the very same points and starts from the same parameters. The paper says 0.01, its released code defaults to 0.001:
here it is 0.01. Initial weights are Flax's (LeCun normal); those of the released code are smaller.

Judged on 600 test tasks, the same for every method and seed, on 100 query points evenly spaced over [-5, 5], after 1, 5
and 10 steps of plain gradient descent on the support points (5-shot takes the first 5 of 10). `maml` goes on with the
rate it trained with; `maml_tuned` and `pretrain` take, for each number of shots and steps, the best of a grid on other
tasks. MAML learns to take one step: its support loss is typically curved beyond 2 / 0.01 = 200 (largest Hessian
eigenvalue, median 307), where more steps at 0.01 may climb, and on a few 5-shot tasks in a thousand they diverge. So an
error counts as 25 at most, more than predicting 0 costs on any task, and the report says how often (`capped`); on the
tasks that choose a rate nothing is capped. Intervals (95 %) resample seeds and tasks.

Numbers to expect, 5-shot MSE after 1 / 5 / 10 steps: `maml` 0.61 / 0.49 / 0.44, `maml_tuned` 0.61 / 0.40 / 0.35,
`pretrain` 2.60 / 2.31 / 2.26; in the paper MAML 0.67 / 0.38 / 0.35, pre-training 2.41 / 2.23 / 2.19. Without a step, no
network that was only pre-trained can be below 3.01 on average, the error of the best function of x alone.
Costs three to five minutes on two CPU cores (quick: half a minute); a killed run goes on from its last checkpoint.

Source: Finn, Abbeel and Levine, *Model-Agnostic Meta-Learning*, ICML 2017, section 5.1 and table 2.
"""

from experiments.sinusoid.config import PRESETS, Config, Options
from metaforge.commands import launch, start


def main(argv: list[str]) -> int:
    """The command."""

    def body(options: Options, config: Config) -> str:
        # What computes is imported where it is used, so that --help answers at once.
        from experiments.sinusoid.running import run, table

        print(table(run(config, options.workdir)))
        return f"\nWrote {options.workdir}/report.json and report.md."

    return launch(argv, body, doc=__doc__ or "", resumes=True, options=Options(), config=Config(), presets=PRESETS)


if __name__ == "__main__":
    start(main, heavy=True)
