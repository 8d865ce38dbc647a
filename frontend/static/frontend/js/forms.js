// Buttons that are busy, codes without blanks.

// The second press of a button that is already at work does nothing.
// Heard on the way down, before htmx hears it.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    const button = event.submitter;
    if (form.hasAttribute("data-busy")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (button?.dataset.busyText) {
      form.setAttribute("data-busy", "");
      setTimeout(setBusy, 0, button); // after the browser has read which button was pressed
    }
  },
  true,
);

document.addEventListener("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form[data-busy]");
  if (form) rest(form);
});

// Coming back by the browser's back button shows the page as it was left: busy.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-busy]").forEach(rest);
});

function setBusy(button) {
  button.style.minInlineSize = `${button.offsetWidth}px`;
  button.dataset.label = button.innerHTML;
  button.textContent = button.dataset.busyText;
  button.setAttribute("aria-busy", "true");
}

function rest(form) {
  form.removeAttribute("data-busy");
  form.querySelectorAll("[aria-busy][data-label]").forEach((button) => {
    button.innerHTML = button.dataset.label;
    button.removeAttribute("aria-busy");
    button.style.minInlineSize = "";
  });
}

// Blanks around and inside a pasted code are dropped.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-code]")) field.value = field.value.replace(/\s+/g, "");
});
