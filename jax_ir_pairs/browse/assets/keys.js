// One table of keys: what they do, and the list of them that the page shows.
import { byId, element, remembered } from "./dom.js";

export function keys(actions) {
  const table = [
    ["j →", "next row", actions.next],
    ["k ←", "previous row", actions.previous],
    ["/", "search", () => actions.search()],
    ["b", "show or hide the list of rows", actions.toggleRows],
    ["l", "levels side by side", () => actions.view("levels")],
    ["o", "optimization: before and after", () => actions.view("optimization")],
    ["g", "graph of the optimized module", () => actions.view("graph")],
    ["c", "compare two texts", () => actions.view("compare")],
    ["t", "next target", actions.target],
    ["1 2 3 4 5", "show or hide a level", (key) => actions.level(Number(key))],
    ["f", "go into the view", actions.focus],
    ["d", "dark, light or as the system", actions.theme],
    ["y", "copy the link to what is shown", actions.link],
    ["?", "this list", actions.keys],
  ];
  const more = [
    ["↑ ↓", "in a text: line by line; in the graph: along the edges"],
    ["Enter", "keep a line lit; in the graph: open what a node calls"],
    ["Esc", "let go of the line"],
  ];
  byId("key-list").replaceChildren(
    ...[...table, ...more].flatMap(([names, says]) => [element("dt", {}, ...names.split(" ").map((name) => element("kbd", {}, name))), element("dd", {}, says)]),
  );
  const on = byId("single-keys");
  on.checked = remembered("keys") !== "off";
  on.addEventListener("change", () => remembered("keys", on.checked ? "on" : "off"));
  const arrows = { ArrowRight: "→", ArrowLeft: "←" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
    if (event.key === "Escape") {
      if (event.target.matches("input, select")) event.target.blur();
      else actions.release();
      return;
    }
    if (!on.checked || event.target.matches("input, select, textarea")) return;
    const key = arrows[event.key] ?? event.key;
    const found = table.find(([names]) => names.split(" ").includes(key));
    if (!found) return;
    event.preventDefault();
    found[2](key);
  });
}
