"""How long a visit takes from approach to result, and what the live picture is like meanwhile. Part of ``make bench``.

A kiosk's own process with simulated devices and a simulated person who needs as long as people do to see a prompt and
to move; the center runs in this process, as it would on another machine. Seconds are real ones.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.supervision import SitePolicy
from tests.whole.preview_watch import PreviewWatch
from tests.whole.town import Town, parts_of, quantile

ALL_DAY = (("00:00", "24:00"),)
SPANS = (  # from the first time of one step to the first time of a later one
    ("approach", "look", "noticed near to looking"),
    ("look", "challenge", "looking to the first prompt"),
    ("challenge", "working", "prompts answered"),
    ("working", "result", "compared, signed, stored"),
    ("approach", "result", "approach to result"),
)


def visits(town: Town, policy: SitePolicy, rounds: int, *, seed: int) -> tuple[list[dict[str, Any]], PreviewWatch]:
    """``rounds`` visits of two people under a policy, watched through the preview."""
    town.obey(policy)
    kiosk = town.kiosk(seed=seed)
    kiosk.tell(do="room")
    kiosk.hear(60)
    watch = PreviewWatch(kiosk.started["panel"])
    watch.start()
    seen = []
    try:
        for number in track(range(rounds + 2), description=f"visits, {policy.version}", transient=True):
            seen.append(kiosk.visit(number, shows="visitor_1" if number % 2 else "visitor_2"))
    finally:
        watch.stop()
        kiosk.end()
    return seen[2:], watch  # the first two warm everything up


def spans(seen: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Seconds between steps, of the visits that were recognised."""
    found: dict[str, list[float]] = {name: [] for _, _, name in SPANS}
    for visit in seen:
        if not any(result["outcome"] in ("accepted", "already_present") for result in visit["results"]):
            continue
        first: dict[str, float] = {}
        for step, at_s in visit["steps"]:
            first.setdefault(step, at_s)
        for start, end, name in SPANS:
            if start in first and end in first:
                found[name].append(first[end] - first[start])
    return found


def measure(rounds: int) -> dict[str, Any]:
    """With the challenge and without it."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="muster-visits-") as folder, Town(Path(folder)) as town:
        town.enroll()
        for name, required in (("challenge", True), ("no challenge", False)):
            policy = SitePolicy(version=name, windows=ALL_DAY, face_alone=True, challenge_required=required)
            seen, watch = visits(town, policy, rounds, seed=5)
            ages = [age for age in watch.ages_ms() if not math.isnan(age)]
            found[name] = {
                "visits": len(seen),
                "recognised": len(spans(seen)["approach to result"]),
                "spans_s": {part: values for part, values in spans(seen).items() if values},
                "parts_ms": parts_of([result for visit in seen for result in visit["results"]]),
                "preview_fps": watch.rates(),
                "preview_age_ms": ages,
                "rss_mb": seen[-1]["rss_mb"],
            }
    return found


def report(console: Console, found: dict[str, Any]) -> dict[str, Any]:
    """Print a table per policy; the figures as plain JSON values."""
    summary: dict[str, Any] = {}
    for name, one in found.items():
        table = Table("part", "median", "95 %", "share", title=f"{one['recognised']} of {one['visits']} visits, {name}")
        whole = statistics.median(one["spans_s"]["approach to result"])
        for part, values in one["spans_s"].items():
            middle = statistics.median(values)
            table.add_row(part, f"{middle:.2f} s", f"{quantile(values, 0.95):.2f} s", f"{100 * middle / whole:.0f} %")
        table.add_section()
        for part, values in one["parts_ms"].items():
            middle = statistics.median(values)
            share = f"{0.1 * middle / whole:.0f} %"
            table.add_row(f"work: {part}", f"{middle:.1f} ms", f"{quantile(values, 0.95):.1f} ms", share)
        if one["preview_fps"] and one["preview_age_ms"]:
            table.add_section()
            slowest, ages = min(one["preview_fps"]), one["preview_age_ms"]
            table.add_row(
                "preview, frames a second", f"{statistics.median(one['preview_fps']):.1f}", f"{slowest:.1f} min", ""
            )
            table.add_row(
                "preview, age of a frame", f"{statistics.median(ages):.0f} ms", f"{quantile(ages, 0.95):.0f} ms", ""
            )
        console.print(table)
        summary[name] = {
            "approach_to_result_s": round(whole, 3),
            "recognised": one["recognised"],
            "visits": one["visits"],
            "preview_fps": round(statistics.median(one["preview_fps"]), 2) if one["preview_fps"] else None,
            "preview_age_ms": round(statistics.median(one["preview_age_ms"]), 1) if one["preview_age_ms"] else None,
            "preview_age_ms_p95": round(quantile(one["preview_age_ms"], 0.95), 1) if one["preview_age_ms"] else None,
            "resident_mb": one["rss_mb"],
        }
    return summary


def main() -> None:
    """Run, print, optionally write JSON."""
    parser = argparse.ArgumentParser(description="Seconds of a whole visit, simulated person and devices.")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    summary = report(Console(), measure(options.rounds))
    if options.json is not None:
        options.json.write_text(json.dumps(summary, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
