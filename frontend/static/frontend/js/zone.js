// Times in the zone of the browser. Where the account names a zone, the server has written them in it.

const language = document.documentElement.lang.startsWith("en") ? "en-GB" : document.documentElement.lang;
const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "long", year: "numeric" });
const time = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
// Each English knows the abbreviations of its own continent and writes the others as offsets.
const names = [language, "en-US", "en-GB"].map((each) => new Intl.DateTimeFormat(each, { timeZoneName: "short" }));

localize(document);
document.addEventListener("htmx:load", (event) => localize(event.target));

function localize(part) {
  part.querySelectorAll?.("time[data-zone]").forEach((each) => {
    const moment = new Date(each.dateTime);
    const clock = `${time.format(moment)} ${nameZone(moment)}`;
    each.textContent = each.dataset.zone === "time" ? clock : `${day.format(moment)}, ${clock}`;
    each.removeAttribute("data-zone");
  });
}

function nameZone(moment) {
  const found = names.map((each) => each.formatToParts(moment).find((part) => part.type === "timeZoneName").value);
  return found.find((name) => !/[+-]/.test(name)) ?? found[0].replace("GMT", "UTC");
}
