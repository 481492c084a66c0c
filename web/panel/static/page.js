// What every part of the page uses: its settings, its nodes, and words in the language that is shown now.

export const settings = JSON.parse(document.getElementById("settings").textContent);
export const by = (id) => document.getElementById(id);
export const every = (selector, root = document) => [...root.querySelectorAll(selector)];

let shown = settings.language;

export const language = () => shown;

export function setLanguage(name) {
  shown = name;
}

// The text of a code, empty if there is none.
export function text(path, values = {}) {
  const found = path.split(".").reduce((node, key) => node?.[key], settings.texts[shown]);
  return String(typeof found === "string" ? found : "").replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Writes only what changed, so that nothing is read out twice.
export function put(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

export function show(node, visible) {
  node.toggleAttribute("hidden", !visible);
}

// Shows the drawing `code`, or `other` where there is none of that name.
export function draw(use, code, other = "question") {
  const name = by(`icon-${code}`) ? `#icon-${code}` : `#icon-${other}`;
  if (use.getAttribute("href") !== name) use.setAttribute("href", name);
}

export function newIcon(code) {
  const names = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(names, "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  draw(drawing.appendChild(document.createElementNS(names, "use")), code);
  return drawing;
}

function moment(iso, options) {
  const when = /^\d{4}-\d\d-\d\d$/.test(iso) ? new Date(`${iso}T12:00:00Z`) : new Date(iso);
  if (Number.isNaN(when.getTime())) return "";
  return new Intl.DateTimeFormat(text("language.code"), { timeZone: settings.timezone, ...options }).format(when);
}

export const hours = (iso) => moment(iso, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const day = (iso) => moment(iso, { month: "short", day: "numeric" });
