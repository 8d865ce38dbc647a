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

// The sheet of filters is open while the address ends in #filters. It takes one entry of the history, however many
// filters are chosen in it, and closing replaces that entry: Back leads to the list as it was, not into the sheet.
// What opened the sheet has the focus again afterwards.
const sheet = () => document.querySelector(".filters:target");
const closeSheet = () => location.replace("#catalog");
const shownList = () => location.pathname + location.search;
let shown = shownList();
document.addEventListener("click", (event) => {
  if (!sheet() || !event.target.closest("a[href='#catalog']")) return;
  event.preventDefault();
  closeSheet();
});
document.addEventListener("htmx:beforeHistoryUpdate", ({ detail }) => {
  if (sheet()) detail.history.type = "replace";
});
for (const name of ["htmx:pushedIntoHistory", "htmx:replacedInHistory", "htmx:historyRestore"]) {
  document.addEventListener(name, () => {
    shown = shownList();
  });
}
// htmx restores only what it has marked; the list before the first choice isn't among that.
addEventListener("popstate", ({ state }) => {
  if (!state?.htmx && shownList() !== shown) location.reload();
});
const opener = () => document.querySelector(".filters-open");
addEventListener("hashchange", ({ oldURL, newURL }) => {
  if (oldURL.endsWith("#filters") && newURL.endsWith("#catalog")) opener()?.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && sheet()) closeSheet();
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
