// Elements are made here and nowhere else: what a row holds becomes a text node, never markup.
const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const count = (number, name) =>
  `${number.toLocaleString("en")} ${name}${number === 1 ? "" : "s"}`;

export const figure = (value) =>
  typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 1 }) : value;

export function remembered(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(`jax-ir-pairs.${key}`);
    localStorage.setItem(`jax-ir-pairs.${key}`, value);
  } catch {
    // A page from a file may have no storage; then nothing is remembered.
  }
  return null;
}

// Tabs of one list: one is a stop of the tab key, arrows go on to the others.
export function arrowsMove(list) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const tabs = [...list.querySelectorAll("[role=tab]:not([disabled])")];
    const at = tabs.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const wanted = tabs[(at + step + tabs.length) % tabs.length];
    wanted.click();
    // The list may have been drawn again by the click.
    [...list.querySelectorAll("[role=tab]")].find((tab) => tab.textContent === wanted.textContent)?.focus();
  });
}

export function markTab(list, isChosen) {
  for (const tab of list.querySelectorAll("[role=tab]")) {
    tab.setAttribute("aria-selected", String(isChosen(tab)));
    tab.tabIndex = isChosen(tab) ? 0 : -1;
  }
}
