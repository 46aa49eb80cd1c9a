"""What the adaptive policy saves, and how often its label is that of all ten attempts: a simulation.

    python -m benchmarks.attempts

Pass rates are drawn from a beta distribution with KodCode's average pass@1 (0.42) and pass@10 (0.655).
"""

from __future__ import annotations

import random
from math import exp, lgamma

from tasks.acceptance import difficulty, settled
from tasks.settings import Policy, Verification

QUESTIONS, MEAN, UNSOLVED = 20_000, 0.42, 1 - 0.655


def beta_of(mean: float, unsolved: float, attempts: int = 10) -> tuple[float, float]:
    """Parameters of the beta distribution with that mean, under which so many questions fail all attempts."""

    def log_beta(one: float, other: float) -> float:
        return lgamma(one) + lgamma(other) - lgamma(one + other)

    low, high = 0.01, 10.0
    for _ in range(60):
        alpha = (low + high) / 2
        beta = alpha * (1 - mean) / mean
        fails = exp(log_beta(alpha, beta + attempts) - log_beta(alpha, beta))
        low, high = (alpha, high) if fails > unsolved else (low, alpha)
    return low, low * (1 - mean) / mean


def simulated(rules: Verification, seed: int = 0) -> tuple[float, float]:
    """Mean attempts per question, and share of questions whose label is that of all attempts."""
    rng, (alpha, beta) = random.Random(seed), beta_of(MEAN, UNSOLVED)
    total = same = 0
    for _ in range(QUESTIONS):
        rate = rng.betavariate(alpha, beta)
        outcomes = [rng.random() < rate for _ in range(rules.attempts)]
        made = passes = 0
        while not settled(passes, made, rules):
            passes += outcomes[made]
            made += 1
        total += made
        same += difficulty(passes, made) == difficulty(sum(outcomes), rules.attempts)
    return total / QUESTIONS, same / QUESTIONS


def main() -> None:
    """Print a table."""
    print("| confidence | attempts per question | label as with all ten |\n|---|---|---|")
    for confidence in (0.8, 0.9, 0.95):
        mean, same = simulated(Verification(policy=Policy.ADAPTIVE, confidence=confidence))
        print(f"| {confidence} | {mean:.1f} | {100 * same:.1f} % |")


if __name__ == "__main__":
    main()
