// What is shown, as the fragment of the address has it: a link shows the same again.
const DEFAULTS = {
  row: "",
  view: "levels",
  target: "cpu",
  line: "",
  left: "",
  right: "",
  loose: "",
  computation: "",
  search: "",
  primitives: "",
  family: "",
  transforms: "",
  split: "",
  size: "num_eqns",
  least: "",
  most: "",
  order: "",
};

export const state = { ...DEFAULTS };

export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of Object.keys(DEFAULTS)) state[key] = given.get(key) ?? DEFAULTS[key];
}

// A step to another row goes into the history, the rest replaces what is there.
export function change(changes, { step = false } = {}) {
  Object.assign(state, changes);
  const shown = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  const address = `#${new URLSearchParams(shown)}`;
  if (address === location.hash) return;
  try {
    history[step ? "pushState" : "replaceState"](null, "", address);
  } catch {
    // Browsers limit how often; the next change says it.
  }
}
