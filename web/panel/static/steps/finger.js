// Which finger, on a drawn hand.
import { by, every, put, settings, text } from "../page.js";

export function renderFinger(state) {
  const code = settings.fingers.includes(state.finger) ? state.finger : null;
  const [hand, name] = code ? code.split("_") : ["right", "any"];
  by("hand").dataset.hand = hand;
  every("#hand .finger").forEach((node) => node.toggleAttribute("data-on", node.dataset.finger === name));
  const words = text(`finger.${code}`);
  put(by("finger-title"), words ? text("finger_title", { finger: words }) : text("step.finger.title"));
}
