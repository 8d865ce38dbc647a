// Shows only the fields that belong to what is chosen. Hidden ones aren't sent. Without this script all are shown, and
// the server refuses what contradicts the choice.
const groups = [...document.querySelectorAll("[data-belongs-to]")];

const show = () => {
  for (const group of groups) {
    const [name, values] = group.dataset.belongsTo.split("=");
    const field = document.querySelector(`select[name="${name}"]`);
    const radio = document.querySelector(`input[name="${name}"]:checked`);
    const belongs = values.split(",").includes((field ?? radio)?.value);
    // What the server found wrong stays in sight.
    const isShown = belongs || group.querySelector(".w-field__errors :not(svg):not(use)") !== null;
    group.hidden = !isShown;
    for (const input of group.querySelectorAll("input, select, textarea")) input.disabled = !isShown;
  }
};

document.addEventListener("change", show);
show();
