"""Whether a threshold in force is safe, as far as the measurement shows. Owns the rule; refuses sentences.

The rule: *yes* if even the upper 95 % limit of the rate of false matches (or of false positive identifications) is not
above what is tolerated; *no* if even the lower limit is; *not shown* otherwise. A threshold that was set on the very
comparisons it is judged by is never *yes*, because its error is flattered, and neither is a rate that was computed from
single comparisons instead of measured in searches. Without a threshold there is nothing to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from matcher.evaluation.intervals import Interval
from matcher.evaluation.measured import ThresholdInForce


class Answer(StrEnum):
    """To "is this threshold safe?"; each is also part of a text's key."""

    YES = "yes"
    NOT_SHOWN = "not_shown"
    NO = "no"
    NO_THRESHOLD = "no_threshold"


class Reason(StrEnum):
    """Why; each is also part of a text's key."""

    BELOW = "below"  # the whole interval is tolerated
    ABOVE = "above"  # the whole interval is not
    TOO_FEW = "too_few"  # the measured rate is tolerated, its upper limit is not
    HIGH = "high"  # the measured rate is not tolerated, its lower limit would be
    SAME_COMPARISONS = "same_comparisons"
    COMPUTED = "computed"
    NOT_MEASURED = "not_measured"
    NO_THRESHOLD = "no_threshold"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, its reason, and the interval that was judged (None if nothing was)."""

    answer: Answer
    reason: Reason
    judged: Interval | None = None


def verdict(threshold: ThresholdInForce, judged: Interval, *, computed: bool = False) -> Verdict:
    """The verdict on one threshold from the interval of its FMR or FPIR, as its use demands."""
    if not judged.trials:
        return Verdict(Answer.NOT_SHOWN, Reason.NOT_MEASURED)
    if judged.low > threshold.tolerated:
        return Verdict(Answer.NO, Reason.ABOVE, judged)
    doubts = {
        Reason.HIGH: judged.rate > threshold.tolerated,
        Reason.TOO_FEW: judged.high > threshold.tolerated,
        Reason.SAME_COMPARISONS: threshold.origin == "this",
        Reason.COMPUTED: computed,
    }
    for reason, holds in doubts.items():
        if holds:
            return Verdict(Answer.NOT_SHOWN, reason, judged)
    return Verdict(Answer.YES, Reason.BELOW, judged)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict that decides for all: no before not shown before yes; the first of equals."""
    order = [Answer.NO, Answer.NOT_SHOWN, Answer.NO_THRESHOLD, Answer.YES]
    return min(
        verdicts, key=lambda one: order.index(one.answer), default=Verdict(Answer.NO_THRESHOLD, Reason.NO_THRESHOLD)
    )
