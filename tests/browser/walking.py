"""Move through a page with the Tab key and check that the focus is visible."""

from __future__ import annotations

from playwright.sync_api import Page

MANY = 150  # no page has that many stops

# The part of the focused element (of its label, where that is what one sees) that nothing covers: the share of points.
# A page scrolls to the focus in its own time, so it is looked at for sixty frames and five seconds. A link over two
# lines has a box for each of them.
_SEEN = """async () => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const frame = at.closest("label") ?? at;
  const shares = [0.1, 0.5, 0.9];
  const look = () => {
    const points = [...frame.getClientRects()].flatMap((box) =>
      shares.flatMap((x) => shares.map((y) => [box.left + box.width * x, box.top + box.height * y])));
    const seen = points.filter(([x, y]) => {
      const there = document.elementFromPoint(x, y);
      return there !== null && (frame.contains(there) || at.contains(there));
    });
    return seen.length / points.length;
  };
  // Browsers scroll to the line one types in and not to the whole box.
  const enough = at.tagName === "TEXTAREA" ? 0.1 : 0.5;
  let share = look();
  const begun = performance.now();
  for (let frames = 0; share < enough && (frames < 60 || performance.now() - begun < 5000); frames += 1) {
    await new Promise(requestAnimationFrame);
    share = look();
  }
  const name = at.getAttribute("aria-label") || at.textContent.trim().replace(/\\s+/g, " ") || at.name || at.id;
  const box = frame.getBoundingClientRect();
  const above = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const where = share < enough ? ` (at ${Math.round(box.top)} of ${innerHeight}, under .${above?.className})` : "";
  return { name: `${at.tagName.toLowerCase()} ${name.slice(0, 40)}${where}`, isSeen: share >= enough };
}"""

_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const seen = (each) => each.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
  const apart = ".visually-hidden, .skip-link, .tabs, .toasts";
  return [...document.querySelectorAll("body *")]
    .filter((each) => seen(each) && !each.closest(apart))
    .filter((each) => { const box = each.getBoundingClientRect(); return box.right > width + 1 || box.left < -1; })
    .map((each) => `${each.tagName.toLowerCase()}.${each.getAttribute("class")}`);
}"""


def stops(page: Page) -> list[str]:
    """Return every element Tab reaches from here to the end of the page; fail where the focus isn't visible."""
    found: list[str] = []
    hidden: list[str] = []
    for _ in range(MANY):
        page.keyboard.press("Tab")
        stop = page.evaluate(_SEEN)
        if stop is None:
            break
        found.append(stop["name"])
        if not stop["isSeen"]:
            hidden.append(stop["name"])
    assert len(found) < MANY, f"{page.url} has no end: {found[-5:]}"
    assert not hidden, f"{hidden} can’t be seen on {page.url}, {page.viewport_size}"
    return found


def assert_fits(page: Page) -> None:
    """Fail if anything overflows the page's sides, in either writing direction."""
    for direction in ("ltr", "rtl"):
        page.evaluate("direction => { document.documentElement.dir = direction }", direction)
        assert page.evaluate(_WIDE) == [], f"{page.url}, {direction}, {page.viewport_size}"
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.evaluate("document.documentElement.dir = 'ltr'")
