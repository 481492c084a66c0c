// The kiosk's voice: plays one clip at a time, by slot code. Decides nothing about what to say and never makes a sentence:
// a clip is made ahead, so no name and no number can be heard.
//
// Told to the page as events of the document, type "voice", detail { what, slot }: "started", "ended", "missing" (no clip)
// and "blocked" (the browser lets nothing be heard before the first touch).

const RESULT = 3; // heard to its end, whatever comes
const PROMPT = 2; // replaces what is being said
const HINT = 1; // waits for what is being said; only the newest waits
const SAME_HINT_MS = 6000; // so long the same hint is not said again
const PATIENCE_MS = 1500; // beyond a clip's length: then the browser has lost its loudspeaker
const KEPT_CLIPS = 40;
const SOUNDS = "sounds";

const settings = JSON.parse(document.getElementById("settings")?.textContent ?? "{}").voice ?? { enabled: false };
const clips = new Map(); // decoded, by address, oldest first

let context = null;
let loudness = null;
let volume = settings.volume ?? 1;
let page = "zh_CN";
let chosen = null; // the voice a person chose
let current = null; // { weight, clips: [[voice, slot]], source, timer }
let waiting = [];
let held = null; // what could not be heard yet
let last = []; // slots of the last sentence, for replay
let hintAt = { key: "", ms: 0 };

function tell(what, slot) {
  document.dispatchEvent(new CustomEvent("voice", { detail: { what, slot } }));
}

// Words for staff, and values: the screen shows them, nobody hears them.
function isSilent(slot) {
  return (settings.silent ?? []).some((code) => (code.endsWith(".") ? slot.startsWith(code) : slot === code));
}

function weightOf(slot) {
  if (/^(outcome|recorded)\.|^step\.help\.title$/.test(slot)) return RESULT;
  return /^(hint\.(?!page_taken)|tries_)/.test(slot) ? HINT : PROMPT;
}

// --- what the page calls -------------------------------------------------------------------------------------------

// Says one slot, or several as one sentence. Answers at once.
export function say(...slots) {
  const wanted = slots.filter((slot) => slot && !isSilent(slot));
  if (!wanted.length) return;
  const weight = Math.max(...wanted.map(weightOf));
  const key = wanted.join(" ");
  if (weight === HINT) {
    if (hintAt.key === key && performance.now() - hintAt.ms < SAME_HINT_MS) return;
    hintAt = { key, ms: performance.now() };
  }
  last = wanted;
  enqueue({ weight, clips: wanted.map((slot) => [null, slot]) });
}

// "good", "again" or "staff"; what is said next follows it.
export function sound(name) {
  enqueue({ weight: RESULT, clips: [[SOUNDS, name]] });
}

// Says the last sentence again.
export function replay() {
  if (!last.length) return;
  stop();
  enqueue({ weight: PROMPT, clips: last.map((slot) => [null, slot]) });
}

// Silence now; nothing waits.
export function stop() {
  waiting = [];
  end(current);
}

// The visit is over: a result is heard to its end, everything else ends now, and nobody can have it said again.
export function leave() {
  last = [];
  held = null;
  hintAt = { key: "", ms: 0 };
  waiting = waiting.filter((sentence) => sentence.weight === RESULT);
  if (current && current.weight !== RESULT) {
    end(current);
    if (waiting.length) play(waiting.shift());
  }
}

// The voices a person can choose on this page, the site's own first.
export function languages() {
  const first = voiceOf(null);
  const others = (settings.languages ?? []).filter((voice) => voice !== first);
  return settings.enabled ? [first, ...others] : [];
}

// The voice from now on: one of languages(), or null for the page's first one. A new voice says the last sentence again.
export function choose(voice) {
  const before = voiceOf(chosen);
  chosen = voice;
  if (voice && voice !== before) replay();
}

// Which voice is heard.
export function voice() {
  return voiceOf(chosen);
}

// The page's language of texts, "zh_CN" or "en"; a chosen voice of the other one is forgotten.
export function readIn(language) {
  page = language;
  if (chosen && (chosen === "english") !== (page === "en")) chosen = null;
}

// How loud, 0..1, as the station pushes it.
export function setVolume(level) {
  volume = Number.isFinite(level) ? Math.min(1, Math.max(0, level)) : volume;
  if (loudness) loudness.gain.value = gain();
}

// --- one at a time -------------------------------------------------------------------------------------------------

function voiceOf(name) {
  return name ?? settings.first?.[page] ?? "mandarin";
}

function gain() {
  return volume * volume; // the ear hears half of it as about half as loud
}

function enqueue(sentence) {
  if (!settings.enabled || volume === 0) return;
  if (!audible()) {
    held = sentence; // until the browser lets something be heard; only the newest, and only of this visit
    tell("blocked", sentence.clips[0][1]);
    return;
  }
  if (!current) play(sentence);
  else if (current.weight === RESULT) queue(sentence);
  else if (sentence.weight < current.weight || sentence.weight === HINT) waiting = [sentence];
  else {
    waiting = [];
    end(current);
    play(sentence);
  }
}

// Behind a result: every result has its turn, of everything else only the newest waits.
function queue(sentence) {
  const results = waiting.filter((other) => other.weight === RESULT);
  const others = waiting.filter((other) => other.weight !== RESULT);
  waiting = sentence.weight === RESULT ? [...results, sentence, ...others] : [...results, sentence];
}

async function play(sentence) {
  current = sentence;
  for (const [voice, slot] of sentence.clips) {
    const clip = await load(voice ?? voiceOf(chosen), slot);
    if (current !== sentence) return;
    if (!clip) {
      tell("missing", slot);
      continue;
    }
    tell("started", slot);
    await hear(sentence, clip);
    tell("ended", slot);
    if (current !== sentence) return;
  }
  current = null;
  if (waiting.length) play(waiting.shift());
}

// Resolves when the clip has been heard, was stopped, or when the browser has lost its loudspeaker.
function hear(sentence, clip) {
  return new Promise((resolve) => {
    const source = new AudioBufferSourceNode(context, { buffer: clip });
    source.connect(loudness);
    source.addEventListener("ended", resolve, { once: true });
    sentence.source = source;
    sentence.timer = setTimeout(resolve, clip.duration * 1000 + PATIENCE_MS);
    source.start();
  }).finally(() => {
    clearTimeout(sentence.timer);
    sentence.source.stop();
    sentence.source = null;
  });
}

function end(sentence) {
  if (current === sentence) current = null;
  sentence?.source?.stop();
}

// --- the browser's side --------------------------------------------------------------------------------------------

// Whether anything can be heard now. A browser that was not told otherwise is silent until the first touch.
function audible() {
  if (!context && !("AudioContext" in window)) return false;
  if (!context) {
    context = new AudioContext();
    loudness = new GainNode(context, { gain: gain() });
    loudness.connect(context.destination);
    context.addEventListener("statechange", release);
  }
  if (context.state !== "running") context.resume().catch(() => tell("blocked", "")); // after a touch it may
  return context.state === "running";
}

function release() {
  const sentence = held;
  if (context.state !== "running" || !sentence) return;
  held = null;
  enqueue(sentence);
}

async function load(voice, slot) {
  const address = `/voice/${voice}/${slot}`;
  const known = clips.get(address);
  if (known) return known;
  try {
    const answer = await fetch(address);
    if (answer.status !== 200) return null;
    const clip = await context.decodeAudioData(await answer.arrayBuffer());
    if (clips.size >= KEPT_CLIPS) clips.delete(clips.keys().next().value);
    clips.set(address, clip);
    return clip;
  } catch {
    return null; // told as "missing" by the caller; the screen says it all the same
  }
}

if (settings.enabled) {
  audible();
  ["pointerdown", "keydown"].forEach((kind) => document.addEventListener(kind, () => audible(), { capture: true }));
}
