// Colours: a line is cut into tokens, each of a kind that the style sheet knows.
// Done here rather than by Pygments on the server: a row is coloured where it is looked at, and
// a page in a file carries the texts only.
import { element } from "./dom.js";

const PYTHON = new RegExp(
  [
    /(?<comment>#.*$)/,
    /(?<string>[rbfRBF]{0,2}(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?))/,
    /(?<keyword>\b(?:def|return|import|from|as|class|lambda|if|elif|else|for|in|while|with|not|and|or|is|None|True|False|pass|raise|try|except|finally|yield|global|nonlocal|assert|del|break|continue|async|await|match|case)\b)/,
    /(?<attribute>@[\w.]+)/,
    /(?<number>\b(?:0x[\dA-Fa-f]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?j?)\b)/,
    /(?<call>[A-Za-z_]\w*(?=\())/,
    /(?<name>[A-Za-z_]\w*)/,
  ]
    .map((part) => part.source)
    .join("|"),
  "g",
);

const MODULE = new RegExp(
  [
    /(?<comment>\/\/.*$|\/\*.*?\*\/)/,
    /(?<string>"[^"]*")/,
    /(?<type>\btensor<[^<>]*>|\b(?:key<\w+>|(?:f|bf|i|s|u|ui|c)\d+\w*|pred|bool|token)(?:\[[^\]]*\](?:\{[^}]*\})?|(?!\w)))/,
    /(?<keyword>\b(?:HloModule|ENTRY|ROOT|module|lambda|let|in)\b)/,
    /(?<call>\b(?:func|stablehlo|chlo|mhlo|sdy)\.[\w.]+|[A-Za-z_][\w-]*(?=[[(]))/,
    /(?<variable>[%@#^][\w.-]+)/,
    /(?<attribute>[A-Za-z_][\w.-]*(?==))/,
    /(?<name>[A-Za-z_][\w.]*)/,
    /(?<number>-?(?:0x[\dA-Fa-f]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?))/,
  ]
    .map((part) => part.source)
    .join("|"),
  "g",
);

const LONGEST = 4000; // a line with a long constant stays plain

// The lines that begin inside a string of three quotes, such as a docstring.
export function insideStrings(lines) {
  const inside = new Set();
  let open = null;
  lines.forEach((line, index) => {
    if (open) inside.add(index);
    for (const [quotes] of line.matchAll(/"""|'''/g)) {
      if (!open) open = quotes;
      else if (open === quotes) open = null;
    }
  });
  return inside;
}

export function coloured(line, level) {
  if (line.length > LONGEST) return [line];
  const parts = [];
  let end = 0;
  for (const found of line.matchAll(level === "python" ? PYTHON : MODULE)) {
    const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
    if (kind === "name") continue;
    if (found.index > end) parts.push(line.slice(end, found.index));
    parts.push(element("span", { class: kind }, found[0]));
    end = found.index + found[0].length;
  }
  if (end < line.length) parts.push(line.slice(end));
  return parts;
}
