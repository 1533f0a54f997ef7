// The list of rows: only those in sight are in the document, so that thousands cost nothing.
import { byId, count, element } from "./dom.js";

const HEIGHT = 46;
const MORE = 6;

export function rowList(index, choose) {
  const box = byId("rows");
  const space = element("div", { class: "space", role: "presentation" });
  let found = [];
  let current = -1;
  box.replaceChildren(space);

  function draw() {
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - MORE);
    const last = Math.min(found.length, Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + MORE);
    space.style.height = `${found.length * HEIGHT}px`;
    space.replaceChildren(...found.slice(first, last).map((row, place) => item(row, first + place)));
    if (found.includes(current)) box.setAttribute("aria-activedescendant", `row-item-${current}`);
    else box.removeAttribute("aria-activedescendant");
  }
  function item(row, place) {
    const { family, transforms, split } = index.named;
    const kinds = [family.names[family.codes[row]], ...transforms.codes[row].map((code) => transforms.names[code])];
    const made = element(
      "div",
      { role: "option", id: `row-item-${row}`, class: "item", "data-row": row, "aria-selected": String(row === current), "aria-setsize": found.length, "aria-posinset": place + 1 },
      element("span", { class: "name" }, index.entry_point[row], element("span", { class: "dim" }, ` ${index.id[row].slice(0, 8)}`)),
      element("span", { class: "kinds" }, kinds.join(" · "), element("span", { class: "dim" }, ` · ${count(index.sizes.num_eqns[row], "eqn")} · ${split.names[split.codes[row]]}`)),
    );
    made.style.top = `${place * HEIGHT}px`;
    return made;
  }
  function reveal(row) {
    const top = found.indexOf(row) * HEIGHT;
    if (top < 0) return;
    if (top < box.scrollTop || top + HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
  }
  box.addEventListener("scroll", draw, { passive: true });
  box.addEventListener("click", (event) => {
    const chosen = event.target.closest(".item");
    if (chosen) choose(Number(chosen.dataset.row), true);
  });
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / HEIGHT) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    step(steps[event.key]);
  });
  new ResizeObserver(draw).observe(box);

  function step(by) {
    if (!found.length) return;
    const at = found.indexOf(current);
    const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), found.length - 1);
    if (found[next] !== current) choose(found[next], false);
  }
  return {
    step,
    neighbours: () => [-1, 1].map((by) => found[found.indexOf(current) + by]).filter((row) => found.includes(current) && row !== undefined),
    place: () => [found.indexOf(current) + 1, found.length],
    show(rows) {
      found = rows;
      byId("count").textContent = `${found.length.toLocaleString("en")} of ${count(index.id.length, "row")}`;
      box.scrollTop = 0;
      draw();
    },
    mark(row) {
      current = row;
      reveal(row);
      draw();
    },
  };
}
