// The bar at the bottom of a phone goes away while the whole of the panel's own button can be seen.

const bar = document.querySelector("[data-bar-for]");
const button = bar && document.getElementById(bar.dataset.barFor);

if (button) {
  // What lies under the bar can't be seen.
  const options = { threshold: 1, rootMargin: `0px 0px -${bar.offsetHeight}px 0px` };
  new IntersectionObserver(([entry]) => {
    bar.hidden = entry.isIntersecting;
  }, options).observe(button);
}
