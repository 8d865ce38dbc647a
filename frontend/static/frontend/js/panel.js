// The bar at the bottom of a phone goes away while the panel's own button can be seen.

const bar = document.querySelector("[data-bar-for]");
const button = bar && document.getElementById(bar.dataset.barFor);

if (button) {
  new IntersectionObserver(([entry]) => {
    bar.hidden = entry.isIntersecting;
  }).observe(button);
}
