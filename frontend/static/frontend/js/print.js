// <button data-print>: the browser's own dialog for printing. What is folded is printed too.

let folded = [];

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
});

addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("main details:not([open])")];
  folded.forEach((each) => {
    each.open = true;
  });
});

addEventListener("afterprint", () => {
  folded.forEach((each) => {
    each.open = false;
  });
});
