"""The rate of the outer loop, step by step."""

import optax

from metaforge.training.config import Config


def outer_rate(config: Config) -> optax.Schedule | float:
    r"""The outer rate: a constant, divided on the paper's schedule, or a cosine after a warm-up.

    With $T$ outer steps and a warm-up of $W$, the rate $\beta$ of step $t = 0, 1, \dots$ is
    $\beta\,(t + 1) / (W + 1)$ up to $t = W$, and $\beta\,(1 + \cos(\pi (t - W) / (T - W))) / 2$ from there.

    Args:
        config: the run's; what only adapts need not know how long was trained, and uses no rate.

    Returns:
        A number, or an optax schedule of the outer step.

    Example:
        >>> from metaforge.settings import change
        >>> rate = outer_rate(change(Config(), {
        ...     "learner.schedule": "cosine", "learner.warmup": 1, "learner.outer_lr": 1.0, "run.iterations": 5,
        ... }))
        >>> print([round(float(rate(step)), 3) for step in range(5)])
        [0.5, 1.0, 0.854, 0.5, 0.146]

    References:
        Loshchilov and Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, ICLR 2017, eq. 5, without
        restarts. Goyal et al., *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, 2017, section 2.2.
    """
    rate = config.learner.outer_lr
    if config.learner.schedule == "cosine":
        warmup = config.learner.warmup
        steps = max(warmup + 1, config.run.iterations)
        # A first step at a rate of 0 would be lost.
        return optax.warmup_cosine_decay_schedule(rate / (warmup + 1), rate, warmup, steps)
    every = config.learner.decay_epochs * config.learner.epoch_iterations
    return optax.exponential_decay(rate, every, config.learner.outer_decay, staircase=True) if every else rate
