// A password can be looked at. Without scripts there is no button.

document.querySelectorAll("[data-password]").forEach((box) => {
  box.querySelector("button").hidden = false;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-password] button");
  if (!button) return;
  const field = button.closest("[data-password]").querySelector("input");
  const isShown = field.type === "text";
  field.type = isShown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!isShown));
  field.focus();
});

// Browsers remember what is typed in text fields: on its way it is a password again.
document.addEventListener(
  "submit",
  (event) => {
    event.target.querySelectorAll("[data-password] input[type=text]").forEach((field) => {
      field.type = "password";
    });
  },
  true,
);
