// The staff's pages: draws the view that the station pushes and says what was pressed. Decides nothing.
// A view is { page, items, hint, ... } of codes and plain values; see kiosk/staff. Words: texts, below "staff".
import { focusMain } from "./keys.js";
import { Pad } from "./pad.js";
import { by, day, draw, hours, language, newIcon, put, settings, show, text } from "./page.js";
import { Preview } from "./preview.js";
import { renderFinger } from "./steps/finger.js";
import { say } from "./voice.js";

const PADS = { pin: "pin", number: "number" }; // page: the field that is typed
const ANSWER_MS = 3000; // so long a press waits for the station's next view before another one counts

export class StaffPages {
  #post;
  #preview = new Preview(by("staff-preview"));
  #pad;
  #view = null;
  #words = ""; // page and language last drawn: what was typed is forgotten, and the focus moves, when they change
  #pressedAt_ms = -Infinity;
  #said = "";
  #home = by("hand").parentElement; // the one drawing of a hand is lent to these pages

  constructor(post) {
    this.#post = post;
    this.#pad = new Pad({
      root: by("staff-pad"),
      display: by("staff-typed"),
      most: settings.most_digits,
      open: 0,
      enter: (typed) => this.#press(PADS[this.#view?.page], { [PADS[this.#view?.page]]: typed }),
    });
    by("staff-items").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#press("pick", { code: button.dataset.code });
    });
  }

  // `view` is null while another step is shown.
  render(view) {
    const news = JSON.stringify(view) !== JSON.stringify(this.#view);
    if (news) this.#pressedAt_ms = -Infinity;
    const retyped = Boolean(view?.hint) && news;
    this.#view = view;
    if (view?.preview) this.#preview.start();
    else this.#preview.stop();
    this.#lendHand(Boolean(view?.finger));
    if (!view?.page) {
      this.#pad.clear();
      this.#words = "";
      return;
    }
    const words = `${view.page} ${view.line ?? ""}`;
    const entered = words !== this.#words;
    if (entered || retyped) this.#pad.clear();
    if (retyped && view.refused) put(by("staff-hint").querySelector("span"), ""); // to be read out once more
    this.#words = words;
    this.#draw(view);
    if (entered) focusMain(by("staff"));
    this.#speak(view);
  }

  // A key of a physical keypad.
  key(event) {
    if (PADS[this.#view?.page]) this.#pad.key(event);
  }

  #press(act, fields) {
    const now = performance.now();
    if (!act || now - this.#pressedAt_ms < ANSWER_MS) return; // the same tap twice
    this.#pressedAt_ms = now;
    this.#post(act, { ...fields, language: language() });
  }

  #draw(view) {
    by("staff").dataset.page = view.page;
    by("staff").dataset.kind = kindOf(view);
    put(by("staff-title"), pageText(view, "title"));
    put(by("staff-line"), pageText(view, "line"));
    put(by("staff-whom"), whom(view));
    this.#drawHint(view);
    show(by("staff-typed"), view.page in PADS);
    show(by("staff-pad"), view.page in PADS);
    this.#drawMeter(view);
    show(by("staff-mirror"), Boolean(view.preview));
    show(by("staff-hand"), Boolean(view.finger));
    if (view.finger) renderFinger({ finger: view.finger });
    show(by("staff-notice"), view.page === "notice");
    put(by("staff-notice"), view.page === "notice" ? text(`notice.line_${view.line}`) : "");
    this.#list("staff-rows", view.rows ?? view.similar, view.rows ? healthRow : similarRow);
    this.#list("staff-bars", view.bars, bar);
    this.#drawItems(view.items ?? []);
  }

  #drawHint(view) {
    const words = hintWords(view);
    show(by("staff-hint"), Boolean(words));
    put(by("staff-hint").querySelector("span"), words);
    draw(by("staff-hint").querySelector("use"), `hint-${view.hint}`, "hint-try_again");
  }

  #drawMeter(view) {
    const counted = view.wanted !== undefined;
    show(by("staff-meter"), counted);
    if (!counted) return;
    put(by("staff-count"), text("staff.count", { taken: view.taken, wanted: view.wanted }));
    const quality = view.quality ?? null;
    show(by("staff-quality"), quality !== null);
    put(by("staff-quality-name"), quality === null ? "" : text("staff.quality", { percent: quality }));
    by("staff-quality").setAttribute("aria-valuenow", quality ?? 0);
    by("staff-quality").querySelector("i").style.width = `${quality ?? 0}%`;
  }

  #list(id, rows, made) {
    show(by(id), Boolean(rows));
    const drawn = JSON.stringify([rows, language()]);
    if (by(id).dataset.drawn === drawn) return;
    by(id).dataset.drawn = drawn;
    by(id).replaceChildren(...(rows ?? []).map(made));
  }

  #drawItems(items) {
    const box = by("staff-items");
    const drawn = JSON.stringify([items, language()]);
    box.dataset.count = items.length;
    if (box.dataset.drawn === drawn) return;
    const focused = box.contains(document.activeElement) ? document.activeElement.dataset.code : null;
    box.dataset.drawn = drawn;
    box.replaceChildren(...items.map((item, place) => itemButton(item, place === 0, !this.#view.page.startsWith("enroll_"))));
    if (focused) box.querySelector(`[data-code="${CSS.escape(focused)}"]`)?.focus();
  }

  // The person is spoken to, never about: the notice, and what to do while a face or a finger is captured.
  #speak(view) {
    const slots = spoken(view);
    const said = slots.join();
    if (said && said !== this.#said) say(...slots);
    this.#said = said;
  }

  #lendHand(wanted) {
    const place = wanted ? by("staff-hand") : this.#home;
    if (by("hand").parentElement !== place) place.append(by("hand"));
  }
}

function kindOf(view) {
  if (view.page in PADS) return "pad";
  if (view.preview || view.finger) return "picture";
  return view.rows || view.similar || view.page === "notice" ? "rows" : "list";
}

function pageText(view, part) {
  const values = { minutes: view.minutes ?? "", count: view.count ?? "", line: view.line ?? "", lines: view.lines ?? "", time: view.at ? hours(view.at) : "" };
  const special = view.page === "enroll_done" && view.own ? text(`staff.page.enroll_done_own.${part}`) : "";
  const why = part === "line" && view.why ? text(`staff.why.${view.why}`) : "";
  const advice = part === "line" && view.advice ? text(`staff.advice.${view.advice}`) : "";
  const failed = part === "line" && view.code ? text(`error.${view.code}`) || text("error.other") : "";
  return special || why || advice || failed || text(`staff.page.${view.page}.${part}`, values);
}

// Whom it is about: the typed number and the last character of the name, and why somebody vouches.
function whom(view) {
  const reason = view.reason ? text(`staff.item.${view.reason}`) : "";
  return [view.number, view.shown_name, reason].filter(Boolean).join(" · ");
}

function hintWords(view) {
  if (view.stored) return text("staff.hint.stored");
  if (view.printed === true) return text("staff.hint.printed");
  if (view.printed === false) return text("staff.hint.not_printed");
  if (!view.hint) return "";
  return text(`staff.hint.${view.hint}`) || text(`hint.${view.hint}`) || text(`error.${view.hint}`) || text("hint.try_again");
}

function healthRow(row) {
  const line = document.createElement("li");
  line.dataset.ok = row.ok;
  const words = row.value !== undefined ? shownValue(row) : text(`staff.state.${row.code}`) || text(`error.${row.code}`) || text("error.other");
  line.textContent = text("device_line", { name: text(`staff.row.${row.name}`), words });
  return line;
}

function shownValue(row) {
  return row.name === "last_event" ? `${day(row.value)} ${hours(row.value)}` : String(row.value);
}

function similarRow(row) {
  const line = document.createElement("li");
  line.textContent = `${row.shown_name || "–"} · ${text(`staff.item.${row.modality}`)}`;
  return line;
}

function bar(item) {
  const row = document.createElement("div");
  const name = row.appendChild(document.createElement("dt"));
  name.textContent = text(`staff.bar.${item.name}`);
  const value = row.appendChild(document.createElement("dd"));
  value.appendChild(document.createElement("i")).style.width = `${item.value}%`;
  value.setAttribute("aria-label", `${item.value} %`);
  value.setAttribute("role", "img");
  return row;
}

function itemButton(item, first, main) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.code = item.code;
  button.classList.toggle("strong", first && main); // skipping a capture is never the main thing
  button.toggleAttribute("data-main", first);
  const name = `staff-${item.code}`;
  if (by(`icon-${name}`)) button.append(newIcon(name));
  const words = button.appendChild(document.createElement("span"));
  words.textContent = item.label ?? text(`staff.item.${item.code}`);
  return button;
}

function spoken(view) {
  if (view.page === "notice") return [`notice.line_${view.line}`];
  const hint = view.hint && text(`hint.${view.hint}`) ? [`hint.${view.hint}`] : [];
  if (view.page === "enroll_face") return hint.length ? hint : ["challenge.look_here"];
  if (view.page === "enroll_finger") return hint.length ? hint : [`finger_title.${view.finger}`];
  return [];
}
