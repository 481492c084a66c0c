// The live preview: reads the multipart JPEG stream and draws the newest frame, dropping those that came meanwhile.
// A fetch that reads without pause keeps nothing queued, so what is drawn is what happens now. A stream that has gone
// quiet is given up, its last picture wiped, and opened anew.
//
// Tells of every picture drawn as an event "drawn" of the canvas: { captured_ns (the station's monotonic clock),
// drawn_ms (the page's) }, so that the delay can be measured.

const RETRY_MS = 500;
const QUIET_MS = 3000;
const HEAD_END = [13, 10, 13, 10];

export class Preview {
  #canvas;
  #reading = null;
  #newest = null;
  #drawing = false;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  start() {
    if (this.#reading) return;
    this.#reading = new AbortController();
    this.#keepReading(this.#reading.signal);
  }

  stop() {
    this.#reading?.abort();
    this.#reading = null;
    this.#wipe();
    delete this.#canvas.dataset.frames;
  }

  #wipe() {
    this.#newest = null;
    this.#canvas.getContext("2d").clearRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  async #keepReading(signal) {
    while (!signal.aborted) {
      const quiet = new AbortController();
      try {
        await this.#read(AbortSignal.any([signal, quiet.signal]), quiet);
      } catch {
        if (signal.aborted) return;
        this.#wipe();
      }
      await new Promise((resume) => setTimeout(resume, RETRY_MS));
    }
  }

  async #read(signal, quiet) {
    let timer = setTimeout(() => quiet.abort(), QUIET_MS);
    try {
      await this.#readParts(signal, () => {
        clearTimeout(timer);
        timer = setTimeout(() => quiet.abort(), QUIET_MS);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #readParts(signal, heard) {
    const answer = await fetch("/preview", { signal, cache: "no-store" });
    if (!answer.ok || !answer.body || answer.status === 204) return;
    const reader = answer.body.getReader();
    let held = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      held = joined(held, value);
      for (let part = nextPart(held); part; part = nextPart(held)) {
        held = held.subarray(part.end);
        this.#show(part, signal);
      }
    }
  }

  async #show(part, signal) {
    this.#newest = part;
    if (this.#drawing) return;
    this.#drawing = true;
    try {
      while (this.#newest && !signal.aborted) {
        const frame = this.#newest;
        this.#newest = null;
        await this.#draw(frame, signal);
      }
    } finally {
      this.#drawing = false;
    }
  }

  async #draw(part, signal) {
    const picture = await createImageBitmap(new Blob([part.jpeg], { type: "image/jpeg" })).catch(() => null);
    if (!picture || signal.aborted) return;
    if (this.#canvas.width !== picture.width || this.#canvas.height !== picture.height) {
      this.#canvas.width = picture.width;
      this.#canvas.height = picture.height;
    }
    this.#canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    this.#canvas.dataset.frames = Number(this.#canvas.dataset.frames || 0) + 1;
    const detail = { captured_ns: part.captured_ns, drawn_ms: performance.now() };
    this.#canvas.dispatchEvent(new CustomEvent("drawn", { detail }));
  }
}

// The first whole part in `bytes`: its JPEG, when it was taken, and where it ends; null when more must come.
function nextPart(bytes) {
  const headEnd = find(bytes, HEAD_END);
  if (headEnd < 0) return null;
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, headEnd));
  const length = Number(/content-length: *(\d+)/i.exec(head)?.[1]);
  const captured_ns = Number(/x-captured-monotonic-ns: *(\d+)/i.exec(head)?.[1]);
  const start = headEnd + HEAD_END.length;
  if (!Number.isInteger(length) || bytes.length < start + length) return null;
  return { jpeg: bytes.slice(start, start + length), captured_ns, end: start + length };
}

function find(bytes, pattern) {
  for (let at = 0; at + pattern.length <= bytes.length; at += 1) {
    if (pattern.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -1;
}

function joined(first, second) {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
