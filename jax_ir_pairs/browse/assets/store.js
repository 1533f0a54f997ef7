// Where rows come from: blocks of this very file, or the server that sent it.
import { byId } from "./dom.js";

const KEPT = 40;
const kept = new Map();

export async function loadIndex() {
  return byId("index") ? unpacked(byId("index")) : fetched("index.json");
}

export async function loadRow(number) {
  if (!kept.has(number)) {
    const block = byId(`row-${number}`);
    kept.set(number, block ? unpacked(block) : fetched(`rows/${number}.json`));
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  }
  try {
    return await kept.get(number);
  } catch (error) {
    kept.delete(number);
    throw error;
  }
}

async function fetched(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new Error("The server does not answer: start `jax-ir-pairs browse` again, then reload.");
  }
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function unpacked(block) {
  const bytes = Uint8Array.from(atob(block.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}
