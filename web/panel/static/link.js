// The line to the station: state comes in by server-sent events, the buttons go out as posts with the page's token.
// The page must never show an old state for long: without a sign of life it says so and connects anew.

const REOPEN_MS = 2000;
const REPLACED_REOPEN_MS = 30000;
const PATIENCE = 3; // heartbeats

export class Link {
  #settings;
  #listener;
  #source = null;
  #heardAt = performance.now();
  #timer = null;

  // listener: { state(body), lost(), replaced() }
  constructor(settings, listener) {
    this.#settings = settings;
    this.#listener = listener;
    setInterval(() => this.#watch(), 1000);
  }

  open() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#heardAt = performance.now();
    this.#source = new EventSource("/events");
    this.#source.addEventListener("state", (event) => this.#hear(JSON.parse(event.data)));
    this.#source.addEventListener("alive", () => this.#hear(null));
    this.#source.addEventListener("replaced", () => this.#leave(REPLACED_REOPEN_MS, () => this.#listener.replaced()));
    this.#source.addEventListener("error", () => this.#stumble());
  }

  // Answers whether the station took it; a page whose token is of an earlier start reloads itself.
  async post(path, body = {}) {
    try {
      const answer = await fetch(`/${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Panel-Token": this.#settings.token },
        body: JSON.stringify(body),
      });
      if (answer.status === 403) location.reload();
      return answer.ok;
    } catch {
      return false;
    }
  }

  #hear(body) {
    this.#heardAt = performance.now();
    if (!body) return;
    if (body.boot !== this.#settings.boot) location.reload();
    else this.#listener.state(body);
  }

  #stumble() {
    this.#listener.lost();
    if (this.#source.readyState === EventSource.CLOSED) this.#leave(REOPEN_MS, () => {});
  }

  #watch() {
    const silent_ms = performance.now() - this.#heardAt;
    if (this.#source && silent_ms > PATIENCE * this.#settings.heartbeat_s * 1000) {
      this.#listener.lost();
      this.open();
    }
  }

  #leave(reopen_ms, tell) {
    this.#source.close();
    this.#source = null;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), reopen_ms);
    tell();
  }
}
