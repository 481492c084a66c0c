// The webcam of an enrollment: shows the picture, sends one JPEG at a time, says what was thought of it. Keeps nothing.
"use strict";

const box = document.getElementById("webcam");

if (box && navigator.mediaDevices && navigator.mediaDevices.getUserMedia) {
  const words = JSON.parse(box.dataset.words);
  const view = box.querySelector(".view");
  const video = box.querySelector("video");
  const open = box.querySelector("[data-act=open]");
  const take = box.querySelector("[data-act=take]");
  const verdicts = box.querySelector(".verdicts");
  box.hidden = false;

  const say = (text, good) => {
    const line = document.createElement("li");
    line.textContent = text;
    line.className = good ? "good" : "";
    verdicts.prepend(line);
    while (verdicts.children.length > 6) verdicts.lastChild.remove();
  };

  open.addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" },
      });
      view.hidden = false;
      await video.play();
      while (!video.videoWidth) await new Promise(requestAnimationFrame); // the first picture may come later
      open.hidden = true;
      take.hidden = false;
      take.focus();
    } catch {
      view.hidden = true;
      say(words.denied, false);
    }
  });

  const picture = () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  };

  const send = async () => {
    const form = new FormData();
    form.append("pictures", await picture(), "webcam.jpg");
    const answer = await fetch(box.dataset.face, {
      method: "POST",
      body: form,
      headers: {
        "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content,
        "X-Requested-With": "fetch",
      },
    });
    const said = await answer.json();
    if (!answer.ok) return say(said.error.message, false);
    for (const verdict of said.verdicts) {
      const quality = verdict.quality === null ? "" : ` (${Math.round(verdict.quality * 100)} %)`;
      say(verdict.message + quality, verdict.accepted);
    }
    document.getElementById("faces").textContent = said.progress.faces;
    const reached = said.progress.faces >= said.progress.faces_wanted;
    document.getElementById("faces").closest("li").className = reached ? "done" : "open";
  };

  take.addEventListener("click", async () => {
    take.disabled = true;
    try {
      await send();
    } catch {
      say(words.failed, false);
    }
    take.disabled = false;
  });

  window.addEventListener("pagehide", () => {
    for (const track of video.srcObject ? video.srcObject.getTracks() : []) track.stop();
  });
}
