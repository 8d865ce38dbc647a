// <button data-copy="text" data-copied="Code copied">: the sign becomes a check for two seconds.

import { announce } from "./live.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    select(button.parentElement);
    return;
  }
  announce(button.dataset.copied);
  button.classList.add("is-done");
  setTimeout(() => button.classList.remove("is-done"), 2000);
});

/** The clipboard may be forbidden: then at least the code is selected, ready to be copied by hand. */
function select(chip) {
  getSelection().selectAllChildren(chip.querySelector("bdi"));
}
