// Menus and dialogs. Both exist without scripts: a menu is a details element, a dialog's opener a link to a page.

const menus = () => document.querySelectorAll("details[data-menu][open]");

document.addEventListener("click", (event) => {
  menus().forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });

  const link = event.target.closest("[data-dialog]");
  const dialog = link && document.getElementById(link.dataset.dialog);
  if (dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    dialog.showModal();
  }
  if (event.target.closest("[data-dialog-close]")) event.target.closest("dialog").close();
  if (event.target instanceof HTMLDialogElement && isOutside(event, event.target)) event.target.close();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  menus().forEach((menu) => {
    menu.open = false;
    menu.querySelector("summary").focus();
  });
});

// The sheet of filters is open while the address ends in #filters. What opened it has the focus again afterwards.
const opener = () => document.querySelector(".filters-open");
addEventListener("hashchange", ({ oldURL, newURL }) => {
  if (oldURL.endsWith("#filters") && newURL.endsWith("#catalog")) opener()?.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.querySelector(".filters:target")) location.hash = "#catalog";
});

document.addEventListener("focusin", (event) => {
  menus().forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});

/** A press on the scrim: on the dialog element itself, but not within its box. */
function isOutside(event, dialog) {
  const box = dialog.getBoundingClientRect();
  const { clientX: x, clientY: y } = event;
  return x < box.left || x > box.right || y < box.top || y > box.bottom;
}

// A dialog whose form came back with errors is open at once.
document.querySelectorAll("dialog[data-open]").forEach((dialog) => dialog.showModal());
