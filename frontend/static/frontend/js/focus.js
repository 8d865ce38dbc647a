// Where the focus goes: to the error summary after a full page, to the field in error after a swap.

import { toast } from "./toast.js";

document.querySelector("[data-focus]")?.focus();

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  // A refusal says where it goes; a form with errors comes back as 422.
  if (xhr.getResponseHeader("HX-Retarget") || xhr.status === 422) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// A sheet that was open stays open when its part of the page is replaced (:target belongs to the element that went),
// and the focus goes back to what was chosen in it.
let sheet = "";
let chosen = "";
document.addEventListener("htmx:beforeSwap", () => {
  const open = document.querySelector(".filters:target");
  sheet = open ? `#${open.id}` : "";
  chosen = document.activeElement.id;
});
document.addEventListener("htmx:afterSettle", () => {
  if (!sheet) return;
  const back = () => document.getElementById(chosen)?.focus({ preventScroll: true });
  addEventListener("hashchange", back, { once: true });
  location.replace(sheet);
  sheet = "";
});

document.addEventListener("htmx:afterSettle", (event) => {
  const place = event.detail.elt;
  const field = place.querySelector?.("[aria-invalid='true']") ?? place.querySelector?.("[data-focus-after-swap]");
  if (field) field.focus();
});

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const sentences = document.getElementById("toasts").dataset;
    toast(event.detail.xhr?.status === 403 ? sentences.signedOut : sentences.failed, "toast-failed-template");
  });
}
