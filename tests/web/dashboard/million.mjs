// How long a frame of panning and zooming takes, by the number of points that the browser holds.  The page is the real one; only the
// history is made up inside of it, since no request gives a million points at once.

/** In the page: answers the first request for history with so many buckets over the span that was asked for, and later ones not at all, so
 * that frames are measured and not the reading of an answer. */
function fakeHistory(points) {
  const real = window.fetch;
  const make = (from, to) => {
    const step = (to - from) / points;
    const columns = { time: [], value: [], low: [], high: [], expected: [], lower: [], upper: [], score: [] };
    for (let i = 0; i < points; i++) {
      const expected = 50 + 30 * Math.sin(i / points * 60);
      const value = expected + 5 * Math.sin(i * 12.9898) + (i % 99991 === 0 ? 60 : 0);
      columns.time.push(from + i * step);
      columns.value.push(value);
      columns.low.push(value - 1);
      columns.high.push(value + 1);
      columns.expected.push(expected);
      columns.lower.push(expected - 8);
      columns.upper.push(expected + 8);
      columns.score.push(Math.abs(value - expected) / 5);
    }
    return { series: 's', number: 3, step_seconds: step, ...columns };
  };
  let isFirst = true;
  window.fetch = async (target, options) => {
    const url = new URL(String(target), location.href);
    if (url.pathname.endsWith('/history')) {
      const seconds = (name) => Date.parse(url.searchParams.get(name)) / 1000;
      if (!isFirst) return new Promise(() => undefined);
      isFirst = false;
      const text = JSON.stringify(make(seconds('from'), seconds('to')));
      return { ok: true, status: 200, text: async () => text };
    }
    const answer = await real(target, options);
    if (!url.pathname.endsWith('/openapi.json')) return answer;
    const document = await answer.json();
    document.paths['/api/v1/series/{number}/history'] = { get: {} };
    return { ok: true, status: 200, text: async () => JSON.stringify(document) };
  };
}

/** In the page: turns the wheel once a frame, zooming in and out and moving; the time between frames in ms. */
function turnWheel(frames) {
  const over = document.querySelector('.plots .u-over');
  const box = over.getBoundingClientRect();
  return new Promise((done) => {
    const times = [];
    const turn = (time) => {
      times.push(time);
      const i = times.length;
      if (i > frames) {
        done(times.slice(1).map((t, k) => t - times[k]));
        return;
      }
      const isPan = i % 3 === 0;
      over.dispatchEvent(new WheelEvent('wheel', {
        deltaY: isPan ? (i % 2 ? 40 : -40) : (i % 60 < 30 ? -60 : 60), shiftKey: isPan, clientX: box.left + box.width * (0.3 + 0.4 * ((i % 40) / 40)),
        clientY: box.top + 20, bubbles: true, cancelable: true,
      }));
      requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
  });
}

async function measure(page, frames) {
  const client = await page.context().newCDPSession(page);
  await client.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' }).catch(() => undefined); // processor time, not the clock
  await client.send('Performance.enable');
  const busy = async () => Object.fromEntries((await client.send('Performance.getMetrics')).metrics.map((m) => [m.name, m.value])).TaskDuration;
  const before = await busy();
  const intervals = await page.evaluate(turnWheel, frames);
  const cpuMs = ((await busy()) - before) * 1000 / intervals.length;
  intervals.sort((a, b) => a - b);
  return { frames: intervals.length, cpuMs, intervalMs: intervals[Math.floor(intervals.length / 2)] };
}

/** One measurement a size, in turns, the best of three each: other work on the machine only adds. */
export async function compareSizes(open, sizes, frames = 120) {
  const pages = [];
  for (const points of sizes) {
    const page = await open({ script: fakeHistory, argument: points });
    await page.waitForSelector('[data-ready=yes]', { timeout: 60000 });
    pages.push({ points, page });
  }
  const found = sizes.map((points) => ({ points, frames: 0, cpuMs: Infinity, intervalMs: Infinity }));
  for (let round = 0; round < 3; round++)
    for (const [i, { page, points }] of pages.entries()) {
      await page.bringToFront();
      const one = await measure(page, frames);
      found[i] = { points, frames: one.frames, cpuMs: Math.min(one.cpuMs, found[i].cpuMs), intervalMs: Math.min(one.intervalMs, found[i].intervalMs) };
    }
  for (const { page } of pages) {
    await page.screenshot({ path: process.env.TOCSIN_MILLION_PICTURE ?? '/dev/null' }).catch(() => undefined);
    await page.context().close();
    if (page.complaints.length) throw new Error(page.complaints.join('; '));
  }
  return found;
}
