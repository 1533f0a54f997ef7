// Where the instructions of a computation go, and what they are called; dagre lays them out.
import { inner } from "./hlo.js";

const LETTER = 6.7; // of 11px monospace, rounded up
const LINE = 15;

const KINDS = [
  ["fusion", /^fusion$/],
  ["input", /^(parameter|constant|iota|infeed)$/],
  ["control", /^(while|conditional|call|async-.*|custom-call|map|sort|scatter|reduce.*)$/],
  ["matrix", /^(dot|convolution|ragged-dot|fft|cholesky|triangular-solve)$/],
  ["exchange", /^(all-.*|collective-.*|reduce-scatter.*|partition-id|replica-id|send.*|recv.*)$/],
  ["shape", /^(tuple|get-tuple-element|bitcast.*|copy.*|reshape|transpose|broadcast|slice|concatenate|pad|reverse|dynamic-.*|gather)$/],
];

export const kindOf = (opcode) => KINDS.find(([, form]) => form.test(opcode))?.[0] ?? "plain";

export function laidOut(module, computation, { constants }) {
  const others = computation.instructions.filter((each) => each.opcode !== "constant");
  const shown = constants || !others.length ? computation.instructions : others;
  const names = new Set(shown.map((each) => each.name));
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 34 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const each of shown) {
    const labels = labelsOf(module, each);
    const width = Math.max(70, Math.max(...labels.map((label) => label.length)) * LETTER + 22);
    graph.setNode(each.name, { instruction: each, labels, width, height: labels.length * LINE + 12 });
  }
  for (const each of shown) {
    for (const operand of each.operands) if (names.has(operand)) graph.setEdge(operand, each.name);
  }
  dagre.layout(graph);
  const nodes = graph.nodes().map((name) => graph.node(name));
  const edges = graph.edges().map(({ v, w }) => ({ from: v, to: w, points: graph.edge(v, w).points }));
  return { ...extent(nodes, edges), nodes, edges };
}

// dagre's own size leaves out edges that go around what is at the side.
function extent(nodes, edges) {
  const points = [
    ...nodes.flatMap(({ x, y, width, height }) => [{ x: x - width / 2, y: y - height / 2 }, { x: x + width / 2, y: y + height / 2 }]),
    ...edges.flatMap((edge) => edge.points),
  ];
  const [left, top] = ["x", "y"].map((axis) => points.reduce((least, point) => Math.min(least, point[axis]), Infinity) - 12);
  const [right, bottom] = ["x", "y"].map((axis) => points.reduce((most, point) => Math.max(most, point[axis]), -Infinity) + 12);
  return { left, top, width: right - left, height: bottom - top };
}

function labelsOf(module, each) {
  const title = each.argument && each.opcode === "parameter" ? `${each.opcode} ${each.argument}` : each.opcode;
  const first = each.opcode === "constant" ? short(`constant ${each.argument}`) : each.kind ? `${title} · ${each.kind}` : title;
  const ops = each.opcode === "fusion" ? inner(module, each) : [];
  return [first, short(each.type), ...(ops.length ? [short(ops.join(" "))] : [])];
}

const short = (text) => (text.length > 34 ? `${text.slice(0, 33)}…` : text);
