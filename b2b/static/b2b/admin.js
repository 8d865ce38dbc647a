// Copying a link: the button says so for two seconds, and the page's status tells those who don't see it.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  const status = document.getElementById("copied");
  if (!button || !status || button.dataset.before) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // Without https the browser has no clipboard for pages: show the link, so that it can be taken by hand.
    window.prompt(status.dataset.byHand, button.dataset.copy);
    return;
  }
  button.dataset.before = button.innerHTML;
  button.textContent = status.dataset.copied;
  status.textContent = status.dataset.copied;
  setTimeout(() => {
    button.innerHTML = button.dataset.before;
    delete button.dataset.before;
    status.textContent = "";
  }, 2000);
});
