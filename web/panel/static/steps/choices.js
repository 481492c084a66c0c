// One question with its answers, and the menu of what a person can come for. A tap counts for what is shown, once.
import { by, draw, every, newIcon, put, text } from "../page.js";

const SETTLED_MS = 500; // a second tap on the last screen must not answer this one
const TWICE_MS = 1500; // nor is a trembling finger a second answer
const portrait = matchMedia("(orientation: portrait)");

let shownKey = "";
let shownAt_ms = 0;
let sent = { key: "", at_ms: -Infinity };

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

// Called with every state; remembers since when the same thing is asked.
export function noteShown(state, step) {
  const key = [step, state.question, state.result?.receipt, state.pages].join(); // one page more is something new
  if (key === shownKey) return;
  shownKey = key;
  shownAt_ms = performance.now();
}

// Whether a tap on a choice counts: not twice for the same thing, and not before the eye has seen it.
export function mayChoose() {
  const now_ms = performance.now();
  if (now_ms - shownAt_ms < SETTLED_MS || (sent.key === shownKey && now_ms - sent.at_ms < TWICE_MS)) return false;
  sent = { key: shownKey, at_ms: now_ms };
  return true;
}
