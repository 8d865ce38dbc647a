// The cart in the header of a page that a cache or the browser kept: renewed where the cookie knows better.

const shown = () => document.getElementById("cart-link");
const counted = () => /(?:^|; )cart=(\d{1,6})(?:;|$)/.exec(document.cookie)?.[1] ?? "0";

async function renew() {
  const link = shown();
  if (!link || link.dataset.count === counted()) return;
  const answer = await fetch(link.dataset.renew, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok) return; // the count stays as it is; the cart itself is always right
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("cart-link");
  if (!fresh) return;
  const focused = document.activeElement === link;
  link.replaceWith(fresh);
  if (focused) fresh.focus({ preventScroll: true });
}

renew();
addEventListener("pageshow", (event) => {
  if (event.persisted) renew();
});
