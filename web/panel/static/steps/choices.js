// One question with its answers, and the menu of what a person can come for. A tap counts for what is shown, once.
import { by, draw, every, newIcon, put, text } from "../page.js";

const SETTLED_MS = 500; // a second tap on the last screen must not answer this one
const TWICE_MS = 1500; // nor is a trembling finger a second answer
const portrait = matchMedia("(orientation: portrait)");

let shown = { asked: "", pages: 0, unclear: false, at_ms: 0 };
let sent = { asked: "", code: "", shown: null, at_ms: -Infinity };

export function renderQuestion(state) {
  draw(by("question-icon"), `question-${state.question}`);
  put(by("question-title"), text(`question.${state.question}`) || text("step.question.title"));
}

export function renderMenu(state) {
  const box = by("choices");
  const key = state.choices.map((choice) => `${choice.code}:${choice.due}`).join();
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    box.replaceChildren(...state.choices.map(choiceButton));
    const due = state.choices.filter((choice) => choice.due).length;
    box.toggleAttribute("data-wide", due + Math.ceil((state.choices.length - due) / 2) <= (portrait.matches ? 6 : 4));
  }
  every("button", box).forEach((node) => {
    put(node.querySelector(".name"), text(`menu.${node.dataset.choose}`));
    const due = node.querySelector(".due span");
    if (due) put(due, text("menu_due"));
    due?.classList.toggle("heard", !("wide" in box.dataset)); // where there is little room the bell says it alone
  });
}

function choiceButton(choice) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.choose = choice.code;
  button.dataset.slot = `menu.${choice.code}`;
  button.toggleAttribute("data-due", choice.due);
  const name = document.createElement("span");
  name.className = "name";
  button.append(newIcon(`menu-${choice.code}`), name);
  if (choice.due) button.append(dueMark());
  return button;
}

function dueMark() {
  const mark = document.createElement("span");
  mark.className = "due";
  mark.append(newIcon("bell"), document.createElement("span"));
  return mark;
}

// Called with every state; remembers since when the same thing is asked. What came of a page is something new to read.
export function noteShown(state, step) {
  const asked = [step, state.question, state.result?.receipt].join();
  const unclear = state.hint === "page_unclear";
  const same = asked === shown.asked && state.pages === shown.pages && (!unclear || shown.unclear);
  if (same) shown.unclear = unclear; // a hint that goes is nothing to read
  else shown = { asked, pages: state.pages, unclear, at_ms: performance.now() };
}

// Whether a tap on a choice counts: not before the eye has seen what is asked, and not twice: neither a second answer to
// the same thing nor the same tap again, whatever has come of the first one meanwhile.
export function mayChoose(code) {
  const now_ms = performance.now();
  const again = sent.shown === shown || (sent.asked === shown.asked && sent.code === code);
  if (now_ms - shown.at_ms < SETTLED_MS || (again && now_ms - sent.at_ms < TWICE_MS)) return false;
  sent = { asked: shown.asked, code, shown, at_ms: now_ms };
  return true;
}
