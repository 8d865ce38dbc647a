// A table with check boxes: how many are checked, all of the page at once, and only actions that fit.

document.querySelectorAll("[data-pick]").forEach(mark);
document.addEventListener("htmx:load", (event) => {
  event.target.querySelectorAll?.("[data-pick]").forEach(mark);
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-pick]");
  if (!form) return;
  if (event.target.matches("[data-pick-all]")) check(form, event.target.checked);
  mark(form);
});

document.addEventListener("click", (event) => {
  const form = event.target.closest("[data-pick-clear]")?.closest("[data-pick]");
  if (!form) return;
  check(form, false);
  mark(form);
});

function boxes(form) {
  return [...form.querySelectorAll("[data-pick-one]")];
}

function check(form, checked) {
  boxes(form).forEach((box) => {
    box.checked = checked;
  });
}

function mark(form) {
  const all = boxes(form);
  const picked = all.filter((box) => box.checked);
  const count = form.querySelector("[data-pick-count]");
  const words = { 0: count.dataset.none, 1: count.dataset.one }[picked.length] ?? count.dataset.many;
  count.textContent = words.replace("%n", picked.length);

  const every = form.querySelector("[data-pick-all]");
  every.checked = picked.length > 0 && picked.length === all.length;
  every.indeterminate = picked.length > 0 && picked.length < all.length;
  every.disabled = all.length === 0;

  form.querySelectorAll("[data-pick-act]").forEach((button) => {
    const wanted = button.dataset.pickAct;
    button.disabled = !picked.some((box) => !wanted || box.dataset.pickOne === wanted);
  });
  form.querySelector("[data-pick-clear]").hidden = picked.length === 0;
}
