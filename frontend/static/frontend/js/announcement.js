// The announcement above the header: its button hides it, and a cookie keeps it away on later pages.

const YEAR = 365 * 24 * 60 * 60;
const bar = document.querySelector("[data-announcement]");
const button = bar?.querySelector("button");

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `announcement=${bar.dataset.announcement}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
    bar.remove();
    document.getElementById("main").focus();
  });
}
