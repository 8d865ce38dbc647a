// Toasts stay eight seconds; a pointer over them or the focus in them stops the clock.

import { announce } from "./live.js";

const STAY = 8000;

function start(toast) {
  let clock;
  const stop = () => clearTimeout(clock);
  const run = () => {
    stop();
    clock = setTimeout(() => toast.remove(), STAY);
  };
  toast.addEventListener("pointerenter", stop);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("pointerleave", run);
  toast.addEventListener("focusout", run);
  toast.querySelector("[data-toast-close]").addEventListener("click", () => toast.remove());
  announce(toast.querySelector("p").textContent);
  run();
}

/** Show a toast for something that can already be seen on the page. */
export function toast(text, template = "toast-template") {
  const shown = document.getElementById(template).content.firstElementChild.cloneNode(true);
  shown.querySelector("p").textContent = text;
  document.getElementById("toasts").append(shown);
  start(shown);
}

document.querySelectorAll("[data-toast]").forEach(start);

// A view may answer htmx with HX-Trigger: {"toast": "Codes sent to 4 people."}
document.addEventListener("toast", (event) => toast(event.detail.value));
