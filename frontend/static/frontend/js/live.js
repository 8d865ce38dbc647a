// The page's one polite live region.

/** Say a sentence to readers; the same sentence twice is said twice. */
export function announce(text) {
  const region = document.getElementById("live");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => {
    region.textContent = text;
  });
}
