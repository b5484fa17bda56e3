"""How sure shares of few cases are."""

import math

_WITHIN_95 = 1.959964  # standard deviations


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share; (0, 1) without cases.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not count:
        return 0.0, 1.0
    share, z2 = successes / count, _WITHIN_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _WITHIN_95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)
