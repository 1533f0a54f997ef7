"""The page as a person uses it: each test drives a real browser, and watches what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from jax_ir_pairs.browse.page import write_html
from jax_ir_pairs.browse.rows import FolderRows
from jax_ir_pairs.browse.server import Server
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.schema import LEVELS
from tests.browse.conftest import HOSTILE, SAMPLE

Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opened]:
    """Opens pages; at the end none may have said an error or asked for anything elsewhere."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    homes: list[str] = []

    def open_page(url: str, address: str = "", **size: int) -> Page:
        page = context.new_page()
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        if size:
            page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        homes.append(url)
        page.goto(url + address)
        expect(page.locator("#row")).to_have_attribute("aria-busy", "false")
        return page

    yield open_page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((*homes, "data:", "blob:"))] == []


@pytest.fixture(scope="session")
def special_file(special: FolderRows, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "special.html"
    assert write_html(special, path, 10) == 2
    return path.as_uri()


@pytest.fixture(params=["served", "file"])
def special_url(request: pytest.FixtureRequest, special_server: Server, special_file: str) -> str:
    return special_server.url if request.param == "served" else special_file


def lit(page: Page) -> dict[str, list[int]]:
    """Gives the numbers of the lines that are lit, by level."""
    found: dict[str, list[int]] = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('.pane')].map(pane => ["
        "pane.dataset.level, [...pane.querySelectorAll('.line.lit')].map(l => +l.dataset.n)]))"
    )
    return found


NUMBER = 3


def mapped(rows: FolderRows, number: int) -> dict[str, list[int]]:
    """Gives a line of a row that something of every level came from, and the lines of those."""
    entry = next(entry for entry in rows.row(number)["lines"] if all(entry[1:]))
    return dict(zip(LEVELS, [[entry[0]], *entry[1:]], strict=True))


def test_pointing_at_a_line_lights_what_came_from_it(
    opened: Opened, sample_server: Server, sample: FolderRows
) -> None:
    wanted = mapped(sample, NUMBER)
    [line] = wanted["python"]
    page = opened(sample_server.url, f"#row={sample.index.id[NUMBER]}")
    assert lit(page) == {level: [] for level in LEVELS}
    page.hover(f"#python-{line}")
    assert lit(page) == wanted
    expect(page.locator(f"#python-{line}")).to_have_attribute("aria-selected", "true")
    page.hover("h1")
    assert lit(page) == {level: [] for level in LEVELS}


def test_the_other_way_round_and_kept_over_a_reload(
    opened: Opened, sample_server: Server, sample: FolderRows
) -> None:
    page = opened(sample_server.url, f"#row={sample.index.id[NUMBER]}")
    wanted = mapped(sample, NUMBER)
    page.click(f"#hlo-{wanted['hlo'][0]}")
    assert lit(page) == wanted
    page.hover("#python-1")
    assert lit(page) == wanted, "what was clicked stays"
    page.reload()
    expect(page.locator(".line.lit").first).to_be_attached()
    assert lit(page) == wanted
    page.keyboard.press("Escape")
    assert lit(page) == {level: [] for level in LEVELS}
    assert "line=" not in page.url


def test_lines_by_keyboard(opened: Opened, sample_server: Server, sample: FolderRows) -> None:
    wanted = mapped(sample, NUMBER)
    [line] = wanted["python"]
    page = opened(sample_server.url, f"#row={sample.index.id[NUMBER]}")
    page.keyboard.press("f")
    for _ in range(line - 1):
        page.keyboard.press("ArrowDown")
    box = page.locator(".pane.python .text")
    expect(box).to_have_attribute("aria-activedescendant", f"python-{line}")
    assert lit(page) == wanted
    page.keyboard.press("Enter")
    expect(page.locator("#trail")).to_contain_text("StableHLO: ")
    page.click("#trail button:has-text('StableHLO')")
    box = page.locator(".pane.stablehlo .text")
    expect(box).to_be_focused()
    expect(box).to_have_attribute("aria-activedescendant", f"stablehlo-{wanted['stablehlo'][0]}")


def test_filters_and_search(opened: Opened, sample_server: Server, sample: FolderRows) -> None:
    families = sample.index.named["family"]
    wanted = [n for n, code in enumerate(families.codes) if families.names[code] == "statistics"]
    page = opened(sample_server.url)
    expect(page.locator("#count")).to_have_text("100 of 100 rows")
    page.select_option("#f-family", "statistics")
    expect(page.locator("#count")).to_have_text(f"{len(wanted)} of 100 rows")
    assert page.locator("#rows .item").count() == len(wanted)
    sizes = [sample.index.sizes["num_eqns"][n] for n in wanted]
    page.fill("#f-least", "100")
    left = sum(size >= 100 for size in sizes)
    assert 0 < left < len(wanted)
    expect(page.locator("#count")).to_have_text(f"{left} of 100 rows")
    page.select_option("#f-order", "down")
    expect(page.locator("#rows .item").first).to_contain_text(f"{max(sizes)} eqns")
    page.click("#rows .item >> nth=0")
    expect(page.locator("#place")).to_have_text(f"1 of {left}")
    expect(page.locator("#row")).to_have_attribute("aria-busy", "false")
    call = page.inner_text("#call")
    page.reload()
    expect(page.locator("#call")).to_have_text(call)
    expect(page.locator("#count")).to_have_text(f"{left} of 100 rows")
    page.click("#clear")
    page.fill("#search", sample.index.id[33][:10])
    expect(page.locator("#count")).to_have_text("1 of 100 rows")


def test_next_previous_and_back(opened: Opened, sample_server: Server, sample: FolderRows) -> None:
    page = opened(sample_server.url)
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#facts-place")).to_contain_text(sample.index.id[2])
    page.click("#previous")
    expect(page.locator("#facts-place")).to_contain_text(sample.index.id[1])
    page.go_back()
    expect(page.locator("#facts-place")).to_contain_text(sample.index.id[2])
    page.keyboard.press("/")
    page.keyboard.type("jgo")
    assert page.input_value("#search") == "jgo", "keys are letters where one writes"


def test_targets_and_their_differences(
    opened: Opened, special_url: str, special: FolderRows
) -> None:
    [line] = mapped(special, 0)["python"]
    page = opened(special_url)
    expect(page.locator(".pane.optimized_hlo")).not_to_contain_text("tpu_fusion")
    page.click("[data-target=tpu-v5e]")
    expect(page.locator(".pane.optimized_hlo")).to_contain_text("tpu_fusion")
    assert "target=tpu-v5e" in page.url
    page.click(f"#python-{line}")
    found = lit(page)
    assert found["hlo"]
    assert found["optimized_hlo"] == [], "the line map is of the CPU's"
    page.keyboard.press("c")
    expect(page.locator(".removed .code", has_text=" fusion(").first).to_be_visible()
    expect(page.locator(".added .code", has_text=" subtract(").first).to_be_visible()
    expect(page.locator(".compare [role=status]")).to_contain_text("the same")
    page.reload()
    expect(page.locator("[data-target=tpu-v5e]")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".added").first).to_be_visible()
    for view in ("levels", "graph", "optimization"):
        page.click(f"[data-view={view}]")
        page.click("[data-target=cuda-h100]")
        expect(page.locator("#panel .notice")).to_contain_text("cuda-h100 refuses this program")


def test_the_graph(opened: Opened, sample_server: Server, sample: FolderRows) -> None:
    page = opened(sample_server.url, f"#row={sample.index.id[NUMBER]}&view=graph")
    module = sample.row(NUMBER)["texts"]["optimized_hlo"]
    entry = module[module.index("ENTRY") :].split("\n}")[0].split("\n")[1:]
    drawn = [line for line in entry if " constant(" not in line]
    expect(page.locator(".node")).to_have_count(len(drawn))
    page.click(".node.root")
    root = next(line for line in entry if "ROOT" in line).split()[1].removeprefix("%")
    expect(page.locator(".detail")).to_contain_text(root)
    page.keyboard.press("ArrowUp")
    expect(page.locator(".detail strong")).not_to_have_text(root)
    page.click(".node.fusion >> nth=0")
    page.click(".detail button:has-text('Open')")
    expect(page.locator(".node text").first).to_contain_text("param")
    assert "computation=" in page.url


def test_before_and_after(opened: Opened, sample_server: Server, sample: FolderRows) -> None:
    page = opened(sample_server.url, f"#row={sample.index.id[NUMBER]}&view=optimization")
    figures = sample.row(NUMBER)["figures"]
    tile = page.locator(".tiles div")
    expect(tile.filter(has_text="Flops").first.locator("dd")).to_have_text(
        f"{figures['flops']:,.0f}"
    )
    expect(tile.filter(has_text="Fusions").locator("dd")).to_have_text(f"{figures['num_fusions']}")
    expect(tile.filter(has_text="HLO instr").locator("dd")).to_contain_text(
        f"{figures['num_hlo_instructions']} → "
    )
    page.click("section[aria-label^=Fusions] button >> nth=0")
    expect(page.locator(".pane.optimized_hlo .line.lit").first).to_be_attached()


def test_what_is_known_with_and_without_machine_code(
    opened: Opened, special: FolderRows, special_url: str
) -> None:
    page = opened(special_url, f"#row={special.index.id[0]}&view=optimization&target=cpu")
    peak = page.locator(".tiles div").filter(has_text="Peak memory").locator("dd")
    expect(peak).to_have_text("–")
    expect(page.locator("#facts-place")).not_to_contain_text("and run")


def test_a_row_that_was_run_says_so(opened: Opened, sample: FolderRows, tmp_path: Path) -> None:
    class Run(FolderRows):
        def row(self, number: int) -> dict[str, Any]:
            return super().row(number) | {"executed": True}

    path = tmp_path / "run.html"
    write_html(Run(find_config(SAMPLE)), path, 1)
    page = opened(path.as_uri())
    by = sample.row(0)["checked_by"]
    expect(page.locator("#facts-place")).to_contain_text(f"checked by {by} and run")


@pytest.mark.parametrize("view", ["levels", "optimization", "graph", "compare"])
def test_a_hostile_row_is_text(opened: Opened, special_url: str, view: str) -> None:
    page = opened(special_url, f"#row={'0' * 16}&view={view}&target=tpu-v5e")
    page.wait_for_timeout(100)
    assert page.locator("img").count() == 0
    assert page.title() != "run"
    expect(page.locator("#call")).to_contain_text("</script><img src=x onerror=")
    if view == "levels":
        text = page.evaluate("document.getElementById('python-1').textContent")
        assert text == f"{HOSTILE} in python"


def test_a_phone_and_both_colours(opened: Opened, sample_server: Server) -> None:
    page = opened(sample_server.url, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(page.locator("#rows-panel")).to_be_hidden()
    page.click("#toggle-rows")
    page.click("#rows .item >> nth=1")
    expect(page.locator("#rows-panel")).to_be_hidden()
    expect(page.locator("#place")).to_have_text("2 of 100")
    back = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(back) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(back) == "rgb(13, 17, 23)"
    page.click("#theme")
    page.click("#theme")
    assert page.evaluate(back) == "rgb(255, 255, 255)"
    page.reload()
    assert page.evaluate(back) == "rgb(255, 255, 255)"


def test_contrast_of_every_text(opened: Opened, sample_server: Server) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, of what a lit line, a diff and the rest have on their ground."""
    page = opened(sample_server.url)
    page.click("#python-6")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for view in ("levels", "optimization", "graph", "compare"):
            page.click(f"[data-view={view}]")
            assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const c = colour[i] / 255;
    return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    if (node.closest("svg, script, :disabled")) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
  }
  return [...poor];
}"""
