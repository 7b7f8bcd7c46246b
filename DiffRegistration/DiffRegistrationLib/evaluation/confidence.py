"""How far a fraction counted in a few cases may lie from the fraction in all cases."""

from __future__ import annotations

from math import sqrt

# The 97.5th percentile of the standard normal distribution.
_Z = 1.959963984540054


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % confidence interval (low, high) of a fraction, right also for few cases and near 0 and 1.

    Wilson's score interval without continuity correction (Wilson, JASA 22:209–212, 1927; method 3 of Newcombe,
    Statistics in Medicine 17:857–872, 1998). ValueError unless 0 ≤ successes ≤ trials and there is a trial.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials")
    share = successes / trials
    middle = share + _Z**2 / (2 * trials)
    reach = _Z * sqrt(share * (1 - share) / trials + (_Z / (2 * trials)) ** 2)
    low, high = ((middle + side * reach) / (1 + _Z**2 / trials) for side in (-1, 1))
    # At the ends the bound is the end itself, which rounding may miss.
    return (0.0 if successes == 0 else low), (1.0 if successes == trials else high)
