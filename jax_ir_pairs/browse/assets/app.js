// The page: reads the index, shows the row that the address names, and hands out what is done.
import { compareView } from "./compare.js";
import { arrowsMove, byId, count, element, markTab, remembered } from "./dom.js";
import { filters } from "./filters.js";
import { graphView } from "./graph.js";
import { keys } from "./keys.js";
import { levelsView } from "./levels.js";
import { optimizationView } from "./optimization.js";
import { copied } from "./pane.js";
import { rowList } from "./rows.js";
import { change, readAddress, state } from "./state.js";
import { loadIndex, loadRow } from "./store.js";

const VIEWS = { levels: levelsView, optimization: optimizationView, graph: graphView, compare: compareView };
const THEMES = ["system", "dark", "light"];
let view = null;
let row = null;
let asked = 0;

async function start() {
  theme(remembered("theme") ?? "system");
  readAddress();
  const index = await loadIndex();
  const list = rowList(index, (number, byHand) => open(number, { step: true, close: byHand }));
  const chosen = filters(index, (found) => list.show(found));

  async function open(number, { step = false, close = false } = {}) {
    if (number === undefined) return;
    change({ row: index.id[number], ...(step ? { line: "", computation: "", left: "", right: "" } : {}) }, { step });
    list.mark(number);
    if (close && narrow()) toggleRows(false);
    const [place, all] = list.place();
    byId("place").textContent = place ? `${place.toLocaleString("en")} of ${all.toLocaleString("en")}` : "not in the list";
    byId("previous").disabled = place <= 1;
    byId("next").disabled = place === all;
    const turn = (asked += 1);
    byId("row").setAttribute("aria-busy", "true");
    try {
      const found = await loadRow(number);
      if (turn !== asked) return; // another row was asked for meanwhile
      row = found;
      show();
      list.neighbours().forEach((each) => loadRow(each).catch(() => null));
    } catch (error) {
      if (turn === asked) fail(error);
    } finally {
      byId("row").setAttribute("aria-busy", "false");
    }
  }
  function arrive() {
    readAddress();
    chosen.fill();
    const found = chosen.matching();
    list.show(found);
    if (!index.id.length) return fail(new Error("There are no rows here."));
    const number = index.id.findIndex((id) => state.row && id.startsWith(state.row));
    if (state.row && number < 0) return fail(new Error(`There is no row ${state.row} here.`));
    return open(number < 0 ? (found[0] ?? 0) : number);
  }
  addEventListener("popstate", arrive);
  byId("next").addEventListener("click", () => list.step(1));
  byId("previous").addEventListener("click", () => list.step(-1));
  keys({ ...actions, next: () => list.step(1), previous: () => list.step(-1) });
  if (narrow() || index.id.length === 1) toggleRows(false);
  await arrive();
}

const narrow = () => matchMedia("(max-width: 760px)").matches;

function show() {
  document.title = `${row.call.split("(")[0]} ${row.id.slice(0, 8)} · ${byId("title").textContent}`;
  byId("call").textContent = row.call;
  byId("facts-place").textContent = [row.id, row.place, row.made_with, row.checked_by && `checked by ${row.checked_by}${row.executed ? " and run" : ""}`].filter(Boolean).join(" · ");
  const { figures } = row;
  const sizes = [count(figures.num_eqns, "equation"), count(figures.num_fusions, "fusion"), figures.num_devices > 1 ? count(figures.num_devices, "device") : null];
  byId("chips").replaceChildren(
    ...[
      ["family", row.family],
      ...row.transforms.map((name) => ["transform", name]),
      ...sizes.filter(Boolean).map((text) => ["size", text]),
      ...row.primitives.map((name) => ["primitive", name]),
    ].map(([kind, text]) => element("li", { class: `chip ${kind}`, title: kind }, text)),
  );
  const names = ["cpu", ...row.targets.map((target) => target.name)];
  if (!names.includes(state.target)) change({ target: "cpu" });
  if (!(state.view in VIEWS)) change({ view: "levels" });
  byId("targets").hidden = names.length < 2;
  byId("targets").replaceChildren(
    ...names.map((name) => element("button", { type: "button", role: "tab", "data-target": name, onclick: () => go({ target: name, computation: "", left: "", right: "" }) }, name)),
  );
  markTab(byId("targets"), (tab) => tab.dataset.target === state.target);
  markTab(byId("views"), (tab) => tab.dataset.view === state.view);
  byId("panel").setAttribute("aria-label", `${state.view}, ${state.target}`);
  view?.end?.();
  trail(null);
  view = VIEWS[state.view](row, trail, go);
  byId("panel").replaceChildren(view.node);
  view.shown?.();
}

function go(changes) {
  change(changes);
  if (row) show();
}

// What the lit lines are, in words, with ways to them.
function trail(told) {
  byId("trail").hidden = state.view !== "levels";
  byId("trail").replaceChildren(
    ...(told
      ? [element("span", {}, told.head), ...told.ways.map(({ text, go: act }) => element("button", { type: "button", onclick: act }, text))]
      : [element("span", { class: "dim" }, "Point at a line, or go through a text with the arrows, to see what became of it; a click keeps it.")]),
  );
}

function fail(error) {
  byId("panel").replaceChildren(element("p", { class: "notice", role: "alert" }, error.message));
  byId("row").setAttribute("aria-busy", "false");
}

function toggleRows(wanted) {
  const shown = typeof wanted === "boolean" ? wanted : byId("rows-panel").hidden;
  byId("rows-panel").hidden = !shown;
  byId("toggle-rows").setAttribute("aria-expanded", String(shown));
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").replaceChildren({ system: "◐", dark: "●", light: "○" }[name], element("span", { class: "word" }, ` ${name}`));
  byId("theme").setAttribute("aria-label", `Colours: ${name}; change`);
}

const actions = {
  search() {
    toggleRows(true);
    byId("search").focus();
    byId("search").select();
  },
  toggleRows,
  view: (name) => go({ view: name }),
  target() {
    const names = ["cpu", ...(row?.targets ?? []).map((target) => target.name)];
    if (names.length > 1) go({ target: names[(names.indexOf(state.target) + 1) % names.length], computation: "", left: "", right: "" });
  },
  level: (number) => view?.toggle?.(number),
  focus: () => view?.focus?.(),
  release() {
    if (!view?.release?.() && narrow()) toggleRows(false);
  },
  theme() {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    theme(next);
    remembered("theme", next);
  },
  async link() {
    byId("copy-link").textContent = (await copied(location.href)) ? "Copied" : "It is in the address";
    setTimeout(() => (byId("copy-link").textContent = "Copy link"), 1500);
  },
  keys: () => byId("keys").showModal(),
};

byId("toggle-rows").addEventListener("click", toggleRows);
byId("theme").addEventListener("click", actions.theme);
byId("copy-link").addEventListener("click", actions.link);
byId("show-keys").addEventListener("click", actions.keys);
for (const list of [byId("views"), byId("targets")]) arrowsMove(list);
for (const tab of byId("views").children) tab.addEventListener("click", () => go({ view: tab.dataset.view }));
start().catch(fail);
