"""The sections of one measurement, in the order of the page. Owns which figure is told where; computes none."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matcher.evaluation.bootstrap import ROUNDS
from matcher.evaluation.breakdown import FEW_PEOPLE, GroupRates, WorstPair
from matcher.evaluation.intervals import Interval, rule_of_three
from matcher.evaluation.report.charts import det_chart, histogram_chart, size_chart
from matcher.evaluation.report.figures import Figures, ThresholdFigures
from matcher.evaluation.report.markup import definitions, figure, heading, paragraph, table
from matcher.evaluation.report.words import Words


def what_was_measured(found: Figures, words: Words) -> str:
    """Engine, people, samples and comparisons."""
    measured = found.measurement
    compared, searches = measured.comparisons, measured.searches
    rows = [
        (words("collection"), measured.collection),
        (words("engine"), measured.engine),
        (words(f"of_{measured.persons_are}"), words.count(len(compared.people))),
    ]
    if measured.acquisition:
        rows.append((words("samples"), words.count(int(measured.acquisition.attempts.sum()))))
    rows += [
        (words("comparisons_genuine"), _counted(found.det.fnmr[0], measured.persons_are, words)),
        (words("comparisons_impostor"), _counted(found.det.fmr[0], measured.persons_are, words)),
    ]
    if searches:
        gallery = words(
            "gallery_value", people=words.count(searches.gallery), references=searches.references, draws=searches.draws
        )
        rows += [
            (words("gallery"), gallery),
            (words("searches_mated"), words.count(len(searches.mated_scores))),
            (words("searches_strangers"), words.count(len(searches.stranger_scores))),
        ]
    return heading(words("measured_heading")) + table(rows)


def acquisition(found: Figures, words: Words) -> str:
    """Failure to enroll and to acquire."""
    rates = [(name, one) for name, one in (("fte", found.fte), ("fta", found.fta)) if one is not None]
    told = heading(words("acquisition_heading"))
    if not rates:
        return told + paragraph(words("not_recorded"))
    return told + table([_rate_row(name, one, found, words) for name, one in rates], head=_rate_head(words))


def error_rates(found: Figures, words: Words, *, seed: int) -> str:
    """The rates at each threshold in force, the equal error rate, and where the intervals come from."""
    told = heading(words("rates_heading"))
    shown = dict.fromkeys(name for item in found.at for name, _ in _rates(item))
    told += definitions((words(name), words(f"term_{name}")) for name in shown)
    for item in found.at:
        force = item.threshold
        told += heading(
            words("threshold_row", use=words(f"use_{force.use.value}"), score=words.score(force.threshold)), level=3
        )
        origin = words(f"origin_{force.origin}")
        told += paragraph(
            words(
                "target_of", target=words.percent(force.target), tolerated=words.percent(force.tolerated), origin=origin
            ),
            small=True,
        )
        rows = [_rate_row(name, one, found, words) for name, one in _rates(item)]
        if item.computed_fpir:
            computed = item.computed_fpir
            name = words("fpir_computed", people=words.count(computed.gallery))
            rows.append([name, words.percent(computed.rate), words.interval(computed.low, computed.high), words("none"),
                         words("none")])  # fmt: skip
        told += table(rows, head=_rate_head(words))
    if not found.at:
        told += paragraph(words("reason_no_threshold"))
    eer = [words("eer"), words.percent(found.eer), words.interval(*found.eer_limits), words("none"), words("none")]
    told += table([eer], head=_rate_head(words)) + paragraph(words("eer_note"), small=True)
    return told + paragraph(words("intervals_note", rounds=ROUNDS, seed=seed), small=True)


def claims(found: Figures, words: Words) -> str:
    """What so few people cannot show, in numbers."""
    fmr, fnmr = found.det.fmr[0], found.det.fnmr[0]
    by_people = rule_of_three(fmr.independent) if fmr.independent else 1.0
    lines = [
        words(
            "claims_rule",
            people=words.count(fmr.people),
            pairs=words.count(fmr.independent),
            own=words.count(fnmr.independent),
        ),
        words("claims_fmr", limit=words.percent(by_people), one_in=words.one_in(by_people)),
        words("claims_fmr_pairs", limit=words.percent(rule_of_three(fmr.trials))),
        words("claims_tighter"),
        words("claims_fnmr", limit=words.percent(rule_of_three(fnmr.independent))),
    ]
    for item in found.at:
        if item.fpir and item.fpir.people:
            limit = words.percent(rule_of_three(item.fpir.people))
            lines.append(words("claims_fpir", people=words.count(item.fpir.people), limit=limit))
            break
    lines += [words("claims_relatives"), words("claims_attacks")]
    return heading(words("claims_heading")) + "".join(paragraph(line) for line in lines)


def pictures(found: Figures, words: Words) -> str:
    """DET curve, histograms, rates against gallery size."""
    told = heading(words("det_heading")) + figure(det_chart(found, words), words("det_note"))
    told += heading(words("histogram_heading")) + figure(histogram_chart(found, words), words("histogram_note"))
    if not found.at:
        return told
    notes = [words("size_note", score=words.score(found.leading_threshold or 0.0))]
    searched = any(not one.computed for one in (*found.fpir_sizes, *found.fnir_sizes))
    notes.append(words("size_measured" if searched else "size_pairs"))
    notes += [words("size_computed")] if found.forecast else []
    return told + heading(words("size_heading")) + figure(size_chart(found, words), " ".join(notes))


def groups(found: Figures, words: Words) -> str:
    """Rates inside each recorded group, and whether a difference can be told from chance."""
    told = heading(words("groups_heading"))
    if not found.groups:
        return told + paragraph(words("groups_none"))
    head = [words(key) for key in ("group", f"of_{found.measurement.persons_are}_short", "fmr", "fnmr", "remark")]
    rows = [_group_row(one, words) for one in found.groups]
    return (
        told
        + paragraph(words("groups_note", score=words.score(found.leading_threshold or 0.0)))
        + table(rows, head=head)
    )


def nearest(found: Figures, words: Words) -> str:
    """The pairs of people nearest to an error."""
    told = heading(words("worst_heading")) + paragraph(words("worst_note"))
    for kind, pairs in (("worst_impostors", found.worst_impostors), ("worst_genuine", found.worst_genuine)):
        told += heading(words(kind), level=3)
        head = [words("pair" if kind == "worst_impostors" else "person"), words("score")]
        if found.leading_threshold is not None:
            head.append(words("at_threshold", score=words.score(found.leading_threshold)))
        told += table([_pair_row(pair, found.leading_threshold, words) for pair in pairs], head=head)
    return told


def transfer(found: Figures, words: Words) -> str:
    """The same threshold on other collections; nothing where none was measured."""
    carried = found.measurement.transfer
    if not carried:
        return ""
    fmr, fnmr = _mapping(carried.get("fmr")), _mapping(carried.get("fnmr"))
    rows = [[name, _share(fmr.get(name), words), _share(fnmr.get(name), words)] for name in {**fmr, **fnmr}]
    note = words("transfer_note", score=words.score(float(str(carried.get("threshold", math.nan)))))
    head = [words("folder"), words("fmr"), words("fnmr")]
    return heading(words("transfer_heading")) + paragraph(note) + table(rows, head=head)


def _rates(item: ThresholdFigures) -> list[tuple[str, Interval]]:
    named = (("fmr", item.fmr), ("fnmr", item.fnmr), ("fpir", item.fpir), ("fnir", item.fnir))
    return [(name, one) for name, one in named if one is not None]


def _rate_head(words: Words) -> list[str]:
    return [words(key) for key in ("rate", "measured", "limits", "errors_of", "rests_on")]


def _rate_row(name: str, one: Interval, found: Figures, words: Words) -> list[str]:
    counted = words("errors", errors=words.count(one.errors), trials=words.count(one.trials))
    people = words(f"count_{found.measurement.persons_are}", count=words.count(one.people))
    basis = words(f"basis_{one.basis.value}", people=people, independent=words.count(one.independent))
    return [words(name), words.percent(one.rate), words.interval(one.low, one.high), counted, basis]


def _group_row(one: GroupRates, words: Words) -> list[str]:
    name = words(f"group_{one.name}") if words.has(f"group_{one.name}") else one.name
    remark = "group_few" if one.few else "group_distinct" if one.distinct else "group_same"
    rates = [
        f"{words.percent(rate.rate)} ({words.interval(rate.low, rate.high)})" if rate.trials else words("not_measured")
        for rate in (one.fmr, one.fnmr)
    ]
    value = words(f"value_{one.value}") if words.has(f"value_{one.value}") else one.value
    return [
        words("judged_row", row=name, answer=value),
        words.count(one.people),
        *rates,
        words(remark, least=FEW_PEOPLE),
    ]


def _pair_row(pair: WorstPair, threshold: float | None, words: Words) -> list[str]:
    label = pair.first if pair.first == pair.second else f"{pair.first} · {pair.second}"
    cells = [label, words.score(pair.score)]
    if threshold is not None:
        cells.append(words("matched" if pair.score >= threshold else "not_matched"))
    return cells


def _counted(one: Interval, persons_are: str, words: Words) -> str:
    return words(f"from_{persons_are}", count=words.count(one.trials), people=words.count(one.people))


def _share(value: object, words: Words) -> str:
    return words.percent(float(value)) if isinstance(value, int | float) else words("not_measured")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
