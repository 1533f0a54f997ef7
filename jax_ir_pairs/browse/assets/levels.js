// All levels of a row side by side, tied by the line map.
import { count, element, remembered } from "./dom.js";
import { LEVELS, TITLES, links } from "./links.js";
import { pane } from "./pane.js";
import { change, state } from "./state.js";

const STRIPES = 8;

// Gives the texts of a target, which of them the line map is of, and what there is to say of them.
export function textsOf(row, name) {
  const target = row.targets.find((each) => each.name === name);
  if (!target) return { texts: row.texts, mapped: LEVELS, note: row.lines ? "" : "These rows have no line map: they were built before there was one." };
  const own = target.stablehlo !== null && target.stablehlo !== undefined;
  const refused = target.optimized_hlo === null || target.optimized_hlo === undefined;
  return {
    texts: {
      ...row.texts,
      stablehlo: own ? target.stablehlo : row.texts.stablehlo,
      optimized_hlo: refused ? null : target.optimized_hlo,
    },
    mapped: LEVELS.filter((level) => level !== "optimized_hlo" && !(own && level === "stablehlo")),
    note: refused
      ? `${name} refuses this program${target.refusal ? `: ${target.refusal}` : "."}`
      : `Optimized HLO${own ? " and StableHLO" : ""} for ${name}, whose lines the line map does not have.`,
  };
}

export function levelsView(row, trail) {
  const { texts, mapped, note } = textsOf(row, state.target);
  const tied = links(row.lines, mapped);
  const order = new Map((row.lines ?? []).map(([python], index) => [python, index % STRIPES]));
  const hidden = new Set((remembered("hidden") ?? "").split(" ").filter((level) => LEVELS.includes(level)));
  const panes = {};
  let pinned = null;
  let shown = "";

  const stripe = (level) => (line) => {
    const from = tied.sources[level].get(line) ?? [];
    return from.length > 1 ? "s-many" : from.length ? `s-${order.get(from[0])}` : "";
  };
  function light(level, line) {
    // Drawn again it would take the button away that is being pressed.
    const wanted = `${level}:${line}:${pinned}`;
    if (wanted === shown) return;
    shown = wanted;
    const found = line ? tied.of(level, line) : null;
    for (const [name, each] of Object.entries(panes)) each.light(found ? found[name] : new Set());
    trail(found && saying(level, line, found));
  }
  function pin(level, line, { scroll = true } = {}) {
    pinned = line ? [level, line] : null;
    change({ line: line ? `${level}:${line}` : "" });
    light(level, line);
    if (!line || !scroll) return;
    for (const [name, lines] of Object.entries(tied.of(level, line))) {
      if (name !== level && lines.size) panes[name]?.reveal(Math.min(...lines));
    }
  }
  // What the status line says: how many lines at each level, each with a way there.
  function saying(level, line, found) {
    const from = [...found.python].sort((a, b) => a - b);
    const head = level === "python" ? `Python line ${line}` : `${TITLES[level]} line ${line} came from ${from.length ? `Python ${from.length > 8 ? count(from.length, "line") : `line${from.length > 1 ? "s" : ""} ${from.join(", ")}`}` : "no recorded line"}`;
    const ways = LEVELS.filter((name) => name !== level && found[name].size && panes[name]).map((name) => ({
      text: `${TITLES[name]}: ${count(found[name].size, "line")}`,
      go() {
        panes[name].node.scrollIntoView({ inline: "nearest", block: "nearest" });
        panes[name].reveal(Math.min(...found[name]));
        panes[name].moveTo(Math.min(...found[name]));
        panes[name].box.focus();
      },
    }));
    const nothing = level === "python" && !ways.length ? `${head}: nothing came from it` : head;
    if (pinned) ways.push({ text: "Let go (Esc)", go: () => pin(null, 0) });
    return { head: nothing, ways };
  }
  const show = () => (pinned ? light(...pinned) : light(null, 0));

  const strip = element("div", { class: "panes" });
  for (const level of LEVELS) {
    if (texts[level] === null) {
      strip.append(element("section", { class: "pane refused", "data-level": level, "aria-label": TITLES[level] }, element("header", {}, element("h3", {}, TITLES[level])), element("p", { class: "notice" }, note)));
      continue;
    }
    panes[level] = pane(level, TITLES[level], texts[level], stripe(level), {
      hover: (line) => !pinned && light(level, line),
      leave: show,
      choose: (line) => (pinned?.[0] === level && pinned[1] === line ? pin(level, 0) : pin(level, line)),
    });
    strip.append(panes[level].node);
  }
  const switches = LEVELS.map((level, index) =>
    element("button", { type: "button", class: "switch", "data-level": level, onclick: () => toggle(level) }, element("kbd", {}, index + 1), ` ${TITLES[level]}`),
  );
  function toggle(level) {
    if (hidden.has(level)) hidden.delete(level);
    else if (hidden.size < LEVELS.length - 1) hidden.add(level);
    remembered("hidden", [...hidden].join(" "));
    arrange();
  }
  function arrange() {
    for (const each of strip.children) each.hidden = hidden.has(each.dataset.level);
    for (const each of switches) each.setAttribute("aria-pressed", String(!hidden.has(each.dataset.level)));
  }
  arrange();
  return {
    node: element("div", { class: "view levels" }, element("div", { class: "tools", role: "group", "aria-label": "Levels shown" }, ...switches, note ? element("span", { class: "note" }, note) : null), strip),
    shown() {
      const [level, line] = state.line.split(":");
      if (!panes[level] || !Number(line)) return show();
      pin(level, Number(line));
      panes[level].moveTo(Number(line));
      return undefined;
    },
    toggle: (number) => toggle(LEVELS[number - 1]),
    release: () => (pinned ? (pin(null, 0), true) : false),
    focus: () => panes.python.box.focus(),
    end: () => Object.values(panes).forEach((each) => each.end()),
  };
}
