// Suggestions under the search field: a combobox with a list. Without scripts it is a plain field of its form.

import { announce } from "./live.js";

const fieldIn = (box) => box.querySelector("input");
const listIn = (box) => box.querySelector("[role=listbox]");
const optionsIn = (box) => [...box.querySelectorAll("[role=option]")];
const activeIn = (box) => box.querySelector("[role=option][aria-selected=true]");

document.querySelectorAll("[data-suggest]").forEach(prepare);
document.addEventListener("htmx:load", (event) => {
  event.target.querySelectorAll?.("[data-suggest]").forEach(prepare);
});

function prepare(box) {
  const field = fieldIn(box);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", listIn(box).id);
  field.setAttribute("aria-expanded", "false");
}

function open(box) {
  listIn(box).hidden = false;
  fieldIn(box).setAttribute("aria-expanded", "true");
}

function close(box) {
  select(box, null);
  listIn(box).hidden = true;
  fieldIn(box).setAttribute("aria-expanded", "false");
}

function select(box, option) {
  activeIn(box)?.setAttribute("aria-selected", "false");
  if (option) {
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    fieldIn(box).setAttribute("aria-activedescendant", option.id);
  } else {
    fieldIn(box).removeAttribute("aria-activedescendant");
  }
}

document.addEventListener("htmx:afterSwap", (event) => {
  const box = event.target.closest?.("[data-suggest]");
  if (!box) return;
  // The answer may come after the visitor has gone on.
  if (!optionsIn(box).length || document.activeElement !== fieldIn(box)) return close(box);
  open(box);
  select(box, null);
  announce(box.querySelector("[data-said]").dataset.said);
});

document.addEventListener("keydown", (event) => {
  const box = event.target.closest?.("[data-suggest]");
  if (!box || event.isComposing) return;
  const options = optionsIn(box);
  const isOpen = !listIn(box).hidden;
  const at = options.indexOf(activeIn(box));
  if (event.key === "Escape" && isOpen) {
    event.preventDefault();
    close(box);
  } else if (event.key === "Enter") {
    if (isOpen && at >= 0) {
      event.preventDefault();
      options[at].click();
    } else {
      close(box);
    }
  } else if (["ArrowDown", "ArrowUp"].includes(event.key) && options.length) {
    event.preventDefault();
    open(box);
    const step = event.key === "ArrowDown" ? 1 : -1;
    // Past either end comes the field itself, where nothing is chosen.
    const next = at < 0 ? (step > 0 ? 0 : options.length - 1) : at + step;
    select(box, options[next] ?? null);
  }
});

// A press keeps the focus in the field: losing it would swap the list away before the click arrives.
document.addEventListener("mousedown", (event) => {
  if (event.target.closest("[data-suggest] [role=listbox]")) event.preventDefault();
});

document.addEventListener("focusout", (event) => {
  const box = event.target.closest?.("[data-suggest]");
  if (box && !box.contains(event.relatedTarget)) close(box);
});

document.addEventListener("input", (event) => {
  const box = event.target.closest?.("[data-suggest]");
  if (box && !event.target.value.trim()) close(box);
});

// What is empty or as it would be anyway isn't part of the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.target.id !== "catalog") return;
  const { parameters } = event.detail;
  Object.keys(parameters).forEach((name) => {
    if (parameters[name] === "") delete parameters[name];
  });
});
