// While nobody is there: the office's notices one after the other, and how to begin.
import { by, put, show, text } from "../page.js";

const EACH_MS = 12000;
const REFRESH_MS = 300000;

let slides = [];
let at = -1;
let paused = false;
let idle = false;
let timer = null;
let askedAt_ms = -Infinity;

export function renderIdle(state, step) {
  const blind = state.devices.some((device) => device.name === "camera" && !device.ok); // nobody should be asked to look
  const lift = step === "idle" && state.hint === "lift_finger"; // it was laid on too soon, and begins nothing
  put(by("idle-title"), text(lift ? "hint.lift_finger" : blind ? "idle_number.title" : "step.idle.title"));
  put(by("idle-line"), text(blind ? "idle_number.line" : "step.idle.line"));
  show(by("emblem-face"), !blind);
  by("emblem").setAttribute("viewBox", blind ? "196 198 214 220" : "0 0 400 400");
  if (idle !== (step === "idle")) toggle(step === "idle");
  renderControls();
}

function renderControls() {
  const several = slides.length > 1;
  show(by("slide-pause"), several && !paused);
  show(by("slide-play"), several && paused);
  by("idle").toggleAttribute("data-slides", at >= 0);
  show(by("slide"), at >= 0);
}

async function toggle(begins) {
  idle = begins;
  clearTimeout(timer);
  if (!begins) return;
  paused = false;
  if (performance.now() - askedAt_ms > REFRESH_MS) await refresh();
  if (idle) advance();
}

async function refresh() {
  askedAt_ms = performance.now();
  try {
    const answer = await fetch("/slides");
    slides = answer.ok ? (await answer.json()).slides : [];
  } catch {
    slides = []; // the line to the station is lost, which the page says elsewhere
    askedAt_ms = -Infinity;
  }
}

async function advance() {
  clearTimeout(timer);
  if (performance.now() - askedAt_ms > REFRESH_MS) await refresh();
  await showNext();
  renderControls();
  if (idle && !paused && slides.length > 1) timer = setTimeout(advance, EACH_MS);
}

// A picture that cannot be shown is passed over; after one round without any there are no slides.
async function showNext() {
  for (let tried = 0; tried < slides.length; tried += 1) {
    const next = (at + 1 + tried) % slides.length;
    if (await shown(slides[next])) {
      at = next;
      return;
    }
  }
  at = -1;
}

async function shown(slide) {
  if (slide.picture) {
    const ready = new Image();
    ready.src = slide.picture;
    if (!(await ready.decode().then(() => true, () => false))) return false;
    by("slide-picture").src = slide.picture;
    by("slide-picture").alt = slide.label;
  } else {
    put(by("slide-title"), slide.title);
    put(by("slide-lines"), slide.lines.join("\n"));
  }
  show(by("slide-picture"), Boolean(slide.picture));
  show(by("slide-text"), !slide.picture);
  return true;
}

function pause(on) {
  paused = on;
  if (on) clearTimeout(timer);
  else advance();
  renderControls();
  if ("keys" in document.body.dataset) by(on ? "slide-play" : "slide-pause").focus();
}

by("slide-pause").addEventListener("click", () => pause(true));
by("slide-play").addEventListener("click", () => pause(false));
