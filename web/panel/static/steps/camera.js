// Everything with the live picture: coming closer, looking, following a prompt, and photographing a written page.
import { by, every, put, show, text } from "../page.js";

const ARROWS = { turn_left: "left", turn_right: "right", look_up: "up", look_down: "down" };

export function renderCamera(state, step) {
  const page = step === "document";
  put(by("camera-title"), (step === "challenge" && text(`challenge.${state.challenge}`)) || text(`step.${step}.title`));
  by("camera").dataset.kind = step;
  renderPrompt(step === "challenge" ? state.challenge : "", state.dot);
  show(by("number-instead"), step === "approach" || step === "look");
  show(by("pages-line"), page);
  put(by("pages"), String(state.pages));
  every("#camera [data-choose]").forEach((node) => show(node, page && (node.dataset.choose === "take" || state.pages > 0)));
}

// One arrow, or the dot; the dot glides from place to place.
function renderPrompt(kind, place) {
  Object.entries(ARROWS).forEach(([code, side]) => by(`arrow-${side}`).toggleAttribute("data-on", kind === code));
  const dot = kind === "follow_dot" ? place : null;
  by("dot").toggleAttribute("data-on", Boolean(dot));
  by("dot").style.left = `${12 + 76 * (dot?.[0] ?? 0.5)}%`;
  by("dot").style.top = `${12 + 76 * (dot?.[1] ?? 0.5)}%`;
}
