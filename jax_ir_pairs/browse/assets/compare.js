// Two texts of a row line by line: of two targets, before and after, or of two passes.
import { count, element } from "./dom.js";
import { TITLES } from "./links.js";
import { change, state } from "./state.js";
import { coloured } from "./tokens.js";

const CONTEXT = 3;
const PATIENCE = 3000; // milliseconds
const AT_ONCE = 1500; // lines drawn before a person asks for more

export function compareView(row) {
  const known = compared(row);
  const names = known.map(([name]) => name);
  const pick = (wanted, other) => element("select", { "aria-label": other }, ...names.map((name) => element("option", { value: name, selected: name === wanted }, name)));
  const target = row.targets.find((each) => each.name === state.target && each.optimized_hlo);
  const usual = target ? [`${TITLES.optimized_hlo}, cpu`, `${TITLES.optimized_hlo}, ${target.name}`] : row.passes.length > 1 ? names.slice(-2) : [TITLES.hlo, `${TITLES.optimized_hlo}, cpu`];
  const left = pick(names.includes(state.left) ? state.left : usual[0], "Left text");
  const right = pick(names.includes(state.right) ? state.right : usual[1], "Right text");
  const loose = element("input", { type: "checkbox", checked: state.loose === "yes" });
  const result = element("div", { class: "scroll diff", tabindex: 0, role: "group", "aria-label": "Differences" });
  const told = element("span", { class: "note", role: "status" });

  function draw() {
    const [a, b] = [left.value, right.value].map((name) => known.find(([each]) => each === name)[1]);
    const found = differences(a, b, loose.checked);
    if (!found) {
      told.textContent = "These texts differ too much to be compared in a few seconds.";
      result.replaceChildren();
      return;
    }
    const sum = (kind) => found.filter((each) => each.kind === kind).length;
    const [gone, made, same] = [sum("-"), sum("+"), sum(" ")];
    told.textContent = gone + made ? `−${gone} +${made}, ${count(same, "line")} the same` : "The two are the same.";
    result.replaceChildren(table(found));
  }
  function chosen() {
    change({ left: left.value === usual[0] ? "" : left.value, right: right.value === usual[1] ? "" : right.value, loose: loose.checked ? "yes" : "" });
    draw();
  }
  for (const each of [left, right, loose]) each.addEventListener("change", chosen);
  const swap = element("button", { type: "button", "aria-label": "Swap left and right", onclick: () => (([left.value, right.value] = [right.value, left.value]), chosen()) }, "⇄");
  return {
    node: element("div", { class: "view compare" }, element("div", { class: "tools" }, left, swap, right, element("label", { class: "check" }, loose, " pass over numbers of names, and layouts"), told), result),
    shown: draw,
    focus: () => left.focus(),
  };
}

function compared(row) {
  const texts = [
    [`${TITLES.stablehlo}, cpu`, row.texts.stablehlo],
    [TITLES.hlo, row.texts.hlo],
    [`${TITLES.optimized_hlo}, cpu`, row.texts.optimized_hlo],
  ];
  for (const target of row.targets) {
    if (target.stablehlo) texts.push([`${TITLES.stablehlo}, ${target.name}`, target.stablehlo]);
    if (target.optimized_hlo) texts.push([`${TITLES.optimized_hlo}, ${target.name}`, target.optimized_hlo]);
  }
  row.passes.forEach((pass, index) => texts.push([`${index}: ${pass.title ? `after ${pass.title}` : "before all passes"}`, pass.text]));
  return texts;
}

const bare = (line) => line.replace(/\.\d+\b/g, "").replace(/\{[\d,]*(?::[^{}]*)?\}/g, "").replace(/%/g, "");

// Gives lines with their kind and numbers, or nothing where it would take too long.
function differences(a, b, loose) {
  const [old, young] = [a, b].map((text) => text.replace(/\n$/, "").split("\n"));
  const comparator = loose ? (x, y) => bare(x) === bare(y) : undefined;
  const parts = Diff.diffArrays(old, young, { comparator, timeout: PATIENCE });
  if (!parts) return null;
  let [before, after] = [0, 0];
  return parts.flatMap(({ added, removed, value }) =>
    value.map((text) => {
      if (!added) before += 1;
      if (!removed) after += 1;
      return { kind: added ? "+" : removed ? "-" : " ", text, before: added ? "" : before, after: removed ? "" : after };
    }),
  );
}

function table(found) {
  const body = element("tbody");
  const near = found.map((_, at) => found.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some((each) => each.kind !== " "));
  let lines = 0;
  draw(0);

  function draw(start) {
    for (let at = start; at < found.length; at += 1) {
      if (lines === AT_ONCE) {
        lines = 0;
        body.append(
          buttonRow(count(found.length - at, "more line"), (row) => {
            row.remove();
            draw(at);
          }),
        );
        return;
      }
      at = drawFrom(at);
    }
  }
  // Draws a line, or all of a stretch that is the same, and gives the place of the last.
  function drawFrom(at) {
    lines += 1;
    if (near[at]) {
      body.append(lineOfDiff(found[at]));
      return at;
    }
    let end = at;
    while (end < found.length && !near[end]) end += 1;
    const same = found.slice(at, end);
    body.append(buttonRow(`… ${count(same.length, "line")} the same`, (row) => row.replaceWith(...same.map(lineOfDiff))));
    return end - 1;
  }
  return element("table", { class: "lines" }, element("caption", { class: "hidden" }, "Lines of the left text with −, of the right one with +"), body);
}

function buttonRow(says, act) {
  const row = element("tr", { class: "folded" });
  row.append(element("td", { colspan: 4 }, element("button", { type: "button", class: "link", onclick: () => act(row) }, says)));
  return row;
}

function lineOfDiff({ kind, text, before, after }) {
  const words = { "+": "ins", "-": "del", " ": "span" };
  return element(
    "tr",
    { class: { "+": "added", "-": "removed", " ": "" }[kind] },
    element("td", { class: "n" }, before),
    element("td", { class: "n" }, after),
    element("td", { class: "sign" }, { "+": "+", "-": "−", " ": " " }[kind]),
    element("td", { class: "code" }, element(words[kind], {}, ...coloured(text, "hlo"))),
  );
}
