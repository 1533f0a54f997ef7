// One text with numbered lines that can be gone through, lit and coloured.
import { count, element } from "./dom.js";
import { coloured, insideStrings } from "./tokens.js";

const CHUNK = 100;

// `on` has hover(line), leave(), choose(line). `stripe(line)` names the colour of its source.
export function pane(level, title, text, stripe, on) {
  const lines = text.replace(/\n$/, "").split("\n");
  const strings = level === "python" ? insideStrings(lines) : new Set();
  const made = lines.map((line, index) =>
    element(
      "div",
      { role: "option", id: `${level}-${index + 1}`, class: `line ${stripe(index + 1)}`, "data-n": index + 1, "aria-selected": "false" },
      line === "" ? "\u200b" : line,
    ),
  );
  const box = element("div", {
    class: "text",
    role: "listbox",
    tabindex: 0,
    "aria-multiselectable": "true",
    "aria-label": `${title}, ${count(lines.length, "line")}`,
  });
  const watcher = new IntersectionObserver(
    (seen) => seen.filter((each) => each.isIntersecting).forEach((each) => colour(each.target)),
    { root: null, rootMargin: "400px" },
  );
  function colour(chunk) {
    watcher.unobserve(chunk);
    for (const line of chunk.children) {
      const index = Number(line.dataset.n) - 1;
      if (strings.has(index)) line.classList.add("string");
      else if (lines[index] !== "") line.replaceChildren(...coloured(lines[index], level));
    }
  }
  for (let at = 0; at < made.length; at += CHUNK) {
    const chunk = element("div", { class: "chunk", role: "presentation" }, ...made.slice(at, at + CHUNK));
    chunk.style.setProperty("--lines", Math.min(CHUNK, made.length - at));
    box.append(chunk);
    watcher.observe(chunk);
  }
  let at = 0;
  let lit = new Set();
  const lineOf = (event) => Number(event.target.closest(".line")?.dataset.n ?? 0);

  function moveTo(line) {
    made[at - 1]?.classList.remove("at");
    at = Math.min(Math.max(line, 1), made.length);
    made[at - 1].classList.add("at");
    box.setAttribute("aria-activedescendant", made[at - 1].id);
    intoView(box, made[at - 1]);
  }

  box.addEventListener("mouseover", (event) => lineOf(event) && on.hover(lineOf(event)));
  box.addEventListener("mouseleave", () => on.leave());
  box.addEventListener("click", (event) => {
    if (!lineOf(event) || String(getSelection())) return;
    moveTo(lineOf(event));
    on.choose(at);
  });
  box.addEventListener("focus", () => !at && box.matches(":focus-visible") && (moveTo(1), on.hover(at)));
  box.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(box.clientHeight / made[0].offsetHeight) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -made.length, End: made.length };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) {
      moveTo(at + steps[event.key]);
      on.hover(at);
    } else if (event.key === "Enter" || event.key === " ") {
      on.choose(at);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const copy = element("button", { type: "button", class: "quiet", "aria-label": `Copy ${title}` }, "Copy");
  copy.addEventListener("click", async () => {
    copy.textContent = (await copied(text)) ? "Copied" : "Not copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  return {
    node: element(
      "section",
      { class: `pane ${level}`, "data-level": level, "aria-label": title },
      element("header", {}, element("h3", {}, title), element("span", { class: "dim" }, count(lines.length, "line")), copy),
      box,
    ),
    box,
    moveTo,
    light(wanted) {
      for (const line of lit) if (!wanted.has(line)) mark(line, false);
      for (const line of wanted) if (!lit.has(line)) mark(line, true);
      lit = new Set(wanted);
    },
    reveal: (line) => made[line - 1] && intoView(box, made[line - 1]),
    end: () => watcher.disconnect(),
  };

  function mark(line, isLit) {
    made[line - 1]?.classList.toggle("lit", isLit);
    made[line - 1]?.setAttribute("aria-selected", String(isLit));
  }
}

// Scrolls the box alone, not the page around it.
export function intoView(box, line) {
  const above = line.getBoundingClientRect().top - box.getBoundingClientRect().top;
  if (above < 0 || above > box.clientHeight - 2 * line.offsetHeight) {
    box.scrollTop += above - box.clientHeight / 3;
  }
}

export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
