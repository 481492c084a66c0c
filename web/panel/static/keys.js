// Everything can be reached with two hardware buttons, or a keyboard: one key walks on, Enter presses.
// A ring shows where one is, from the first key until the glass is touched.

const ON = ["ArrowRight", "ArrowDown"];
const BACK = ["ArrowLeft", "ArrowUp"];
const TYPED_INTO = "input, select, textarea";

export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    document.body.dataset.keys = "";
    const way = ON.includes(event.key) ? 1 : BACK.includes(event.key) ? -1 : 0;
    if (!way || event.target.matches?.(TYPED_INTO)) return;
    event.preventDefault();
    walk(way);
  });
  document.addEventListener("pointerdown", () => delete document.body.dataset.keys);
}

// The main thing to do at a step; where there is none, "say it again", which never does harm.
export function focusMain(section) {
  const inside = section ? [...section.querySelectorAll("[data-main], button")].filter(canPress) : [];
  const main = inside.find((node) => node.matches("[data-main]")) ?? inside[0] ?? document.getElementById("replay");
  main.focus({ preventScroll: true });
}

function walk(way) {
  const root = document.querySelector("dialog[open]") ?? document.body;
  const stops = [...root.querySelectorAll(`button, ${TYPED_INTO}`)].filter(canPress);
  const at = stops.indexOf(document.activeElement);
  const next = at < 0 ? (way > 0 ? 0 : stops.length - 1) : (at + way + stops.length) % stops.length;
  stops[next]?.focus();
}

function canPress(node) {
  return !node.disabled && node.checkVisibility({ visibilityProperty: true });
}
