// What is wrong with a device or the line, in words that are harmless to anybody.
import { by, put, show, text } from "../page.js";

export function renderDevices(state) {
  by("devices").replaceChildren(...state.devices.map(deviceLine));
  show(by("claim-card"), state.devices.some((device) => device.name === "card" && device.ok));
}

// One line at the foot, the most important thing only.
export function renderStatus(state, step) {
  const broken = step === "fault" ? undefined : state?.devices.find((device) => !device.ok);
  let words = "";
  if (broken) words = deviceWords(broken);
  else if (state?.center === "unreachable") words = text("center.unreachable");
  else if (state?.pending > 0 && state.center !== "reachable") words = text("pending", { count: state.pending });
  put(by("status"), words);
}

function deviceLine(device) {
  const line = document.createElement("li");
  line.dataset.ok = device.ok;
  line.textContent = deviceWords(device);
  return line;
}

function deviceWords(device) {
  const name = text(`device.${device.name}`) || text("device.other");
  const words = device.ok ? text("error.ok") : text(`error.${device.code}`) || text("error.other");
  return text("device_line", { name, words });
}
