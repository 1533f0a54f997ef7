// What the compiler made of the module: counts before and after, fusions, cost.
import { count, element, figure } from "./dom.js";
import { everyInstruction, inner, opcodes, parsed } from "./hlo.js";
import { links } from "./links.js";
import { textsOf } from "./levels.js";
import { state } from "./state.js";

export function optimizationView(row, _trail, go) {
  const { texts, mapped, note } = textsOf(row, state.target);
  if (texts.optimized_hlo === null) return { node: element("div", { class: "view" }, element("p", { class: "notice" }, note)) };
  const before = parsed(texts.hlo);
  const after = parsed(texts.optimized_hlo);
  const isCpu = mapped.includes("optimized_hlo");
  const fusions = everyInstruction(after).filter((each) => each.opcode === "fusion");
  const sources = links(row.lines, mapped).sources.optimized_hlo;
  return {
    node: element(
      "div",
      { class: "view optimization" },
      tiles(row, before, after, fusions, isCpu),
      element("div", { class: "columns" }, section("Operations", opTable(before, after)), section(`Fusions (${fusions.length})`, fusionTable(after, fusions, sources, go))),
    ),
  };
}

const section = (title, content) => element("section", { "aria-label": title }, element("h3", {}, title), content);

function tiles(row, before, after, fusions, isCpu) {
  const { flops, transcendentals, bytes_accessed: bytes, peak_memory_bytes: peak, num_eqns: equations, num_stablehlo_ops: ops } = row.figures;
  const cost = isCpu
    ? [
        ["Flops", figure(flops)],
        ["Transcendentals", figure(transcendentals)],
        ["Bytes accessed", figure(bytes)],
        ["Flops a byte", typeof flops === "number" && bytes > 0 ? figure(flops / bytes) : "–"],
        ["Peak memory", peak === null ? "–" : `${figure(peak)} B`],
      ]
    : [];
  const facts = [
    ["jaxpr equations", figure(equations)],
    ["StableHLO ops", figure(ops)],
    ["HLO instructions", `${figure(everyInstruction(before).length)} → ${figure(everyInstruction(after).length)}`],
    ["Computations", `${before.computations.size} → ${after.computations.size}`],
    ["Fusions", figure(fusions.length)],
    ["Left in entry", figure(after.entry?.instructions.length ?? 0)],
    ...cost,
  ];
  return element("dl", { class: "tiles" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

function opTable(before, after) {
  const [was, is] = [opcodes(before), opcodes(after)];
  const names = [...new Set([...was.keys(), ...is.keys()])];
  const at = (counts, name) => counts.get(name)?.all ?? 0;
  names.sort((a, b) => Math.max(at(was, b), at(is, b)) - Math.max(at(was, a), at(is, a)) || a.localeCompare(b));
  const most = Math.max(1, ...names.map((name) => Math.max(at(was, name), at(is, name))));
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": "Operations before and after" },
    element(
      "table",
      {},
      head("Opcode", "HLO", "Optimized", "of it fused", "Change"),
      element(
        "tbody",
        {},
        ...names.map((name) => {
          const [a, b] = [at(was, name), at(is, name)];
          return element(
            "tr",
            {},
            element("th", { scope: "row" }, name),
            bar(a, most, "was"),
            bar(b, most, "is"),
            element("td", { class: "number" }, figure(is.get(name)?.fused ?? 0)),
            element("td", { class: `number ${b > a ? "more" : b < a ? "less" : "dim"}` }, b === a ? "=" : `${b > a ? "+" : "−"}${Math.abs(b - a)}`),
          );
        }),
      ),
    ),
  );
}

const head = (...names) => element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));

function bar(value, most, kind) {
  const meter = element("span", { class: `meter ${kind}`, "aria-hidden": "true" });
  meter.style.width = `${Math.round((60 * value) / most)}px`;
  return element("td", { class: "number" }, value ? figure(value) : "·", meter);
}

function fusionTable(module, fusions, sources, go) {
  if (!fusions.length) return element("p", { class: "dim" }, "The compiler fused nothing here.");
  const mapped = sources.size > 0;
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": "Fusions" },
    element(
      "table",
      {},
      head("Fusion", "Kind", "What it fuses", ...(mapped ? ["Python lines"] : [])),
      element(
        "tbody",
        {},
        ...fusions.map((each) => {
          const ops = inner(module, each);
          const from = sources.get(each.line) ?? [];
          return element(
            "tr",
            {},
            element("th", { scope: "row" }, element("button", { type: "button", class: "link", onclick: () => go({ view: "levels", line: `optimized_hlo:${each.line}` }) }, each.name)),
            element("td", {}, each.kind),
            element("td", {}, ops.length > 12 ? `${ops.slice(0, 12).join(", ")}, … (${count(ops.length, "op")})` : ops.join(", ")),
            mapped ? element("td", { class: "number" }, from.length > 10 ? count(from.length, "line") : from.join(", ") || "–") : null,
          );
        }),
      ),
    ),
  );
}
