#!/usr/bin/env python3
"""Opens reports in Chromium and uses them as people do: are they drawn, does a click zoom, do keys work, does anything complain?

usage: run.py REPORT_EXAMPLE FOLDER [KIND...]
REPORT_EXAMPLE writes the reports (example.c beside this file); FOLDER receives the screenshots.  Needs nothing but Python and
the distribution's Chromium (browser.py).  Prints TAP; without Chromium every case is skipped.
"""
import pathlib
import subprocess
import sys
import tempfile
import time

import browser

# kind: episodes listed, plots at first, plots after "show more"
KINDS = {"plain": (6, 6, 6), "million": (40, 2, 2), "eight": (12, 9, 9), "wide": (5, 13, 65), "online": (4, 2, 2), "quiet": (0, 3, 3),
         "one": (0, 2, 2), "nasty": (3, 7, 7)}
# kind: name, width, height, place, dark
SCREENSHOTS = {"plain": [("report.png", 1440, 1250, "", False), ("report-episode.png", 1440, 1900, "#episode-2", False),
                         ("report-dark.png", 1440, 1250, "#episode-2", True),
                         ("report-narrow.png", 560, 1200, "", False)],
               "million": [("report-million.png", 1440, 900, "", False)], "wide": [("report-wide.png", 1440, 1400, "", False)]}
FRAMES = "new Promise(done => { let n = 4; const tick = () => n-- ? requestAnimationFrame(tick) : done(); tick(); })"
RANGE = "[tocsin.view.min, tocsin.view.max]"
# Pixels in the colour of the data, for each canvas in sight that has something to show.
INKS = """[...tocsin.plots.filter(plot => plot.u && plot.seen && plot.track.low !== null).map(plot => plot.u.ctx.canvas),
  document.querySelector('.navigator canvas')].map(canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) count += data[i + 3] > 60 && data[i + 2] > data[i] + 60;
  return count;
})"""

# Charts of the chosen episode's page, or of calibration: title, and pixels in the full colour of values (not of what was expected), or of
# the heat map.
CHARTS = """[...document.querySelectorAll('%s .chart')].map(chart => {
  const canvas = chart.querySelector('canvas'), { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) count += data[i + 3] > 150 && Math.hypot(data[i] - 37, data[i + 1] - 99, data[i + 2] - 201) < 40
      || data[i + 3] > 60 && data[i] > 180 && data[i + 2] < 80;
  return [chart.querySelector('b').textContent, count];
})"""
PAGE_COUNT = 4  # episodes of example.c that have a page with charts
SECONDS_MAX = 5  # to open a report, and to choose an episode: a loaded machine needs a hundredth of it


def centre_of(page, selector, index=0):
    """Where an element is on the screen, after scrolling to it."""
    return page.run(f"""(() => {{ const all = document.querySelectorAll({selector!r}), element = all[{index} < 0 ? all.length + {index} : {index}];
      element.scrollIntoView({{ block: 'center', behavior: 'instant' }}); const box = element.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + box.height / 2, box.width]; }})()""")


def check_still(page, kind):
    """The page as it opens."""
    listed, plots, _ = KINDS[kind]
    seen = page.run("[document.querySelectorAll('tr[data-episode]').length, document.querySelectorAll('.plot').length,"
                    " 'hacked' in window, document.documentElement.scrollWidth > innerWidth]")
    if seen != [listed, plots, False, False]:
        yield f"episodes, plots, hacked, too wide: {seen}, expected {[listed, plots, False, False]}"
    inks = page.run(INKS)
    if len(inks) < 2 or min(inks) == 0:
        yield f"a canvas is empty: {inks}"


def check_episodes(page, kind, full):
    """A click on the last episode, then keys."""
    listed = KINDS[kind][0]
    x, y, _ = centre_of(page, "tr[data-episode] .onset", -1)
    page.drag(x, x, y)
    page.run(FRAMES)
    centre_of(page, "#score")  # below the episode's page
    page.run(FRAMES)
    clicked = page.run(RANGE)
    if not 0 < clicked[1] - clicked[0] < full[1] - full[0]:
        yield f"a click on an episode shows {clicked} of {full}"
    scales = page.run("tocsin.plots.filter(plot => plot.u && plot.seen).map(plot => [plot.u.scales.x.min, plot.u.scales.x.max])")
    if not scales or any(scale != clicked for scale in scales):
        yield f"plots show {scales}, the page {clicked}"
    if min(page.run(INKS)) == 0:
        yield "a canvas is empty after zooming"
    said = page.run("[location.hash, document.querySelector('.detail h3').textContent]")
    if said[0] != f"#episode-{listed}" or f"Episode {listed} of {listed}" not in said[1]:
        yield f"the last episode was clicked, the page says {said}"
    states = []
    for keys in ("0", "j", "jk", "0"):
        for key in keys:
            page.key(key)
        page.run(FRAMES)
        states.append(page.run(f"[tocsin.chosen, String({RANGE}) === String({full})]"))
    second = 1 if listed > 1 else 0
    if states != [[-1, True], [0, False], [second - 1 if second else 0, False], [-1, True]]:
        yield f"keys 0, j, jk, 0 lead to {states}"


def check_charts(page, kind, where, at_least):
    """Every chart there is has something in it."""
    charts = page.run(CHARTS % where)
    if len(charts) < at_least:
        yield f"{where} has {len(charts)} charts, expected {at_least}: {charts}"
    if page.run(f"[...document.querySelectorAll('{where} .chart')].some(chart => "
                "chart.querySelector('canvas').clientWidth > chart.clientWidth + 1)"):
        yield f"{where}: a chart is wider than its place"
    if kind != "nasty":  # whose channels hold nothing at all, or what no axis can show
        yield from (f"{where}: the chart of {title} is empty" for title, count in charts if count == 0)


def check_pages(page, kind):
    """The page of each of the first episodes, by its address; then one without charts, a link between pages, and the way back."""
    listed = KINDS[kind][0]
    for i in range(min(listed, PAGE_COUNT)):
        page.run(f"location.hash = '#episode-{i + 1}'")
        page.run(FRAMES)
        said = page.run("[tocsin.chosen, document.querySelector('.detail').hidden, document.querySelector('.detail h3').textContent,"
                        " document.querySelector('.detail .sentence').textContent.length > 20, 'hacked' in window]")
        if said[:2] != [i, False] or f"Episode {i + 1} of" not in said[2] or said[3:] != [True, False]:
            yield f"#episode-{i + 1} shows {said}"
        if page.run("document.documentElement.scrollWidth > innerWidth"):
            yield f"#episode-{i + 1} is too wide"
        yield from check_charts(page, kind, ".detail", 3)
        if i < 2 and kind != "one":
            title = ["Where the network looked", "What the detector found nearest"][i]
            if title not in page.run("[...document.querySelectorAll('.detail .chart b')].map(b => b.textContent)"):
                yield f"#episode-{i + 1} has no map of what it was compared with"
        if 0 < i < 3 and "labelled valve <b>stuck</b>" not in page.run("document.querySelector('.detail .beside').textContent"):
            yield f"#episode-{i + 1} does not say what the similar episode was called"
        if page.run("document.querySelectorAll('.detail .beside .likeness').length") != 2 + min(i, 2):
            yield f"#episode-{i + 1} shows not all similar rows"
    if listed > PAGE_COUNT:
        page.run(f"location.hash = '#episode-{PAGE_COUNT + 1}'")
        page.run(FRAMES)
        if page.run("[document.querySelectorAll('.detail dt').length > 6,"
                    " document.querySelectorAll('.detail .chart').length]") != [True, 0]:
            yield "an episode without a page has no facts, or charts of something"
    yield from check_links(page)


def check_links(page):
    """From the page of episode 2 to a similar one, and back to everything by key."""
    page.run("location.hash = '#episode-2'")
    page.run(FRAMES)
    x, y, _ = centre_of(page, ".detail .likeness a")
    page.drag(x, x, y)
    page.run(FRAMES)
    if page.run("[tocsin.chosen, location.hash]") != [0, "#episode-1"]:
        yield "the link to a similar episode leads elsewhere"
    page.key("Escape")
    page.run(FRAMES)
    if page.run("[tocsin.chosen, document.querySelector('.detail').hidden, location.hash]") != [-1, True, ""]:
        yield "Esc does not lead back to all episodes"


def check_picture(page, folder, selector):
    """The button that saves a chart."""
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    x, y, _ = centre_of(page, selector)
    page.drag(x, x, y)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        files = list(folder.glob("*.png"))
        if files and files[0].stat().st_size > 0:
            break
        time.sleep(0.05)
    else:
        yield f"no picture came from {selector}"
        return
    content = files[0].read_bytes()
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:8] != b"\x89PNG\r\n\x1a\n" or width < 200 or height < 100 or len(content) < 1000:
        yield f"{selector} saved {len(content)} bytes, {width} x {height}"
    files[0].unlink()


def check_pictures(page, kind):
    """A main plot's, an episode's and a heat map's picture."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        yield from check_picture(page, folder, "#score .png")
        yield from check_picture(page, folder, "#calibration .png")
        if KINDS[kind][0]:
            page.run("location.hash = '#episode-1'")
            page.run(FRAMES)
            yield from check_picture(page, folder, ".detail .png")
            page.key("0")
            page.run(FRAMES)


def check_mouse(page, full):
    """A drag across the score's plot zooms, and the cursor reads values."""
    x, y, width = centre_of(page, "#score .u-over")
    page.drag(x - width / 4, x + width / 4, y)
    page.run(FRAMES)
    shown = page.run(RANGE)
    share = (shown[1] - shown[0]) / (full[1] - full[0])
    if not 0.4 < share < 0.6:
        yield f"a drag across half the plot shows {share:.2f} of everything"
    page.key("0")
    page.run(FRAMES)
    x, y, width = centre_of(page, "#score .u-over")
    page.drag(x + 5, x + 5, y)
    page.run(FRAMES)
    if not page.run("document.querySelector('#score .now').textContent"):
        yield "the cursor reads nothing"


def check_more(page, kind):
    """The switch for further channels."""
    if page.run("document.querySelector('.more').hidden") is False:
        x, y, _ = centre_of(page, ".more button")
        page.drag(x, x, y)
        page.run(FRAMES)
    count = page.run("document.querySelectorAll('.plot').length")
    if count != KINDS[kind][2]:
        yield f"{count} plots in the end, expected {KINDS[kind][2]}"


def check(page, report, kind):
    """Problems of one report, as sentences."""
    begin = time.monotonic()
    page.open(report.as_uri(), 1440, 1250)
    page.run(FRAMES)
    opened = time.monotonic() - begin
    full = page.run(RANGE)
    yield from check_still(page, kind)
    yield from check_charts(page, kind, "#calibration", 1 + page.run("Number(tocsin.meta.calibration.reliability !== null)"))
    if page.run("tocsin.meta.schema") != "tocsin/report/1":
        yield "the data do not say what schema they follow"
    if KINDS[kind][0]:
        begin = time.monotonic()
        page.run("tocsin.choose(0)")
        page.run(FRAMES)
        chosen = time.monotonic() - begin
        page.run("tocsin.reset()")
        print(f"# {kind}: opened in {opened:.2f} s, an episode's page shown in {chosen:.2f} s")
        if max(opened, chosen) > SECONDS_MAX:
            yield f"too slow: {opened:.2f} s to open, {chosen:.2f} s to show an episode"
        yield from check_episodes(page, kind, full)
        yield from check_pages(page, kind)
    yield from check_pictures(page, kind)
    if kind != "one":
        yield from check_mouse(page, full)
    yield from check_more(page, kind)
    page.call("Emulation.setEmulatedMedia", media="print")
    page.run("dispatchEvent(new Event('beforeprint'))")
    if min(page.run(INKS)) == 0:
        yield "a canvas is empty on paper"
    yield from (f"the page complained: {complaint}" for complaint in page.complaints())
    if report.stat().st_size > 20e6:
        yield f"the file has {report.stat().st_size} bytes"


def photograph(page, report, folder, name, width, height, place, dark):
    page.open(report.as_uri() + place, width, height, dark)
    page.run(FRAMES)
    page.screenshot(folder / name)


def main():
    example, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    kinds = [kind for kind in KINDS if len(sys.argv) < 4 or kind in sys.argv[3:]]
    path = browser.find()
    print(f"1..{len(kinds)}")
    failed = 0
    for number, kind in enumerate(kinds, 1):
        if not path:
            print(f"ok {number} - report in a browser: {kind} # SKIP no Chromium")
            continue
        with tempfile.TemporaryDirectory() as temporary, browser.Browser(path) as page:
            report = pathlib.Path(temporary) / f"{kind}.html"
            subprocess.run([example, kind, report], check=True)
            try:
                problems = list(check(page, report, kind))
                for shot in SCREENSHOTS.get(kind, []):
                    photograph(page, report, folder, *shot)
            except (RuntimeError, OSError) as error:
                problems = [str(error), *page.complaints()]
        failed += bool(problems)
        print(f"{'not ok' if problems else 'ok'} {number} - report in a browser: {kind}", flush=True)
        for problem in problems:
            print("#", problem.replace("\n", " "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
