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

// A sheet that was open stays open when its page part is replaced (:target belongs to the element that went).
let sheet = "";
document.addEventListener("htmx:beforeSwap", () => {
  const open = document.querySelector(".filters:target");
  sheet = open ? `#${open.id}` : "";
});
document.addEventListener("htmx:afterSettle", () => {
  if (!sheet) return;
  const focused = document.activeElement;
  location.replace(sheet);
  focused?.focus({ preventScroll: true });
  sheet = "";
});

document.addEventListener("htmx:afterSettle", (event) => {
  const place = event.detail.elt;
  const field = place.querySelector?.("[aria-invalid='true']") ?? place.querySelector?.("[data-focus-after-swap]");
  if (field) field.focus();
});

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, () => {
    toast(document.getElementById("toasts").dataset.failed);
  });
}
