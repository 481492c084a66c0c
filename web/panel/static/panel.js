// The kiosk's screen: shows one step at a time from the state that the station pushes. Decides nothing.
// Each step's look is a file in steps/; here is what they share: which step is shown, and what a press asks for.
import { focusMain, listenToKeys } from "./keys.js";
import { Link } from "./link.js";
import { explain as explainAloud, narrate } from "./narration.js";
import { Pad } from "./pad.js";
import { by, draw, every, hours, language, put, setLanguage, settings, show, text } from "./page.js";
import { Preview } from "./preview.js";
import { renderCamera } from "./steps/camera.js";
import { mayChoose, noteShown, renderMenu, renderQuestion } from "./steps/choices.js";
import { renderDevices, renderStatus } from "./steps/devices.js";
import { renderFinger } from "./steps/finger.js";
import { renderIdle } from "./steps/idle.js";
import { renderResult } from "./steps/result.js";
import { listenToSpeech, renderSpeech, resetSpeech } from "./speech.js";
import { StaffPages } from "./staff.js";
import { replay, say } from "./voice.js";

const BACK_TO_USUAL_MS = 60000; // after so long at idle the next person finds the usual language and colours again
const PAD_MS = 60000; // so long nobody touches anything, and the number pad closes
const ANSWER_MS = 5000;
const NO_WAY_BACK = ["idle", "pairing", "fault", "working", ""];
const STAFF_MAY_COME = ["idle", "result", "help", "fault"];

let state = null;
let askedForNumber = false;
let waitingFor = null; // the version at which a number was sent: nothing newer has come yet
let clockAhead_ms = 0;
let usualTimer = null;
let padTimer = null;

const preview = new Preview(by("preview"));
const link = new Link(settings, { state: receive, lost: () => showLink("lost"), replaced: () => showLink("replaced") });
const staff = new StaffPages((act, fields) => link.post("staff", { act, fields }));
const pad = new Pad({ root: by("pad"), display: by("number"), most: settings.most_digits, enter: claim });

// --- the step --------------------------------------------------------------------------------------------------

function receive(body) {
  clockAhead_ms = Date.parse(body.now) - Date.now();
  const before = shownStep();
  if (!["idle", "approach", "look", "challenge"].includes(body.step)) askedForNumber = false;
  if (body.version !== waitingFor) waitingFor = null;
  if (body.step === "claim" && state?.step === "claim" && body.hint) pad.clear(); // the number was not taken
  const question = state?.question;
  state = body;
  document.body.dataset.link = "live";
  if (shownStep() !== before || (body.step === "question" && body.question !== question)) entered(shownStep());
  else render();
}

// The pad may be opened by the person while the station still looks for a face.
function shownStep() {
  if (!state) return "";
  if (waitingFor === state.version) return "working";
  return askedForNumber ? "claim" : state.step;
}

function entered(step) {
  every("dialog[open]").forEach((node) => node.close());
  pad.clear();
  waitForUsual(step);
  render();
  focusMain(document.querySelector("section:not([hidden])")); // at once: a key pressed next walks on from there
}

function waitForUsual(step) {
  clearTimeout(usualTimer);
  if (step === "idle") usualTimer = setTimeout(usual, BACK_TO_USUAL_MS);
}

function usual() {
  setLanguage(settings.language);
  resetSpeech();
  render();
}

function showLink(kind) {
  document.body.dataset.link = kind;
  render();
}

function render() {
  const step = shownStep();
  const live = document.body.dataset.link === "live";
  document.documentElement.lang = text("language.code");
  document.title = text("title");
  document.body.dataset.step = step;
  document.body.dataset.version = state?.version ?? "";
  every("[data-text]").forEach((node) => put(node, text(node.dataset.text)));
  every("section[data-steps]").forEach((node) => show(node, live && node.dataset.steps.split(" ").includes(step)));
  renderLink(live);
  put(by("explanation-words"), text(`explain.${step}`));
  by("cancel").toggleAttribute("data-off", NO_WAY_BACK.includes(step)); // its place stays: nothing jumps
  show(by("simulated"), Boolean(state?.simulated));
  show(by("staff-entry"), STAFF_MAY_COME.includes(step));
  if (live && settings.preview_steps.includes(step)) preview.start();
  else preview.stop();
  if (state) renderStep(step, live);
  renderStatus(state, step);
  staff.render(live && step === "staff" ? state.staff : null);
  if (state && live) narrate(step, state, language());
  renderSpeech();
  renderClock();
}

function renderStep(step, live) {
  put(by("pairing-code"), (state.pairing_code ?? "").replaceAll("-", " "));
  every("[data-hint]").forEach((node) => renderHint(node.closest(".hint"), step));
  every("[data-tries]").forEach((node) => put(node, triesWords()));
  renderIdle(state, live ? step : "");
  renderCamera(state, step);
  renderFinger(state);
  renderResult(state);
  renderQuestion(state);
  renderMenu(state);
  renderDevices(state);
  noteShown(state, step);
}

// The one thing to do better, with its drawing; without one, how the step goes.
function renderHint(node, step) {
  const words = node.querySelector("[data-hint]");
  const code = state.hint;
  put(words, code ? text(`hint.${code}`) || text("hint.try_again") : "line" in words.dataset ? text(`step.${step}.line`) : "");
  show(node, Boolean(words.textContent));
  node.toggleAttribute("data-on", Boolean(code));
  show(node.querySelector(".icon"), Boolean(code));
  draw(node.querySelector("use"), `hint-${code}`, "hint-try_again");
}

function triesWords() {
  const left = state.tries_left ?? 3;
  return left >= 1 && left < 3 ? text(left === 1 ? "tries_last" : "tries_left", { count: left }) : "";
}

function renderLink(live) {
  show(by("link"), !live);
  if (live) return;
  const kind = document.body.dataset.link;
  put(by("link-title"), text(`link.${kind}.title`));
  put(by("link-line"), text(`link.${kind}.line`));
  show(by("resume"), kind === "replaced");
}

function renderClock() {
  put(by("clock"), hours(new Date(Date.now() + clockAhead_ms).toISOString()));
}

// --- what the person does ----------------------------------------------------------------------------------------

// Until the station answers the page says "one moment"; were the answer lost, it would show the station's step again.
async function claim(number) {
  waitingFor = state.version;
  askedForNumber = false;
  pad.clear();
  render();
  const taken = await link.post("claim", { number });
  setTimeout(giveUpWaiting, taken ? ANSWER_MS : 0);
}

function giveUpWaiting() {
  waitingFor = null;
  render();
}

function choose(code) {
  if (mayChoose(code)) link.post("choose", { code });
}

function openPad() {
  askedForNumber = true;
  entered("claim");
  stayOnPad();
}

// Whoever opened the pad and went away leaves it to nobody: the next person must see what is asked of them.
function stayOnPad() {
  clearTimeout(padTimer);
  if (askedForNumber) padTimer = setTimeout(closePad, PAD_MS);
}

function closePad() {
  if (!askedForNumber) return;
  askedForNumber = false;
  entered(shownStep());
}

function leave() {
  const onlyPad = askedForNumber && state?.step === "idle";
  askedForNumber = false;
  entered(shownStep());
  if (!onlyPad) link.post("cancel");
}

function explain() {
  by("explanation").showModal();
  explainAloud(shownStep());
}

// At the start nothing was said yet: then how to begin.
function sayAgain() {
  if (shownStep() === "idle") say("step.idle.title", "step.idle.line");
  else replay();
}

const PRESSED = {
  cancel: leave,
  replay: sayAgain,
  language: () => by("speech").showModal(),
  explain,
  someone: () => link.post("help"),
  understood: () => by("explanation").close(),
  "speech-close": () => by("speech").close(),
  "staff-entry": () => {
    by("speech").close();
    link.post("staff", { act: "open", fields: {} });
  },
  resume: () => link.open(),
};
Object.entries(PRESSED).forEach(([id, act]) => by(id).addEventListener("click", act));
every("[data-do=number]").forEach((node) => node.addEventListener("click", openPad));
document.addEventListener("click", (event) => {
  const chosen = event.target.closest?.("[data-choose]");
  if (chosen) choose(chosen.dataset.choose);
});
listenToSpeech(() => {
  waitForUsual(shownStep());
  render();
});
listenToKeys();
document.addEventListener("pointerdown", stayOnPad);
document.addEventListener("keydown", (event) => {
  stayOnPad();
  if (shownStep() === "claim") pad.key(event);
  else if (shownStep() === "staff") staff.key(event);
});
document.addEventListener("contextmenu", (event) => event.preventDefault());
setInterval(renderClock, 1000);
render();
link.open();
