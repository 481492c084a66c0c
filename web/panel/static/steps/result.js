// How it ended: a tick, one character of the name, and a slip; or neutral words and what happens next.
import { by, day, hours, put, show, text } from "../page.js";

const GOOD = ["accepted", "already_present", "witnessed"];

export function renderResult(state) {
  const result = state.result;
  if (!result) return;
  const good = GOOD.includes(result.outcome);
  const known = text(`outcome.${result.outcome}.title`) ? result.outcome : "referred_to_staff";
  by("result").dataset.kind = good ? "good" : known === "outside_window" ? "later" : "wait";
  put(by("result-title"), (good && text(`recorded.${result.errand}`)) || text(`outcome.${known}.title`));
  put(by("result-line"), text(`outcome.${known}.line`));
  fill("result-name", good ? result.shown_name : "");
  fill("result-time", `${day(result.time)} ${hours(result.time)}`);
  fill("result-receipt", result.receipt);
  fill("result-due", result.next_due ? day(result.next_due) : "");
}

function fill(id, words) {
  put(by(id), words ?? "");
  show(by(id).parentElement, Boolean(words));
}
