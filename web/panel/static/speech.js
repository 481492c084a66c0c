// The choice of a language or dialect, and of colours for whoever sees badly. A dialect brings its written language.
import { by, every, setLanguage, show } from "./page.js";
import { choose, languages, voice } from "./voice.js";

const WRITTEN = { english: "en" }; // every other voice reads Chinese
const ALWAYS = ["mandarin", "english"]; // can be read, whether or not they can be heard
const usualContrast = matchMedia("(prefers-contrast: more)").matches;

let contrast = usualContrast;
let picked = null; // the voice of this visit; the voice itself forgets it whenever somebody walks by

export function renderSpeech() {
  if (picked && voice() !== picked) choose(picked);
  const known = new Set([...languages(), ...ALWAYS]);
  const now = picked ?? (document.documentElement.lang === "en" ? "english" : known.has(voice()) ? voice() : "mandarin");
  every("button", by("languages")).forEach((node) => {
    show(node, known.has(node.dataset.language));
    node.setAttribute("aria-pressed", String(node.dataset.language === now));
  });
  document.documentElement.dataset.contrast = contrast ? "more" : "usual";
  by("contrast").setAttribute("aria-pressed", String(contrast));
}

// Back to what the site and the device are set to.
export function resetSpeech() {
  picked = null;
  choose(null);
  contrast = usualContrast;
}

// `changed` is called after every choice; `picked` is what the person chose.
export function listenToSpeech(changed) {
  by("languages").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    picked = button.dataset.language;
    setLanguage(WRITTEN[picked] ?? "zh_CN");
    by("speech").close();
    changed();
  });
  by("contrast").addEventListener("click", () => {
    contrast = !contrast;
    changed();
  });
}
