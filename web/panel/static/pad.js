// The number pad: digits by touch or from a keypad. Shows only the last ones, because others may stand behind; forgets
// what was typed when nobody goes on.

const FORGET_MS = 60000;
const MOST_SHOWN = 8;

export class Pad {
  #root;
  #display;
  #most;
  #open;
  #enter;
  #digits = "";
  #timer = null;

  // `open` is how many of the digits are shown, the last ones.
  constructor({ root, display, most, enter, open = 2 }) {
    this.#root = root;
    this.#display = display;
    this.#most = most;
    this.#enter = enter;
    this.#open = open;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#press(button.dataset.digit ?? button.dataset.pad);
    });
  }

  clear() {
    this.#set("");
  }

  // A key of a physical keypad. Enter then means OK, whichever digit on the glass had the focus.
  key(event) {
    if (/^\d$/.test(event.key)) {
      this.#press(event.key);
      this.#root.querySelector("[data-pad=enter]").focus();
    } else if (event.key === "Backspace") this.#press("erase");
    else if (event.key === "Enter" && event.target === document.body) this.#press("enter");
  }

  #press(what) {
    if (what === "erase") this.#set(this.#digits.slice(0, -1));
    else if (what !== "enter") this.#set((this.#digits + what).slice(0, this.#most));
    else if (this.#digits) this.#enter(this.#digits);
  }

  #set(digits) {
    this.#digits = digits;
    const hidden = Math.max(0, digits.length - this.#open);
    const masked = "*".repeat(hidden) + digits.slice(hidden);
    this.#display.textContent = masked.slice(-MOST_SHOWN);
    this.#display.dataset.count = digits.length;
    clearTimeout(this.#timer);
    if (digits) this.#timer = setTimeout(() => this.clear(), FORGET_MS);
  }
}
