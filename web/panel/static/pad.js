// The number pad: digits by touch or from a keypad. Forgets what was typed when nobody goes on.

const FORGET_MS = 60000;

export class Pad {
  #display;
  #most;
  #enter;
  #digits = "";
  #timer = null;

  constructor({ root, display, most, enter }) {
    this.#display = display;
    this.#most = most;
    this.#enter = enter;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#press(button.dataset.digit ?? button.dataset.pad);
    });
  }

  clear() {
    this.#set("");
  }

  // A key of a physical keypad; a button in focus keeps its own Enter.
  key(event) {
    if (/^\d$/.test(event.key)) this.#press(event.key);
    else if (event.key === "Backspace") this.#press("erase");
    else if (event.key === "Enter" && event.target === document.body) this.#press("enter");
  }

  #press(what) {
    if (what === "erase") this.#set(this.#digits.slice(0, -1));
    else if (what !== "enter") this.#set((this.#digits + what).slice(0, this.#most));
    else if (this.#digits) this.#enter(this.#digits);
  }

  #set(digits) {
    this.#digits = digits;
    this.#display.textContent = digits;
    clearTimeout(this.#timer);
    if (digits) this.#timer = setTimeout(() => this.clear(), FORGET_MS);
  }
}
