// Which rows the list has, and in what order.
import { byId, element } from "./dom.js";
import { change, state } from "./state.js";

const CHOICES = ["primitives", "family", "transforms", "split"];
const FIELDS = { search: "search", size: "f-size", least: "f-least", most: "f-most", order: "f-order" };
for (const name of CHOICES) FIELDS[name] = `f-${name}`;

export function filters(index, changed) {
  const texts = haystack(index);
  for (const name of CHOICES) offer(name, index.named[name]);
  let waiting = 0;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      change(Object.fromEntries(Object.entries(FIELDS).map(([key, id]) => [key, byId(id).value])));
      changed(matching());
    }, 60);
  }
  byId("filters").addEventListener("input", later);
  byId("filters").addEventListener("reset", () => setTimeout(later));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());

  // Gives the numbers of the rows that match what the address asks for.
  function matching() {
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = CHOICES.filter((name) => state[name]).map((name) => {
      const code = index.named[name].names.indexOf(state[name]);
      const { codes } = index.named[name];
      return name === "primitives" || name === "transforms"
        ? (row) => (state[name] === "none" && code < 0 ? codes[row].length === 0 : codes[row].includes(code))
        : (row) => codes[row] === code;
    });
    const sizes = index.sizes[state.size] ?? index.sizes.num_eqns;
    const [least, most] = [state.least === "" ? -Infinity : Number(state.least), state.most === "" ? Infinity : Number(state.most)];
    const found = [];
    for (let row = 0; row < index.id.length; row += 1) {
      if (sizes[row] >= least && sizes[row] <= most && wanted.every((holds) => holds(row)) && words.every((word) => texts[row].includes(word))) found.push(row);
    }
    if (state.order === "up") found.sort((a, b) => sizes[a] - sizes[b] || a - b);
    if (state.order === "down") found.sort((a, b) => sizes[b] - sizes[a] || a - b);
    return found;
  }
  return {
    matching,
    // Writes what the address asks for into the form.
    fill: () => Object.entries(FIELDS).forEach(([key, id]) => (byId(id).value = state[key])),
  };
}

function haystack({ id, entry_point: names, named }) {
  const words = ({ names: known, codes }, row) => [codes[row]].flat().map((code) => known[code]);
  return id.map((each, row) => [each, names[row], ...CHOICES.flatMap((name) => words(named[name], row))].join(" ").toLowerCase());
}

function offer(name, { names, codes }) {
  const counts = new Map();
  for (const row of codes) for (const code of [row].flat()) counts.set(code, (counts.get(code) ?? 0) + 1);
  const options = names.map((each, code) => [each, counts.get(code) ?? 0]).filter(([, rows]) => rows);
  options.sort(([a], [b]) => a.localeCompare(b));
  const none = name === "transforms" && !names.includes("none") ? [["none", codes.filter((row) => !row.length).length]] : [];
  byId(`f-${name}`).replaceChildren(
    element("option", { value: "" }, "any"),
    ...[...none, ...options].map(([each, rows]) => element("option", { value: each }, `${each} (${rows.toLocaleString("en")})`)),
  );
}
