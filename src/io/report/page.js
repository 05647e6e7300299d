/* The plots of a report.
 *
 * The page carries its numbers as base64 (see src/io/report_data.h for the layout); they are decoded once into typed arrays.
 * One range of x is shown by every plot.  Whenever it changes, each track is decimated to the pixels there are (lowest and highest
 * value a bucket, so that no spike vanishes) from the finest level that covers the range, and uPlot draws the result.
 * x is milliseconds since 1970 when there are times, otherwise the row.
 * chart.js comes before this script, episode.js and calibration.js behind it; they meet in window.tocsin. */
'use strict';
(() => {
  const PLOTS_FIRST = 12, HEIGHT = 168, AXIS = 64, MARGIN_ROWS = 150;
  const { make } = charts;
  const $ = (selector) => document.querySelector(selector);
  const meta = JSON.parse($('#data-meta').textContent);
  const last = meta.rows - 1;

  // ---- decoding ----

  function decode(id, type) {
    const element = document.getElementById(id), text = atob(element.textContent), bytes = new Uint8Array(text.length);
    element.remove();
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new type(bytes.buffer); // little-endian, as every processor that runs a browser today
  }

  /* Levels of a track as views into one array.  kind: entries per band, 0 for none. */
  function decodeTrack(id, about, kind) {
    const all = decode(id, Float32Array), levels = [];
    let at = 0;
    for (const [row, rows, stride, bandStride] of meta.levels) {
      const n = Math.ceil(rows / stride), per = stride > 1 ? 2 : 1, bands = Math.ceil(rows / bandStride) * kind;
      levels.push({ row, rows, stride, bandStride, n, per, values: all.subarray(at, at + n * per), band: all.subarray(at + n * per, at + n * per + bands) });
      at += n * per + bands;
    }
    return { ...about, kind, levels };
  }

  // ---- rows and x ----

  const points = meta.times ? decode('data-times', Float64Array) : null; // row, ms, row, ms, ...

  function interpolate(from, to, x) { // piecewise linear, from = 0: row to ms, from = 1: ms to row
    let a = 0, b = points.length / 2 - 1;
    while (b - a > 1) {
      const middle = (a + b) >> 1;
      if (points[2 * middle + from] <= x) a = middle; else b = middle;
    }
    const x0 = points[2 * a + from], x1 = points[2 * b + from], y0 = points[2 * a + to], y1 = points[2 * b + to];
    return x1 > x0 ? y0 + (y1 - y0) * (x - x0) / (x1 - x0) : y0;
  }
  const toX = (row) => points ? interpolate(0, 1, row) : row;
  const toRow = (x) => points ? interpolate(1, 0, x) : x;

  const full = (() => {
    const a = toX(0), b = toX(last), margin = b > a ? 0 : points ? 1000 : 0.5;
    return { min: a - margin, max: b + margin };
  })();
  const view = { min: full.min, max: full.max };
  const gap = meta.times ? 10 * meta.step : Infinity;
  let chosen = -1; // index of the episode that is looked at

  /* Other scripts of the page that want to know when an episode is chosen, or colours change. */
  const listeners = { choose: [], repaint: [] };
  function tell(what) {
    for (const listener of listeners[what]) listener();
  }

  // ---- words ----

  const pad = (n, width = 2) => String(n).padStart(width, '0');
  function place(x) {
    if (!points) return 'row ' + Math.round(x).toLocaleString('en');
    const d = new Date(x);
    let text = `${d.getUTCFullYear()}-${pad(d.getUTCMonth() + 1)}-${pad(d.getUTCDate())} ${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}`;
    if (meta.step % 60000 !== 0 || d.getUTCSeconds()) text += ':' + pad(d.getUTCSeconds());
    if (meta.step < 1000) text += '.' + pad(d.getUTCMilliseconds(), 3);
    return text;
  }
  function duration(from, to) {
    if (!points) return `${Math.max(1, Math.round(to - from) + 1).toLocaleString('en')} rows`;
    const units = [[864e5, 'd'], [36e5, 'h'], [6e4, 'min'], [1e3, 's'], [1, 'ms']];
    const ms = to - from, i = units.findIndex(([size]) => ms >= size);
    if (i < 0) return '0 s';
    const whole = Math.floor(ms / units[i][0]), rest = i + 1 < 4 ? Math.floor(ms % units[i][0] / units[i + 1][0]) : 0;
    return `${whole} ${units[i][1]}` + (rest && whole < 100 ? ` ${rest} ${units[i + 1][1]}` : '');
  }
  function number(value, digits = 6) {
    if (value === null || value === undefined || Number.isNaN(value)) return '–';
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-4 || size >= 1e9)) return value.toExponential(3);
    return String(+value.toPrecision(digits));
  }
  // ---- decimation ----

  /* What a track shows in rows [a, b] with about `width` buckets: columns for uPlot. */
  function sample(track, a, b, width) {
    let level = track.levels[0];
    for (const l of track.levels)
      if (l.row <= a && b < l.row + l.rows && (l.stride < level.stride || (l.stride === level.stride && l.bandStride < level.bandStride))) level = l;
    const { stride, values, per, band, bandStride } = level, { centre, scale } = track;
    const first = Math.max(0, Math.floor((a - level.row) / stride) - 1), end = Math.min(level.n, Math.ceil((b - level.row) / stride) + 2);
    const step = Math.max(1, Math.ceil((end - first) / width)), single = step === 1 && per === 1;
    const x = [], y = [], e = [], low = [], high = [];
    const bandAt = (from, to) => { // of entries that cover rows [from, to] of the level
      if (track.kind === 0) return [null, null, null];
      const i0 = Math.floor(from / bandStride), i1 = Math.floor(to / bandStride);
      if (track.kind === 1) return [number0(band[i1]), null, null];
      let l = Infinity, h = -Infinity;
      for (let i = i0; i <= i1; i++) {
        if (band[3 * i + 1] < l) l = band[3 * i + 1];
        if (band[3 * i + 2] > h) h = band[3 * i + 2];
      }
      return [number0(band[3 * ((i0 + i1) >> 1)]), l <= h ? number0(l) : null, l <= h ? number0(h) : null];
    };
    const number0 = (f) => f === f ? centre + scale * f : null;
    const push = (px, value, [expected, l, h]) => {
      x.push(px); y.push(value); e.push(expected); low.push(l); high.push(h);
    };
    const rowsEnd = (i) => Math.min(level.rows, i * stride) - 1;
    let before = null; // x of the last row of the bucket before
    for (let i = first, stop; i < end; i = stop) {
      const r0 = i * stride, x0 = toX(level.row + r0);
      let r1 = rowsEnd(stop = Math.min(end, i + step)), x1 = single ? x0 : toX(level.row + r1);
      if (x1 - x0 > gap + 3 * meta.step * (r1 - r0)) { // time stands still inside: end the bucket before
        for (stop = i + 1; stop < end && toX(level.row + rowsEnd(stop + 1)) - toX(level.row + rowsEnd(stop)) <= gap; stop++);
        stop = Math.min(stop, i + step, end);
        r1 = rowsEnd(stop);
        x1 = Math.min(toX(level.row + r1), x0 + 3 * meta.step * (r1 - r0));
      }
      const parts = bandAt(r0, r1);
      if (before !== null && x0 - before > gap) push((before + x0) / 2, null, [null, null, null]);
      before = x1;
      if (single) { push(x0, number0(values[i]), parts); continue; }
      let l = Infinity, h = -Infinity;
      for (let k = i * per; k < stop * per; k++) {
        const f = values[k];
        if (f < l) l = f;
        if (f > h) h = f;
      }
      push(x0 + (x1 - x0) * 0.25, l <= h ? centre + scale * l : null, parts);
      push(x0 + (x1 - x0) * 0.75, l <= h ? centre + scale * h : null, parts);
    }
    return { x, y, e, low, high, full: single };
  }

  // ---- colours ----

  let color = {};
  function readColors() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['data', 'band', 'expected', 'alarm', 'alarm-soft', 'alarm-chosen', 'ink', 'soft', 'grid', 'card', 'label', 'quiet'])
      color[name] = style.getPropertyValue('--' + name).trim();
  }

  // ---- one plot ----

  const DAY = 864e5;
  const timeLabels = [ // step, usual, then what is added when a larger unit turns over
    [365 * DAY, '{YYYY}', null, null, null, null, null, null, 1],
    [28 * DAY, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
    [DAY, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
    [6e4, '{HH}:{mm}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
    [1e3, '{HH}:{mm}:{ss}', '\n{D} {MMM} {YYYY}', null, '\n{D} {MMM}', null, null, null, 1],
    [1, '{ss}.{fff}', '\n{HH}:{mm}', null, '\n{D} {MMM}', null, '\n{HH}:{mm}', null, 1],
  ];

  /* Shades episodes (and, in the score's plot, labels) behind the lines. */
  function shade(u, labels) {
    const { ctx, bbox } = u, a = toRow(view.min), b = toRow(view.max), pixel = devicePixelRatio;
    const span = (begin, end) => {
      const x0 = Math.max(bbox.left, u.valToPos(toX(begin), 'x', true)), x1 = Math.min(bbox.left + bbox.width, u.valToPos(toX(end - 1), 'x', true));
      return [x0, Math.max(x1 - x0, 2 * pixel)];
    };
    ctx.save();
    meta.episodes.forEach((episode, i) => {
      if (episode.end <= a || episode.begin > b) return;
      const [x, width] = span(episode.begin, episode.end);
      ctx.fillStyle = i === chosen ? color['alarm-chosen'] : color['alarm-soft'];
      ctx.fillRect(x, bbox.top, width, bbox.height);
      ctx.fillStyle = color.alarm;
      ctx.fillRect(x, bbox.top, width, 2 * pixel);
    });
    if (labels && meta.labels) {
      ctx.fillStyle = color.label;
      for (let i = 0; i < meta.labels.length; i += 2) {
        if (meta.labels[i + 1] <= a || meta.labels[i] > b) continue;
        const [x, width] = span(meta.labels[i], meta.labels[i + 1]);
        ctx.fillRect(x, bbox.top + bbox.height - 6 * pixel, width, 6 * pixel);
      }
    }
    ctx.restore();
  }

  function axisNumbers(u, at) { // with as many digits as tell two neighbours apart
    const shown = at.filter((v) => v !== null), step = shown.length > 1 ? Math.abs(shown[1] - shown[0]) : 0;
    const digits = step > 0 ? Math.ceil(Math.log10(Math.max(...shown.map(Math.abs)) / step)) + 1 : 6;
    return at.map((v) => v === null ? '' : number(v, Math.min(15, Math.max(6, digits))));
  }

  /* Values whose axis would be unreadable are drawn as multiples of a power of ten. */
  function unitOf(track) {
    const size = Math.max(Math.abs(track.low), Math.abs(track.high));
    if (!(size > 0) || (size < 1e9 && size > 1e-5)) return { factor: 1, text: '' };
    const power = 3 * Math.floor(Math.log10(size) / 3);
    return { factor: 10 ** power, text: ` ×10^${power}` };
  }

  const plots = [];

  function makePlot(stack, track) {
    const isScore = track.name === undefined, unit = unitOf(track);
    const title = isScore ? 'Anomaly score' : track.name;
    const note = (track.low === null ? ' has no usable value' : '') + (track.unit ? ` [${track.unit}]` : '') + unit.text;
    const now = make('span', { class: 'now' }), badge = make('span', { class: 'badge' });
    const body = make('div', { role: 'img', 'aria-label': `Plot of ${title}${note}` });
    const article = make('article', { class: 'plot card', id: isScore ? 'score' : 'channel-' + track.slot },
      make('header', {}, make('h3', {}, title, make('small', {}, note)), badge, now, charts.button(() => [plot.u.ctx.canvas, title + note])), body);
    stack.append(article);
    const divide = (column) => unit.factor === 1 ? column : column.map((v) => v === null ? null : v / unit.factor);
    const threshold = isScore && track.threshold !== null ? track.threshold / unit.factor : null;
    const wide = isScore && threshold > 0 && track.high / unit.factor > 25 * threshold;
    const plot = { article, track, badge, u: null, columns: null };
    const options = () => ({
      width: body.clientWidth || 900, height: HEIGHT, ms: 1, tzDate: (x) => uPlot.tzDate(new Date(x), 'Etc/UTC'),
      padding: [6, 10, 0, 0], legend: { show: false },
      cursor: { sync: { key: 'tocsin' }, drag: { x: true, y: false, setScale: false }, points: { size: 6 }, bind: { dblclick: () => () => { show(full.min, full.max); } } },
      scales: {
        x: { time: !!points, range: () => [view.min, view.max] },
        y: wide ? { distr: 4, asinh: threshold, range: (u, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, threshold) * 1.3] }
          : isScore && threshold !== null ? { range: (u, low, high) => uPlot.rangeNum(Math.min(low ?? threshold, threshold), Math.max(high ?? threshold, threshold), 0.08, true) }
          : { range: (u, low, high) => low === null ? [0, 1] : uPlot.rangeNum(low, high, 0.1, true) },
      },
      series: [{},
        { stroke: color.data, width: 1.25, points: { size: 4, space: 12 } },
        { stroke: isScore ? color.alarm : color.expected, width: 1, dash: isScore ? [5, 4] : [], points: { show: false } },
        { stroke: 'transparent', width: 0, points: { show: false } }, { stroke: 'transparent', width: 0, points: { show: false } }],
      bands: [{ series: [4, 3], fill: color.band }],
      axes: [
        { stroke: color.soft, grid: { stroke: color.grid, width: 1 }, ticks: { show: false }, size: points ? 42 : 28, values: points ? timeLabels : (u, at) => at.map((v) => Number.isInteger(v) ? v.toLocaleString('en') : ''), font: '12px system-ui, sans-serif' },
        { stroke: color.soft, grid: { stroke: color.grid, width: 1 }, ticks: { show: false }, size: AXIS, values: axisNumbers, font: '12px system-ui, sans-serif' },
      ],
      hooks: {
        drawAxes: [(u) => shade(u, isScore)],
        setSelect: [(u) => {
          if (u.select.width < 3) return;
          const min = u.posToVal(u.select.left, 'x'), max = u.posToVal(u.select.left + u.select.width, 'x');
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          show(min, max);
        }],
        setCursor: [(u) => readout(u.cursor.idx)],
      },
    });
    function readout(i) {
      now.textContent = '';
      if (i === null || i === undefined || !plot.columns || i >= plot.columns.x.length) return;
      const c = plot.columns;
      now.append(place(c.x[i]) + ' · ', make('b', {}, number(c.y[i])));
      if (isScore) now.append(threshold !== null ? ` · threshold ${number(threshold)}` : c.e[i] !== null ? ` · threshold ${number(c.e[i])}` : '');
      else if (c.low[i] !== null) now.append(` · expected ${number(c.low[i])} to ${number(c.high[i])}`);
    }
    plot.draw = () => {
      const width = body.clientWidth;
      if (!width) return;
      const c = sample(track, toRow(view.min), toRow(view.max), Math.max(200, Math.round(width)));
      plot.columns = { ...c, y: divide(c.y), e: isScore && threshold !== null ? c.x.map(() => threshold) : divide(c.e), low: divide(c.low), high: divide(c.high) };
      const data = [c.x, plot.columns.y, plot.columns.e, plot.columns.low, plot.columns.high];
      if (!plot.u) { plot.u = new uPlot(options(), data, body); return; }
      if (plot.u.width !== width) plot.u.setSize({ width, height: HEIGHT });
      plot.u.setData(data);
    };
    plot.drop = () => {
      if (plot.u) plot.u.destroy();
      plot.u = null;
    };
    plots.push(plot);
    watcher.observe(article);
    return plot;
  }

  // ---- what is drawn when ----

  /* Plots out of sight wait until they come into it. */
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const plot = plots.find((p) => p.article === entry.target);
      plot.seen = entry.isIntersecting;
      if (plot.seen && plot.stale !== false) { plot.stale = false; plot.draw(); }
    }
  }, { rootMargin: '400px' });

  let pending = false;
  function redraw(everything = false) {
    for (const plot of plots) plot.stale = true;
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      for (const plot of plots) if (plot.seen || everything) { plot.stale = false; plot.draw(); }
      drawNavigator();
      describe();
    });
  }
  function show(min, max) {
    const least = points ? Math.max(meta.step * 2, 0.01) : 2;
    if (!(max - min >= least)) { const middle = (min + max) / 2; min = middle - least / 2; max = middle + least / 2; }
    view.min = Math.max(full.min, min);
    view.max = Math.min(full.max, max);
    if (!(view.max > view.min)) { view.min = full.min; view.max = full.max; }
    redraw();
  }
  function move(shift, zoom) {
    const width = (view.max - view.min) * zoom, middle = (view.min + view.max) / 2 + shift * (view.max - view.min);
    const min = Math.min(Math.max(full.min, middle - width / 2), Math.max(full.min, full.max - width));
    show(min, min + width);
  }
  function explainColors() {
    const swatch = (css, text, line) => $('.key').append(make('span', {}, make('i', { class: line ? 'line' : '', style: `background:var(--${css})` }), text));
    swatch('data', 'value', true);
    if (meta.band) { swatch('expected', 'expected', true); swatch('band', 'expected band'); }
    if (score.threshold !== null || score.varies) swatch('alarm', 'threshold', true);
    if (meta.episodes.length) swatch('alarm-chosen', 'episode');
    if (meta.labels) swatch('label', 'labelled (only to compare with: not used)');
  }
  function describe() {
    const output = $('.range'), all = view.min <= full.min && view.max >= full.max;
    output.textContent = all ? 'Everything' : `${place(view.min)} to ${place(view.max)}`;
    output.append(make('small', {}, duration(view.min, view.max) + (points ? ' · UTC' : '') + (all ? ' · drag across a plot to zoom' : '')));
  }

  // ---- the navigator: the whole score, and which part of it is shown ----

  const navigator = $('.navigator'), navigatorCanvas = $('.navigator canvas'), navigatorWindow = $('.navigator .window');
  let outline = null;
  function drawNavigator() {
    const width = navigator.clientWidth, height = navigator.clientHeight, pixel = devicePixelRatio, ctx = navigatorCanvas.getContext('2d');
    navigatorCanvas.width = width * pixel;
    navigatorCanvas.height = height * pixel;
    ctx.scale(pixel, pixel);
    if (!outline || outline.width !== width) outline = { width, ...sample(score, 0, last, width) };
    const toPixel = (x) => (x - full.min) / (full.max - full.min) * width;
    const low = Math.min(score.low, score.threshold ?? score.low), high = Math.max(score.high, score.threshold ?? score.high);
    const knee = score.threshold > 0 && high > 25 * score.threshold ? score.threshold : Infinity; // as the score's own axis
    const bend = (v) => knee === Infinity ? v : Math.asinh(v / knee);
    const toHeight = (v) => height - 3 - (high > low ? (bend(v) - bend(low)) / (bend(high) - bend(low)) : 0) * (height - 9);
    for (const [i, episode] of meta.episodes.entries()) {
      const x = toPixel(toX(episode.begin)), w = Math.max(2, toPixel(toX(episode.end - 1)) - x);
      ctx.fillStyle = color[i === chosen ? 'alarm-chosen' : 'alarm-soft'];
      ctx.fillRect(x, 0, w, height);
      ctx.fillStyle = color.alarm;
      ctx.fillRect(x, 0, w, 3);
    }
    ctx.strokeStyle = color.data;
    ctx.beginPath();
    let open = false;
    outline.x.forEach((x, i) => {
      const px = toPixel(x), py = outline.y[i] === null ? 0 : toHeight(outline.y[i]);
      if (outline.y[i] === null) { open = false; return; }
      if (open) ctx.lineTo(px, py); else { ctx.moveTo(px - 1, py); ctx.lineTo(px, py); } // a lone point is a short line
      open = true;
    });
    ctx.stroke();
    const left = toPixel(view.min), right = toPixel(view.max);
    navigatorWindow.style.left = left + 'px';
    navigatorWindow.style.width = Math.max(4, right - left) + 'px';
    navigatorWindow.hidden = right - left > width - 1;
  }
  function listenToNavigator() {
    let begin = null;
    const at = (event) => full.min + (event.clientX - navigator.getBoundingClientRect().left) / navigator.clientWidth * (full.max - full.min);
    navigator.addEventListener('pointerdown', (event) => { begin = at(event); navigator.setPointerCapture(event.pointerId); });
    navigator.addEventListener('pointermove', (event) => {
      const end = at(event);
      if (begin !== null && Math.abs(end - begin) > (full.max - full.min) * 0.003) show(Math.min(begin, end), Math.max(begin, end));
    });
    navigator.addEventListener('pointerup', (event) => { // a click moves what is shown there
      const end = at(event), half = (view.max - view.min) / 2;
      if (begin !== null && Math.abs(end - begin) <= (full.max - full.min) * 0.003 && half * 2 < full.max - full.min) show(end - half, end + half);
      begin = null;
    });
    navigator.addEventListener('dblclick', () => show(full.min, full.max));
  }

  // ---- episodes ----

  const rows = [...document.querySelectorAll('tr[data-episode]')];

  function choose(i) {
    chosen = i;
    rows.forEach((row, k) => row.setAttribute('aria-current', k === i));
    for (const plot of plots) markShare(plot);
    tell('choose');
    if (i < 0) { redraw(); return; }
    const episode = meta.episodes[i], margin = Math.max(MARGIN_ROWS, 2 * (episode.end - episode.begin));
    const list = $('.list'); // scrolls by itself where it stands beside the plots; where it stands above them, the plots are wanted
    list.scrollTop += Math.min(0, rows[i].getBoundingClientRect().top - list.getBoundingClientRect().top - 4)
      + Math.max(0, rows[i].getBoundingClientRect().bottom - list.getBoundingClientRect().bottom + 4);
    if (matchMedia('(max-width: 960px)').matches) $('#plots').scrollIntoView();
    history.replaceState(null, '', '#episode-' + (i + 1));
    show(toX(Math.max(0, episode.begin - margin)), toX(Math.min(last, episode.end - 1 + margin)));
  }
  function markShare(plot) {
    const share = chosen < 0 ? null : meta.episodes[chosen].shares.find(([channel]) => channel === plot.track.index);
    const counts = !!share && share[1] >= 0.01;
    plot.badge.textContent = counts ? `${Math.round(100 * share[1])} % of episode ${chosen + 1}` : '';
    plot.article.classList.toggle('carries', counts && share[1] >= 0.1);
    plot.article.style.order = plot.track.slot === undefined ? -2000 : counts ? -Math.round(1000 * share[1]) : 0; // carriers first
  }
  function step(by) {
    if (meta.episodes.length) choose(Math.min(meta.episodes.length - 1, Math.max(0, chosen < 0 && by < 0 ? 0 : chosen + by)));
  }
  function reset() {
    history.replaceState(null, '', location.pathname + location.search);
    view.min = full.min;
    view.max = full.max;
    choose(-1);
  }

  // ---- channels ----

  const channels = meta.channels.map((c, slot) => ({ ...c, slot }));
  function showChannels(count) {
    for (let slot = plots.length - 1; slot < Math.min(count, channels.length); slot++)
      markShare(makePlot($('.stack'), decodeTrack('data-channel-' + slot, channels[slot], meta.band ? 3 : 0)));
    const left = channels.length - (plots.length - 1);
    $('.more').hidden = left <= 0;
    $('[data-action=more]').textContent = `Show ${left} more channel${left === 1 ? '' : 's'}`;
  }
  function follow() { // the address may name an episode or a channel
    const [, kind, text] = /^#(episode|channel)-(\d+)$/.exec(location.hash) || [];
    if (kind === 'episode' && meta.episodes[text - 1]) choose(text - 1);
    if (kind === 'channel' && channels[text]) {
      showChannels(+text + 1);
      document.getElementById('channel-' + text).scrollIntoView({ block: 'center' });
    }
  }

  // ---- begin ----

  readColors();
  const score = decodeTrack('data-score-0', meta.score, meta.score.varies ? 1 : 0);
  $('.toolbar').hidden = false;
  makePlot($('.stack'), score);
  showChannels(PLOTS_FIRST);
  listenToNavigator();
  redraw();

  const actions = { next: () => step(1), previous: () => step(-1), reset, more: () => showChannels(channels.length) };
  for (const button of document.querySelectorAll('[data-action]')) button.addEventListener('click', () => actions[button.dataset.action]());
  for (const row of rows)
    row.addEventListener('click', (event) => {
      if (event.target.closest('a.share')) return;
      event.preventDefault();
      choose(+row.dataset.episode);
    });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const keys = { j: () => step(1), k: () => step(-1), 0: reset, Escape: reset, '+': () => move(0, 0.5), '-': () => move(0, 2), ArrowLeft: () => move(-0.25, 1), ArrowRight: () => move(0.25, 1) };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  addEventListener('hashchange', follow);
  addEventListener('resize', () => redraw());
  const repaint = () => { readColors(); for (const plot of plots) plot.drop(); redraw(); tell('repaint'); };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
  addEventListener('beforeprint', () => { // paper is white
    document.documentElement.classList.add('paper');
    readColors();
    for (const plot of plots) { plot.drop(); plot.draw(); }
    drawNavigator();
    tell('repaint');
  });
  addEventListener('afterprint', () => { document.documentElement.classList.remove('paper'); repaint(); });
  listeners.repaint.push(charts.redraw);
  explainColors();
  for (const row of rows) row.removeAttribute('id'); // from here on #episode-1 is ours: the browser shall not scroll to the row
  if (/^#episode-/.test(location.hash)) scrollTo({ top: 0, behavior: 'instant' });
  follow();

  window.tocsin = { // for the scripts below, tests and the curious
    view, full, plots, choose, reset, show, step, meta, listeners, channels, score, get chosen() { return chosen; }, get color() { return color; },
    tools: { $, make, number, place, duration, toX, unitOf, axisNumbers, timeLabels, hasTimes: !!points },
  };
})();
