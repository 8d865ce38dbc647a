// Tabs that lead to parts of this page: the one being read is the current one.

const links = new Map();
for (const link of document.querySelectorAll(".tabs a[href^='#']")) {
  const part = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (part) links.set(part, link);
}

function mark() {
  const parts = [...links.keys()];
  const reading = parts.findLast((part) => part.getBoundingClientRect().top < innerHeight / 3) ?? parts[0];
  links.forEach((link, part) => {
    if (part === reading) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
}

if (links.size) {
  mark();
  addEventListener("scroll", mark, { passive: true });
}
