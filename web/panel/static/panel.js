// The kiosk's screen: shows one step at a time from the state that the station pushes. Decides nothing.
import { Link } from "./link.js";
import { Pad } from "./pad.js";
import { Preview } from "./preview.js";

const LANGUAGE_BACK_MS = 20000; // after so long at idle the next person finds the first language again
const ANSWER_MS = 5000;
const GOOD = ["accepted", "already_present", "witnessed"];

const settings = JSON.parse(document.getElementById("settings").textContent);
const by = (id) => document.getElementById(id);
const every = (selector) => [...document.querySelectorAll(selector)];

let language = settings.language;
let state = null;
let askedForNumber = false;
let waitingFor = null; // the version at which a number was sent: nothing newer has come yet
let clockAhead_ms = 0;
let languageTimer = null;

const preview = new Preview(by("preview"));
const link = new Link(settings, { state: receive, lost: () => showLink("lost"), replaced: () => showLink("replaced") });
const pad = new Pad({ root: by("pad"), display: by("number"), most: settings.most_digits, enter: claim });

// --- words -----------------------------------------------------------------------------------------------------

function text(path, values = {}) {
  const found = path.split(".").reduce((node, key) => node?.[key], settings.texts[language]);
  return String(found ?? "").replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Writes only what changed, so that nothing is read out twice.
function put(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

function hint() {
  return state?.hint ? text(`hint.${state.hint}`) || text("hint.try_again") : "";
}

function errorWords(code) {
  return text(`error.${code}`) || text("error.other");
}

function moment(iso, options) {
  const when = /^\d{4}-\d\d-\d\d$/.test(iso) ? new Date(`${iso}T12:00:00Z`) : new Date(iso);
  if (Number.isNaN(when.getTime())) return "";
  return new Intl.DateTimeFormat(text("language.code"), { timeZone: settings.timezone, ...options }).format(when);
}

const hours = (iso) => moment(iso, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = (iso) => moment(iso, { month: "long", day: "numeric" });

// --- the step --------------------------------------------------------------------------------------------------

function receive(body) {
  clockAhead_ms = Date.parse(body.now) - Date.now();
  const before = shownStep();
  if (!["idle", ...settings.preview_steps].includes(body.step)) askedForNumber = false;
  if (body.version !== waitingFor) waitingFor = null;
  if (body.step === "claim" && state?.step === "claim" && body.hint) pad.clear(); // the number was not taken
  state = body;
  document.body.dataset.link = "live";
  if (shownStep() !== before) entered(shownStep());
  render();
}

// The pad may be opened by the person while the station still looks for a face.
function shownStep() {
  if (!state) return "";
  if (waitingFor === state.version) return "working";
  return askedForNumber ? "claim" : state.step;
}

function entered(step) {
  by("explanation").close();
  pad.clear();
  clearTimeout(languageTimer);
  if (step === "idle") languageTimer = setTimeout(() => speak(settings.language), LANGUAGE_BACK_MS);
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
  every("section[data-steps]").forEach((node) => (node.hidden = !live || !node.dataset.steps.split(" ").includes(step)));
  renderLink(live);
  every("[data-hint]").forEach((node) => put(node, hint() || (node.dataset.line ? lineOf(step) : "")));
  every("[data-tries]").forEach((node) => put(node, triesWords()));
  put(by("explanation-words"), text(`explain.${step}`));
  by("cancel").hidden = ["idle", "pairing", "fault", "working", ""].includes(step);
  by("simulated").hidden = !state?.simulated;
  if (live && settings.preview_steps.includes(step)) preview.start();
  else preview.stop();
  if (state) renderStep(step);
  renderStatus(step);
  renderClock();
}

function lineOf(step) {
  return text(`step.${step}.line`);
}

function triesWords() {
  const left = state?.tries_left ?? 3;
  return left >= 1 && left < 3 ? text(left === 1 ? "tries_last" : "tries_left", { count: left }) : "";
}

function renderStep(step) {
  put(by("pairing-code"), (state.pairing_code ?? "").replaceAll("-", " "));
  put(by("face-title"), text(`challenge.${state.challenge}`) || text(`step.${step}.title`));
  renderChallenge(step === "challenge" ? state.challenge : "");
  by("number-instead").hidden = step === "challenge";
  renderIdle();
  renderFinger();
  renderResult();
  renderDevices();
}

const ARROWS = { turn_left: "left", turn_right: "right", look_up: "up", look_down: "down" };

// One arrow, or the dot; the dot glides from place to place.
function renderChallenge(kind) {
  Object.entries(ARROWS).forEach(([code, side]) => by(`arrow-${side}`).toggleAttribute("data-on", kind === code));
  const dot = kind === "follow_dot" ? state.dot : null;
  by("dot").toggleAttribute("data-on", Boolean(dot));
  by("dot").style.left = `${12 + 76 * (dot?.[0] ?? 0.5)}%`;
  by("dot").style.top = `${12 + 76 * (dot?.[1] ?? 0.5)}%`;
}

// Without a camera nobody should be asked to look.
function renderIdle() {
  const blind = state.devices.some((device) => device.name === "camera" && !device.ok);
  put(by("idle-title"), text(blind ? "idle_number.title" : "step.idle.title"));
  put(by("idle-line"), text(blind ? "idle_number.line" : "step.idle.line"));
  by("emblem-face").toggleAttribute("hidden", blind);
  by("emblem").setAttribute("viewBox", blind ? "196 198 214 220" : "0 0 400 400");
}

function renderFinger() {
  const code = settings.fingers.includes(state.finger) ? state.finger : null;
  const [hand, name] = code ? code.split("_") : ["right", "any"];
  by("hand").dataset.hand = hand;
  every("#hand .finger").forEach((node) => node.toggleAttribute("data-on", node.dataset.finger === name));
  const words = text(`finger.${code}`);
  put(by("finger-title"), words ? text("finger_title", { finger: words }) : text("step.finger.title"));
}

function renderResult() {
  const result = state.result;
  if (!result) return;
  const good = GOOD.includes(result.outcome);
  const known = text(`outcome.${result.outcome}.title`) ? result.outcome : "referred_to_staff";
  by("result").dataset.kind = good ? "good" : known === "outside_window" ? "later" : "wait";
  put(by("result-title"), text(`outcome.${known}.title`));
  put(by("result-line"), text(`outcome.${known}.line`));
  fill("result-name", good ? result.shown_name : "");
  fill("result-time", `${day(result.time)} ${hours(result.time)}`);
  fill("result-receipt", result.receipt);
  fill("result-due", result.next_due ? day(result.next_due) : "");
}

function fill(id, words) {
  put(by(id), words ?? "");
  by(id).parentElement.hidden = !words;
}

function renderDevices() {
  by("devices").replaceChildren(...state.devices.map(deviceLine));
}

function deviceLine(device) {
  const line = document.createElement("li");
  line.dataset.ok = device.ok;
  line.textContent = deviceWords(device);
  return line;
}

function deviceWords(device) {
  const name = text(`device.${device.name}`) || text("device.other");
  return text("device_line", { name, words: device.ok ? text("error.ok") : errorWords(device.code) });
}

// One line at the foot: what a clerk should know, harmless to anybody else.
function renderStatus(step) {
  const parts = [];
  if (state && step !== "fault") parts.push(...state.devices.filter((device) => !device.ok).map(deviceWords));
  if (state && state.center === "unreachable") parts.push(text("center.unreachable"));
  if (state && state.pending > 0 && state.center !== "reachable") parts.push(text("pending", { count: state.pending }));
  put(by("status"), parts.join(" · "));
}

function renderLink(live) {
  by("link").hidden = live;
  if (live) return;
  const kind = document.body.dataset.link;
  put(by("link-title"), text(`link.${kind}.title`));
  put(by("link-line"), text(`link.${kind}.line`));
  by("resume").hidden = kind !== "replaced";
}

function renderClock() {
  put(by("clock"), hours(new Date(Date.now() + clockAhead_ms).toISOString()));
}

// --- what the person does ----------------------------------------------------------------------------------------

function speak(name) {
  language = name;
  render();
}

// Until the station answers the page says "one moment"; were the answer lost, it would show the station's step again.
async function claim(number) {
  waitingFor = state.version;
  askedForNumber = false;
  render();
  const taken = await link.post("claim", { number });
  setTimeout(giveUpWaiting, taken ? ANSWER_MS : 0);
}

function giveUpWaiting() {
  waitingFor = null;
  render();
}

function leave() {
  const onlyPad = askedForNumber && state?.step === "idle";
  askedForNumber = false;
  entered(shownStep());
  render();
  if (!onlyPad) link.post("cancel");
}

by("switch").addEventListener("click", () => speak(language === "zh_CN" ? "en" : "zh_CN"));
by("cancel").addEventListener("click", leave);
by("someone").addEventListener("click", () => link.post("help"));
by("explain").addEventListener("click", () => by("explanation").showModal());
by("understood").addEventListener("click", () => by("explanation").close());
by("resume").addEventListener("click", () => link.open());
every("[data-do=number]").forEach((node) =>
  node.addEventListener("click", () => {
    askedForNumber = true;
    entered("claim");
    render();
  }),
);
document.addEventListener("keydown", (event) => shownStep() === "claim" && pad.key(event));
document.addEventListener("click", (event) => event.detail && document.activeElement?.blur()); // no ring after a touch
document.addEventListener("contextmenu", (event) => event.preventDefault());
setInterval(renderClock, 1000);
render();
link.open();
