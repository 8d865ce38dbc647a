// Many products to choose from: a search above the list. Without this script the whole list is shown.
for (const list of document.querySelectorAll("div.shop-products")) {
  const rows = [...list.children];
  // Django writes the attributes of such a widget on its inputs.
  const texts = list.querySelector("input")?.dataset;
  if (!texts) continue;
  const search = document.createElement("input");
  const status = document.createElement("p");
  search.type = "search";
  search.autocomplete = "off";
  search.className = "shop-search";
  search.placeholder = texts.search;
  search.setAttribute("aria-label", texts.search);
  status.className = "shop-search-status";
  status.setAttribute("role", "status");
  list.before(search, status);

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      // A chosen product stays in sight, so that a search hides nothing that is going to be saved.
      const stays = row.querySelector("input").checked || words.every((word) => text.includes(word));
      row.hidden = !stays;
      shown += stays ? 1 : 0;
    }
    const chosen = list.querySelectorAll("input:checked").length;
    status.textContent = texts.status
      .replace("{shown}", shown)
      .replace("{total}", rows.length)
      .replace("{chosen}", chosen);
  };
  search.addEventListener("input", show);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  list.addEventListener("change", show);
  show();
}
