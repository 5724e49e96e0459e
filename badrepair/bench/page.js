"use strict";
// Nothing here makes markup of text, and nothing asks the network.
const boards = [...document.querySelectorAll("table.board")];

// A number, or the text itself; null where there is none, which stands last in either order.
function value(row, index, numeric) {
  const cell = row.cells[index];
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  const text = cell.textContent.trim();
  if (["–", "missing", "failed"].includes(text)) return null;
  return numeric ? parseFloat(text) : text;
}

function compare(one, other, sign) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one === "number") return sign * (one - other);
  return sign * one.localeCompare(other, "en", { numeric: true });
}

// The order in which the page came decides between equals.
for (const body of document.querySelectorAll("table.sheet tbody"))
  [...body.rows].forEach((row, place) => { row.place = place; });

function sort(table, column, descending) {
  const headings = [...table.tHead.rows[0].cells];
  const index = headings.findIndex((one) => one.dataset.column === column);
  if (index < 0) return;
  for (const one of headings) one.removeAttribute("aria-sort");
  headings[index].setAttribute("aria-sort", descending ? "descending" : "ascending");
  const numeric = headings[index].classList.contains("number");
  const sign = descending ? -1 : 1;
  const rows = [...table.tBodies[0].rows];
  const values = new Map(rows.map((row) => [row, value(row, index, numeric)]));
  rows.sort((a, b) => compare(values.get(a), values.get(b), sign) || a.place - b.place);
  table.tBodies[0].append(...rows);
}

// What is chosen stands in the address, such as #sort=-acc&rate=1+%25, so that it can be passed on.
const address = () => new URLSearchParams(location.hash.slice(1));

function remember(name, value) {
  const chosen = address();
  chosen.set(name, value);
  location.replace(`#${chosen}`);
}

function pressed(heading) {
  const table = heading.closest("table");
  const column = heading.dataset.column;
  const descending = heading.getAttribute("aria-sort") === "ascending";
  if (!boards.includes(table)) return sort(table, column, descending);
  remember("sort", `${descending ? "-" : ""}${column}`);
}

function filter(wanted) {
  const fits = (one, exact) =>
    Object.entries(wanted).every(
      ([name, value]) =>
        one.dataset[name] === undefined ||
        one.dataset[name] === value ||
        (value === "all" && !exact),
    );
  for (const one of document.querySelectorAll(".exact, .member, .rows tr[data-network]"))
    one.toggleAttribute("hidden", !fits(one, one.classList.contains("exact")));
}

// Put a select on what the address says, and return what it stands on then.
function choose(name) {
  const select = document.getElementById(name);
  if (!select) return "all";
  select.value = address().get(name) ?? "all";
  if (select.selectedIndex < 0) select.value = "all";
  return select.value;
}

function show() {
  filter({ network: choose("network"), rate: choose("rate") });
  const order = address().get("sort");
  if (order) for (const table of boards) sort(table, order.replace(/^-/, ""), order.startsWith("-"));
}

// Without a script all leaderboards can be read, and nothing is offered that would not work.
document.getElementById("sorting").hidden = false;
for (const button of document.querySelectorAll("table.sheet thead button")) {
  button.disabled = false;
  button.addEventListener("click", () => pressed(button.closest("th")));
}
const filters = document.getElementById("filters");
filters.hidden = !filters.querySelector("select");
filters.addEventListener("change", (event) => remember(event.target.id, event.target.value));
window.addEventListener("hashchange", show);
show();
