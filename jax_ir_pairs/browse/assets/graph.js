// The optimized module drawn: one computation at a time, from its parameters down to its root.
import { count, drawn, element } from "./dom.js";
import { kindOf, laidOut } from "./graph_layout.js";
import { everyInstruction, parsed } from "./hlo.js";
import { textsOf } from "./levels.js";
import { links } from "./links.js";
import { change, state } from "./state.js";

const MOST = 400;
const LEGEND = ["fusion", "matrix", "control", "exchange", "shape", "input"];

export function graphView(row, trail, go) {
  const { texts, mapped, note } = textsOf(row, state.target);
  if (texts.optimized_hlo === null) return { node: element("div", { class: "view" }, element("p", { class: "notice" }, note)) };
  const module = parsed(texts.optimized_hlo);
  if (!module.entry) return { node: element("p", { class: "notice" }, "This text has no computation to draw.") };
  const sources = links(row.lines, mapped).sources.optimized_hlo;
  const chosen = element("select", {}, ...[...module.computations.values()].reverse().map((each) => element("option", { value: each.name }, `${each.isEntry ? "ENTRY " : ""}${each.name} (${each.instructions.length})`)));
  const constants = element("input", { type: "checkbox" });
  const canvas = element("div", { class: "canvas", tabindex: -1 });
  const detail = element("div", { class: "detail", role: "status" });
  let scale = 1;
  let all = false;

  function draw() {
    const computation = module.computations.get(chosen.value);
    detail.replaceChildren(element("span", { class: "dim" }, "Choose a node; arrows go along the edges, Enter opens what it calls."));
    if (computation.instructions.length > MOST && !all) {
      const more = element("button", { type: "button", onclick: () => ((all = true), draw()) }, `Draw ${count(computation.instructions.length, "instruction")}`);
      canvas.replaceChildren(element("p", { class: "notice" }, "This computation is large; to lay it out may take some seconds. ", more));
      return;
    }
    if (!computation.instructions.length) {
      canvas.replaceChildren(element("p", { class: "notice" }, "There is no instruction to draw."));
      return;
    }
    const layout = laidOut(module, computation, { constants: constants.checked });
    canvas.replaceChildren(picture(layout, computation, select));
    fit(layout);
  }
  function fit({ width, height }) {
    scale = Math.min(1, Math.max(0.35, Math.min((canvas.clientWidth - 12) / width, (canvas.clientHeight - 12) / height)));
    zoom(1);
  }
  function zoom(factor) {
    scale = Math.min(3, Math.max(0.1, scale * factor));
    const svg = canvas.querySelector("svg");
    if (!svg) return;
    svg.setAttribute("width", svg.viewBox.baseVal.width * scale);
    svg.setAttribute("height", svg.viewBox.baseVal.height * scale);
  }
  function select(instruction) {
    const from = sources.get(instruction.line) ?? [];
    const facts = [
      element("strong", {}, instruction.name),
      ` ${instruction.type} · ${instruction.opcode}${instruction.kind ? ` ${instruction.kind}` : ""} · line ${instruction.line}`,
      from.length ? ` · from Python ${from.length > 12 ? count(from.length, "line") : `line${from.length > 1 ? "s" : ""} ${from.join(", ")}`}` : "",
    ];
    const text = element("button", { type: "button", onclick: () => go({ view: "levels", line: `optimized_hlo:${instruction.line}` }) }, "Show at all levels");
    const opens = instruction.called.filter((name) => module.computations.has(name)).map((name) => element("button", { type: "button", onclick: () => open(name) }, `Open ${name}`));
    detail.replaceChildren(element("span", {}, ...facts), text, ...opens);
  }
  function open(name) {
    chosen.value = name;
    change({ computation: module.computations.get(name).isEntry ? "" : name });
    all = false;
    draw();
  }
  chosen.addEventListener("change", () => open(chosen.value));
  constants.addEventListener("change", draw);
  canvas.addEventListener("wheel", (event) => event.ctrlKey && (event.preventDefault(), zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15)), { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const node = event.target.closest(".node");
    if (event.key === "Enter" && node) {
      const called = node.instruction.called.find((name) => module.computations.has(name));
      if (!called) return;
      open(called);
      canvas.querySelector(".node")?.focus();
      event.preventDefault();
    }
  });
  chosen.value = module.computations.has(state.computation) ? state.computation : module.entry.name;
  const tool = (label, name, act) => element("button", { type: "button", "aria-label": name, onclick: act }, label);
  return {
    node: element(
      "div",
      { class: "view graph" },
      element("div", { class: "tools" }, element("label", {}, "Computation ", chosen), element("label", { class: "check" }, constants, " constants"), tool("−", "Smaller", () => zoom(1 / 1.25)), tool("+", "Larger", () => zoom(1.25)), tool("1:1", "Full size", () => zoom(1 / scale)), legend(), element("span", { class: "note" }, count(everyInstruction(module).length, "instruction"), ` in ${count(module.computations.size, "computation")}`)),
      canvas,
      detail,
    ),
    shown: draw,
    focus: () => canvas.querySelector(".node[tabindex='0']")?.focus(),
  };
}

const legend = () => element("span", { class: "legend", "aria-hidden": "true" }, ...LEGEND.map((kind) => element("span", { class: `swatch ${kind}` }, kind)));

function picture({ left, top, width, height, nodes, edges }, computation, select) {
  const made = new Map(nodes.map((node) => [node.instruction.name, nodeOf(node)]));
  const users = (name) => edges.filter((edge) => edge.from === name).map((edge) => made.get(edge.to));
  const operands = (name) => edges.filter((edge) => edge.to === name).map((edge) => made.get(edge.from));
  const order = nodes.toSorted((a, b) => a.y - b.y || a.x - b.x).map((node) => made.get(node.instruction.name));
  const svg = drawn(
    "svg",
    { viewBox: `${left} ${top} ${width} ${height}`, role: "group", "aria-label": `${computation.name}: ${count(nodes.length, "instruction")}, arrows go along operands and users` },
    drawn("defs", {}, drawn("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, orient: "auto", markerUnits: "userSpaceOnUse" }, drawn("path", { d: "M0 0 L8 4 L0 8 z" }))),
    ...edges.map((edge) => drawn("path", { class: "edge", "data-from": edge.from, "data-to": edge.to, d: curve(edge.points), "marker-end": "url(#arrow)" })),
    ...order,
  );
  order[0]?.setAttribute("tabindex", 0);
  function choose(node) {
    for (const each of order) {
      each.classList.toggle("chosen", each === node);
      each.setAttribute("tabindex", each === node ? 0 : -1);
    }
    for (const edge of svg.querySelectorAll(".edge")) {
      edge.classList.toggle("near", [edge.dataset.from, edge.dataset.to].includes(node.instruction.name));
    }
    select(node.instruction);
  }
  svg.addEventListener("click", (event) => event.target.closest(".node")?.focus());
  svg.addEventListener("focusin", (event) => event.target.closest(".node") && choose(event.target.closest(".node")));
  svg.addEventListener("keydown", (event) => {
    const node = event.target.closest(".node");
    const at = order.indexOf(node);
    const next = { ArrowDown: () => users(node.instruction.name)[0], ArrowUp: () => operands(node.instruction.name)[0], ArrowRight: () => order[at + 1], ArrowLeft: () => order[at - 1] }[event.key];
    if (!node || !next) return;
    event.preventDefault();
    event.stopPropagation();
    next()?.focus();
  });
  return svg;
}

function nodeOf({ instruction, labels, x, y, width, height }) {
  const [left, top] = [x - width / 2, y - height / 2];
  const opens = instruction.called.length ? `, calls ${instruction.called.join(", ")}` : "";
  const node = drawn(
    "g",
    { class: `node ${kindOf(instruction.opcode)}${instruction.isRoot ? " root" : ""}`, tabindex: -1, role: "img", "aria-label": `${instruction.name}: ${labels.join(", ")}${instruction.isRoot ? ", root" : ""}${opens}, line ${instruction.line}` },
    drawn("rect", { x: left, y: top, width, height, rx: 5 }),
    ...labels.map((label, index) => drawn("text", { x, y: top + 17 + 15 * index, class: index ? "more" : "first" }, label)),
  );
  node.instruction = instruction;
  return node;
}

function curve(points) {
  const [first, ...rest] = points;
  const middle = rest.slice(0, -1).map((point, index) => {
    const after = rest[index + 1];
    return index < rest.length - 2 ? `Q${point.x} ${point.y} ${(point.x + after.x) / 2} ${(point.y + after.y) / 2}` : `Q${point.x} ${point.y} ${after.x} ${after.y}`;
  });
  return `M${first.x} ${first.y}${middle.length ? middle.join("") : `L${rest.at(-1).x} ${rest.at(-1).y}`}`;
}
