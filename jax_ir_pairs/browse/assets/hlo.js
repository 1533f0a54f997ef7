// HLO text, read as far as the views need: computations, instructions, operands, what calls what.
const HEADER = /^(ENTRY )?%?([\w.-]+) (?:\(.*\) -> .* )?\{$/;
const INSTRUCTION = /^\s+(ROOT )?%?([\w.-]+) = (.*)$/;
const CALLED = /\b(?:calls|to_apply|body|condition|true_computation|false_computation|called_computations|branch_computations)=(\{[^}]*\}|%?[\w.-]+)/g;

export function parsed(text) {
  const computations = new Map();
  let current = null;
  text.split("\n").forEach((line, index) => {
    const header = HEADER.exec(line);
    if (header && !line.startsWith("HloModule")) {
      current = { name: header[2], isEntry: Boolean(header[1]), line: index + 1, instructions: [] };
      computations.set(current.name, current);
      return;
    }
    const found = current && INSTRUCTION.exec(line);
    if (found) current.instructions.push(instruction(found, index + 1));
    else if (line.startsWith("}")) current = null;
  });
  for (const computation of computations.values()) {
    const own = new Set(computation.instructions.map((each) => each.name));
    for (const each of computation.instructions) {
      each.operands = each.operands.filter((name) => own.has(name));
    }
  }
  const entry = [...computations.values()].find((each) => each.isEntry) ?? [...computations.values()].at(-1);
  return { computations, entry };
}

function instruction([, root, name, rest], line) {
  const typeEnd = closing(rest, 0);
  const type = rest.slice(0, typeEnd);
  const opcode = /^[\w-]+/.exec(rest.slice(typeEnd).trimStart())?.[0] ?? "";
  const open = rest.indexOf("(", typeEnd);
  const close = open < 0 ? rest.length : matching(rest, open);
  const attributes = rest.slice(close + 1);
  const inside = open < 0 ? "" : rest.slice(open + 1, close);
  return {
    name,
    line,
    type: type.replace(/\{[^{}]*\}/g, "").replace(/\/\*.*?\*\//g, ""),
    opcode,
    isRoot: Boolean(root),
    operands: opcode === "constant" || opcode === "parameter" ? [] : [...inside.matchAll(/%?([A-Za-z_][\w.-]*)/g)].map((m) => m[1]),
    argument: opcode === "constant" || opcode === "parameter" ? inside : "",
    called: [...attributes.matchAll(CALLED)].flatMap((m) => m[1].match(/[\w.-]+/g) ?? []),
    kind: /\bkind=k(\w+)/.exec(attributes)?.[1] ?? /\bcustom_call_target="([^"]*)"/.exec(attributes)?.[1] ?? "",
  };
}

// The place after a type: a tuple in parentheses, or all up to a space.
function closing(text, start) {
  if (text[start] === "(") return matching(text, start) + 1;
  const space = text.indexOf(" ", start);
  return space < 0 ? text.length : space;
}

function matching(text, open) {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '"') at = Math.max(at, text.indexOf('"', at + 1));
    else if (text[at] === "(") depth += 1;
    else if (text[at] === ")" && (depth -= 1) === 0) return at;
  }
  return text.length;
}

// How often each opcode comes, and how often inside what a fusion calls.
export function opcodes(module) {
  const fused = new Set(
    everyInstruction(module)
      .filter((each) => each.opcode === "fusion")
      .flatMap((each) => each.called),
  );
  const counts = new Map();
  for (const computation of module.computations.values()) {
    for (const { opcode } of computation.instructions) {
      const found = counts.get(opcode) ?? { all: 0, fused: 0 };
      found.all += 1;
      if (fused.has(computation.name)) found.fused += 1;
      counts.set(opcode, found);
    }
  }
  return counts;
}

export const everyInstruction = (module) =>
  [...module.computations.values()].flatMap((each) => each.instructions);

// The ops of what an instruction calls that do something, in order.
export function inner(module, instruction) {
  const ops = instruction.called.flatMap((name) => module.computations.get(name)?.instructions ?? []);
  return ops.map((each) => each.opcode).filter((opcode) => !["parameter", "constant", "tuple", "get-tuple-element"].includes(opcode));
}
