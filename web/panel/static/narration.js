// What the voice says when: follows the states that the station pushes and says each change once. Owns the order of the
// sentences; the words are the texts' own, the clips are played by voice.js.
import { text } from "./page.js";
import { leave, readIn, say, setVolume, sound } from "./voice.js";

const GOOD = ["accepted", "already_present", "witnessed"];
const SILENT = ["pairing", "working", "staff", ""]; // read by staff, or over before it is said
const EMPTY = ["idle", "pairing", "fault", ""]; // steps before which nobody stood here
const WALKING = /^(Arrow|Tab)/;
const FOCUS_MS = 500; // so soon after a key the focus moved because of it

let before = { step: "", state: null, language: "" };
let walkedAt_ms = -Infinity;

// ``step`` is what the page shows, ``state`` what the station pushed last, ``language`` that of the texts.
export function narrate(step, state, language) {
  if (!state) return;
  setVolume(state.volume);
  if (language !== before.language) readIn(language);
  const was = before;
  before = { step, state, language };
  if (step !== was.step) enter(step, state, was);
  else if (language !== was.language) enter(step, state, { ...was, step: "look" });
  else follow(step, state, was.state);
}

// What the button for help shows, read out.
export function explain(step) {
  say(`explain.${step}`);
}

function enter(step, state, was) {
  if (step === "idle") leave();
  else if (step === "result") sayResult(state.result);
  else if (step === "help") call("step.help.title", "step.help.line");
  else if (step === "fault") {
    if (!EMPTY.includes(was.step)) say("step.fault.title", "step.fault.line"); // else nobody is there who could hear it
  } else if (!SILENT.includes(step)) {
    const again = fewerTries(state, was.state);
    if (again) sound("again");
    say(...promptOf(step, state));
    say(hintOf(state), again && triesOf(state));
  }
}

function follow(step, state, was) {
  if (SILENT.includes(step) || step === "idle" || step === "fault") return;
  if (step === "result") {
    if (resultKey(state) !== resultKey(was)) sayResult(state.result);
    return;
  }
  const again = fewerTries(state, was);
  if (again) sound("again");
  const prompt = promptOf(step, state);
  if (prompt.join() !== promptOf(step, was).join()) say(...prompt);
  if (again || state.hint !== was.hint || state.pages !== was.pages) say(hintOf(state), again && triesOf(state));
}

function promptOf(step, state) {
  if (step === "challenge" && state.challenge) return [`challenge.${state.challenge}`];
  if (step === "finger" && state.finger) return [`finger_title.${state.finger}`];
  if (step === "question" && state.question) return [`question.${state.question}`];
  if (step === "menu") return ["step.menu.title", ...firstDue(state)];
  if (step === "claim" || step === "document") return [`step.${step}.title`, `step.${step}.line`];
  return [`step.${step}.title`];
}

function firstDue(state) {
  const due = (state.choices ?? []).find((choice) => choice.due);
  return due ? ["menu_due", `menu.${due.code}`] : [];
}

// A hint that the screen has no words for is the one to try again, as on the screen.
function hintOf(state) {
  return state.hint && (text(`hint.${state.hint}`) ? `hint.${state.hint}` : "hint.try_again");
}

function resultKey(state) {
  return [state.result?.receipt, state.result?.outcome, state.result?.errand].join();
}

function sayResult(result) {
  if (!result) return;
  const known = text(`outcome.${result.outcome}.title`) ? result.outcome : "referred_to_staff";
  const recorded = text(`recorded.${result.errand}`) && `recorded.${result.errand}`;
  if (!GOOD.includes(known)) call(`outcome.${known}.title`, `outcome.${known}.line`);
  else {
    sound("good");
    say(recorded || `outcome.${known}.title`, `outcome.${known}.line`);
  }
}

function call(...words) {
  sound("staff");
  say(...words);
}

function fewerTries(state, was) {
  return state.tries_left < (was?.tries_left ?? 3);
}

function triesOf(state) {
  return { 1: "tries_last", 2: "tries_left.2" }[state.tries_left];
}

// Whoever walks through the buttons with two keys hears where they are. Not on the number pad: what is typed is theirs.
document.addEventListener("keydown", (event) => (walkedAt_ms = WALKING.test(event.key) ? performance.now() : -Infinity), true);
document.addEventListener("focusin", (event) => {
  if (performance.now() - walkedAt_ms > FOCUS_MS || event.target.closest("[data-digit]")) return;
  const words = event.target.dataset?.slot ?? event.target.querySelector?.("[data-text]")?.dataset.text;
  if (words) say(words);
});
