// The line map of a row, read both ways.
export const LEVELS = ["python", "jaxpr", "stablehlo", "hlo", "optimized_hlo"];
export const TITLES = {
  python: "Python",
  jaxpr: "jaxpr",
  stablehlo: "StableHLO",
  hlo: "HLO",
  optimized_hlo: "Optimized HLO",
};

// `mapped` are the levels whose texts the map is of; those of a further target have none.
export function links(lines, mapped) {
  const sources = Object.fromEntries(LEVELS.map((level) => [level, new Map()]));
  const entries = new Map();
  for (const [python, ...places] of lines ?? []) {
    entries.set(python, places);
    sources.python.set(python, [python]);
    LEVELS.slice(1).forEach((level, index) => {
      if (!mapped.includes(level)) return;
      for (const line of places[index]) {
        if (!sources[level].has(line)) sources[level].set(line, []);
        sources[level].get(line).push(python);
      }
    });
  }
  return {
    sources,
    // The lines at each level that came from the Python that this line came from.
    of(level, line) {
      const found = Object.fromEntries(LEVELS.map((name) => [name, new Set()]));
      for (const python of sources[level].get(line) ?? []) {
        found.python.add(python);
        LEVELS.slice(1).forEach((name, index) => {
          if (mapped.includes(name)) entries.get(python)[index].forEach((each) => found[name].add(each));
        });
      }
      found[level].add(line);
      return found;
    },
  };
}
