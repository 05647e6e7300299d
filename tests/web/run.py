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

import browser

# kind: episodes listed, plots at first, plots after "show more"
KINDS = {"plain": (6, 6, 6), "million": (40, 2, 2), "eight": (12, 9, 9), "wide": (5, 13, 65), "online": (4, 2, 2), "quiet": (0, 3, 3),
         "one": (0, 2, 2), "nasty": (3, 7, 7)}
# kind: name, width, height, place, dark
SCREENSHOTS = {"plain": [("report.png", 1440, 1250, "#episode-2", False), ("report-dark.png", 1440, 1250, "#episode-2", True),
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
    page.open(report.as_uri(), 1440, 1250)
    page.run(FRAMES)
    full = page.run(RANGE)
    yield from check_still(page, kind)
    if KINDS[kind][0]:
        yield from check_episodes(page, kind, full)
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
