"""The report page's texts in English. Keys are those of ``texts_zh``; a test holds both together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENGLISH: Final[Mapping[str, str]] = {
    # numbers
    "not_measured": "not measured",
    "never": "never",
    "one_in": "1 in {number}",
    "range": "{low} to {high}",
    "none": "–",
    # head and answer
    "title_site": "Are the thresholds of site {site} safe?",
    "title_collection": "Are the thresholds safe? Measured on {collection}",
    "made_at": "Measured {date} (UTC) with Muster {version}.",
    "synthetic": (
        "SYNTHETIC: every score on this page was made by a program. It shows what a page looks like, nothing "
        "about any real person, camera or sensor."
    ),
    "answer_yes": "Yes",
    "answer_not_shown": "Not shown",
    "answer_no": "No",
    "answer_no_threshold": "No threshold to judge",
    "reason_below": (
        "{what}: measured {rate}, and with 95 % certainty not above {high}. At most {tolerated} is tolerated, so "
        "the threshold holds, also at the upper end of what these people leave open."
    ),
    "reason_above": (
        "{what}: measured {rate}, and with 95 % certainty at least {low}. Only {tolerated} is tolerated, so the "
        "threshold lets too much through."
    ),
    "reason_too_few": (
        "{what}: measured {rate}, which would be fine; but from so few people the true rate may be as high as "
        "{high}, and only {tolerated} is tolerated. That is no sign of danger, it is a lack of proof."
    ),
    "reason_high": (
        "{what}: measured {rate}, which is above the tolerated {tolerated}. The people are too few to be sure "
        "that it was not bad luck (95 % limits {low} to {high})."
    ),
    "reason_same_comparisons": (
        "{what}: measured {rate}, at most {high}, and {tolerated} is tolerated. But the threshold was set on "
        "these very comparisons, which flatters it; other people have to confirm it."
    ),
    "reason_computed": (
        "{what}: {rate} to be expected, at most {high}, and {tolerated} is tolerated. But nobody who is not "
        "enrolled was searched for, so this is computed from single comparisons, not measured."
    ),
    "reason_not_measured": (
        "There was no comparison on which this threshold could be judged. Nothing is known about it."
    ),
    "reason_no_threshold": (
        "This measurement came without a threshold in force, so there is nothing to call safe. The rates below "
        "belong to the engine alone."
    ),
    "todo_yes": (
        "Keep the threshold. Measure again when the site has grown by a quarter, after a change of camera, "
        "sensor or engine, and once a year."
    ),
    "todo_not_shown": (
        "Until it is shown, let no decision that matters rest on this one comparison: ask for the second factor "
        "or for the number as well. Measure again with more people."
    ),
    "todo_no": (
        "Ask for the second factor from today on and tell the center. Raise the threshold before this comparison "
        "decides anything alone again."
    ),
    "todo_no_threshold": "Name a threshold (or calibrate the site), then measure again.",
    "judged_row": "{row}: {answer}",
    "threshold_row": "{use}, threshold {score}",
    "of_people_short": "People",
    "of_fingers_short": "Fingers",
    "count_people": "{count} people",
    "count_fingers": "{count} fingers",
    "needed_verify": (
        "If not a single error is seen, about {people} people are needed to show a rate of {tolerated} by the rule of "
        "three; where false matches are seen at neighboring thresholds, fewer can do."
    ),
    "needed_identify": (
        "If not a single error is seen, searches by about {people} people who are not enrolled are needed to show a "
        "rate of {tolerated} by the rule of three."
    ),
    "alternative": (
        "On these comparisons the upper limit is tolerated from a threshold of {score} on; {fnmr} of the right "
        "people would then be turned away. Picked afterwards, this is a hint, not a measurement."
    ),
    "what_verify": "False matches when two samples of different people are compared",
    "what_identify": "Searches by people who are not enrolled that name somebody all the same",
    "use_verify": "1:1 comparison",
    "use_identify": "1:N search",
    "modality_face": "Face",
    "modality_finger": "Finger",
    "interval_title": "Where the true rate of errors may lie, and what is tolerated",
    "axis_may_lie": "rate of wrong acceptances, 95 % interval (logarithmic; further left is safer)",
    "legend_tolerated": "tolerated: {rate}",
    "interval_note": (
        "The bar shows where the true rate lies with 95 % certainty, the dot what was measured (hollow at the "
        "left edge: not one error was seen), the dashed mark what is tolerated. Safe: the whole bar is left of "
        "the mark. Unsafe: the whole bar is right of it."
    ),
    # what was measured
    "measured_heading": "What was measured",
    "of_people": "People",
    "of_fingers": "Fingers (each counted as one independent person)",
    "engine": "Engine",
    "collection": "Measured on",
    "samples": "Samples presented",
    "comparisons_genuine": "Mated comparisons (same person)",
    "comparisons_impostor": "Non-mated comparisons (different people)",
    "searches_mated": "Searches by enrolled people",
    "searches_strangers": "Searches by people not enrolled",
    "gallery": "Gallery searched",
    "gallery_value": "{people} people, {references} reference(s) each, drawn {draws} time(s)",
    "from_people": "{count}, from {people} people",
    "from_fingers": "{count}, from {people} fingers",
    "acquisition_heading": "Samples and people that could not be used",
    "fte": "Failure to enroll (FTE)",
    "fta": "Failure to acquire (FTA)",
    "term_fte": "part of the people of whom no reference could be made at all",
    "term_fta": "part of the attempts that gave no usable sample",
    "not_recorded": (
        "This measurement did not record failures to acquire or enroll, so the rates below speak only of samples "
        "that could be used."
    ),
    # rates
    "rates_heading": "Error rates at the threshold in force",
    "threshold": "Threshold",
    "rate": "Rate",
    "measured": "Measured",
    "limits": "95 % limits",
    "errors_of": "Errors of trials",
    "rests_on": "Upper limit from",
    "fmr": "False match rate (FMR)",
    "fnmr": "False non-match rate (FNMR)",
    "fpir": "False positive identification rate (FPIR)",
    "fnir": "False negative identification rate (FNIR)",
    "fpir_computed": "FPIR, computed for {people} people",
    "eer": "Equal error rate (EER)",
    "eer_note": (
        "Where both rates would be the same: good for comparing engines, not for setting thresholds. The limits "
        "come from the bootstrap; where too little was observed for it, the upper one comes from both rates there."
    ),
    "term_fmr": "part of the comparisons of two different people that count as a match: somebody else is let through",
    "term_fnmr": (
        "part of the comparisons of one person that do not count as a match: the right person is turned away"
    ),
    "term_fpir": "part of the searches by people who are not enrolled that name somebody",
    "term_fnir": "part of the searches by enrolled people that do not put them first above the threshold",
    "term_eer": "the rate at the threshold where FMR and FNMR are equal",
    "errors": "{errors} of {trials}",
    "basis_bootstrap": "bootstrap over {people}",
    "basis_rule_of_three": "rule of three ({independent} independent)",
    "basis_exact": "binomial limit ({independent} independent)",
    "basis_neighbor": "a threshold that errs more often, where enough was seen",
    "basis_none": "–",
    "target_of": "set for {target}, tolerated {tolerated}; {origin}",
    "origin_site": "calibrated on this site's own people",
    "origin_folder": "set on another measurement",
    "origin_default": "shipped with the engine",
    "origin_this": "set on these very comparisons",
    "intervals_note": (
        "The intervals come from {rounds} rounds of a bootstrap over people (seed {seed}): whoever is drawn "
        "takes all their comparisons along, because comparisons that share a person are not independent. They "
        "are valid for people like these in front of devices like these."
    ),
    # what cannot be claimed
    "claims_heading": "What cannot be claimed from so few",
    "claims_rule": (
        "Rule of three: if none of N independent trials erred, the true rate may still be as high as 3/N. Two "
        "different people make one independent comparison, so {people} make N = {pairs} for the FMR, and N = "
        "{own} for the FNMR."
    ),
    "claims_fmr": (
        "No FMR below {limit} ({one_in}) could be claimed from these people if no false match had been seen, "
        "counting people."
    ),
    "claims_fmr_pairs": (
        "Counting comparisons as if they were independent would allow to claim {limit}. They are not: one person "
        "who resembles many makes many false matches at once."
    ),
    "claims_tighter": (
        "Where some false matches were seen, also at looser thresholds, they say more than none at all: a stricter "
        "threshold cannot err more often. The limits in the tables above are those; they suppose people like these."
    ),
    "claims_fnmr": "No FNMR below {limit} could be claimed if nobody had been turned away.",
    "claims_fpir": "No FPIR below {limit} could be claimed from {people} people who are not enrolled.",
    "claims_relatives": (
        "Nothing is said of relatives and twins unless they are among these people, nor of other groups, "
        "cameras, sensors and seasons."
    ),
    "claims_attacks": (
        "Nothing is said of photographs, screens and false fingers: presentation attacks are measured by another "
        "command."
    ),
    # pictures
    "det_heading": "Every threshold at once",
    "det_title": "Detection error trade-off (DET)",
    "det_note": (
        "Each point is a threshold: moving it to the left lets fewer strangers through and turns more of the "
        "right people away. The gray band is the 95 % interval of the FNMR."
    ),
    "axis_fmr": "FMR: wrong person accepted (logarithmic)",
    "axis_fnmr": "FNMR: right person refused (logarithmic)",
    "legend_band": "95 % interval of the FNMR",
    "legend_det": "measured",
    "legend_equal": "both rates equal",
    "histogram_heading": "How the scores lie",
    "histogram_title": "Histograms of the comparison scores",
    "histogram_note": (
        "A good engine keeps both hills apart, and the threshold stands in the valley. What of the hatched hill "
        "lies right of the threshold is a false match; what of the gray hill lies left of it is a false "
        "non-match."
    ),
    "axis_score": "comparison score (higher is more alike)",
    "axis_share": "share of the comparisons",
    "legend_impostor": "different people",
    "legend_genuine": "same person",
    "threshold_at": "{use}: {score}",
    "size_heading": "How it changes with the number of people enrolled",
    "size_title": "FPIR and FNIR against gallery size",
    "size_note": (
        "Every additional enrolled person is one more with whom a stranger can be confused, so FPIR grows with "
        "the gallery. At the threshold {score}."
    ),
    "size_computed": (
        "Hollow marks: computed by the formula 1 − (1 − p)^n for more people than were measured, as if errors "
        "fell evenly."
    ),
    "size_pairs": (
        "Filled circles: from single comparisons, the mean over all galleries of the other people that can be drawn."
    ),
    "size_measured": "Filled marks: the mean over all smaller galleries that can be drawn from the one measured.",
    "axis_gallery": "people enrolled (logarithmic)",
    "axis_rate": "rate of errors per search",
    "legend_forecast": "FPIR, computed (formula)",
    "legend_fpir": "FPIR, measured",
    "legend_fnir": "FNIR, measured",
    # groups, pairs, transfer
    "groups_heading": "By group",
    "groups_note": (
        "Inside each group, at the threshold {score}. Groups are those recorded at enrollment; none was guessed "
        "from a picture. With many groups one in twenty stands out by chance."
    ),
    "groups_none": (
        "No groups were recorded with this measurement, so nothing can be said about whom the errors fall on."
    ),
    "group": "Group",
    "group_sex": "sex",
    "group_age_band": "age band",
    "group_office": "office",
    "value_female": "female",
    "value_male": "male",
    "remark": "Remark",
    "group_few": "fewer than {least} people: too few to tell",
    "group_distinct": "differs from everybody beyond chance",
    "group_same": "no difference that could be told from chance",
    "worst_heading": "Nearest to an error",
    "worst_note": (
        "These people should be looked at first: retake poor references, and ask look-alikes for the second "
        "factor. Labels only; who they are stands in the register."
    ),
    "worst_impostors": "Different people with the highest score",
    "worst_genuine": "People with the lowest score against themselves",
    "pair": "Pair",
    "person": "Person",
    "score": "Score",
    "at_threshold": "At the threshold ({score})",
    "matched": "counts as a match",
    "not_matched": "does not count as a match",
    "transfer_heading": "The same threshold on other people",
    "transfer_note": (
        "One threshold ({score}), chosen on this measurement, applied unchanged to other collections. A "
        "threshold that travels keeps its FMR."
    ),
    "folder": "Collection",
    # how to repeat
    "repeat_heading": "How to repeat this measurement",
    "repeat_note": "The same command with the same seed, weights and samples gives the same figures.",
    "command": "Command",
    "seed": "Seed",
    "weights": "Weights (SHA-256)",
    "version": "Version of Muster",
    "no_weights": "no weights file",
    "terms_heading": "The words",
    "terms_note": "Terms after ISO/IEC 19795-1 and ISO/IEC 2382-37.",
    "term_threshold": "the comparison score from which on two samples count as one person's",
    "term_interval": "the range in which the true rate lies in 95 of 100 such measurements",
    "term_mated": "two samples of one person (mated, genuine) or of different people (non-mated, impostor)",
    "term_gallery": "the references a search looks through: the people of the site",
    "word_threshold": "Threshold",
    "word_interval": "95 % interval",
    "word_mated": "Mated, non-mated",
    "word_gallery": "Gallery",
}
