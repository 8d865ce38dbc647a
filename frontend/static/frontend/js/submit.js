// <form data-submit-now>: posted without waiting for its button. Only on the way forward: who comes back from the page
// that it leads to, or reloads, decides with the button.

const form = document.querySelector("form[data-submit-now]");
const [visit] = performance.getEntriesByType("navigation");
if (form && visit?.type === "navigate") form.requestSubmit(form.querySelector("[type=submit]"));
