/* What every chart of the page shares: elements, pictures of a canvas, and a plot of lines for what is not a track.
 *
 * A chart is a function of its data, its width and the colours: when one of those changes it is made anew.  Nothing here
 * knows what is shown. */
'use strict';
const charts = (() => {
  const living = new Map(); // by what they are drawn in; those no longer in the page are forgotten
  const widths = new ResizeObserver((entries) => { // of the window, or because another chart came to stand beside it
    for (const { target } of entries) {
      const chart = living.get(target);
      if (!target.isConnected) forget(target);
      else if (chart && target.clientWidth !== chart.width) chart.draw();
    }
  });
  function forget(body) {
    widths.unobserve(body);
    living.delete(body);
  }

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // ---- pictures ----

  const fileName = (title) => `${document.title} ${title}`.replace(/[^\p{L}\p{N}.-]+/gu, '_').slice(0, 100) + '.png';

  /* The canvas below its title, on the colour of the page. */
  function picture(canvas, title) {
    const pixel = devicePixelRatio, margin = 12 * pixel, head = 30 * pixel, copy = make('canvas'), { color } = tocsin;
    copy.width = canvas.width + 2 * margin;
    copy.height = canvas.height + head + margin;
    const ctx = copy.getContext('2d');
    ctx.fillStyle = color.card;
    ctx.fillRect(0, 0, copy.width, copy.height);
    ctx.fillStyle = color.ink;
    ctx.font = `600 ${14 * pixel}px system-ui, sans-serif`;
    ctx.fillText(title, margin, 20 * pixel, canvas.width);
    ctx.drawImage(canvas, margin, head);
    return copy;
  }
  function save(canvas, title) {
    picture(canvas, title).toBlob((blob) => {
      const link = make('a', { href: URL.createObjectURL(blob), download: fileName(title) });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    }, 'image/png');
  }
  /* source: gives the canvas, as it then is, and its title. */
  function button(source) {
    const element = make('button', { type: 'button', class: 'png', title: 'Save this chart as a picture', 'aria-label': 'Save this chart as PNG' }, 'PNG');
    element.addEventListener('click', () => save(...source()));
    return element;
  }

  // ---- figures ----

  /* spec: title, note, and draw(body), which fills it, measures included. */
  function figure(parent, spec) {
    const body = make('div', { role: 'img', 'aria-label': spec.label ?? `${spec.title} ${spec.note ?? ''}` });
    const now = make('span', { class: 'now' });
    const caption = make('figcaption', {}, make('b', {}, spec.title), spec.note ? make('small', {}, spec.note) : '', now,
      button(() => [body.querySelector('canvas'), spec.title]));
    const chart = { spec, body, now, element: make('figure', { class: 'chart' }, caption, body) };
    if (spec.key) caption.append(keyOf(spec.key));
    chart.draw = () => {
      chart.width = body.clientWidth;
      if (!chart.width) return;
      body.replaceChildren();
      spec.draw(body, chart);
    };
    parent.append(chart.element);
    chart.draw();
    living.set(body, chart);
    widths.observe(body);
    return chart;
  }
  function keyOf(entries) {
    const key = make('span', { class: 'key' });
    for (const [css, text, line] of entries) key.append(make('span', {}, make('i', { class: line ? 'line' : '', style: `background:var(--${css})` }), text));
    return key;
  }
  function redraw() {
    for (const [body, chart] of living) {
      if (body.isConnected) chart.draw();
      else forget(body);
    }
  }

  // ---- lines ----

  const FONT = '12px system-ui, sans-serif';

  function scaleOf({ log, range }) {
    return { time: false, ...(log ? { distr: 3 } : {}), ...(range ? { range: () => range } : {}) };
  }
  /* Logarithmic axes have lines and numbers at powers of ten alone. */
  const powers = (u, at) => at.map((v) => v > 0 && Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-9 ? v : null);
  function axisOf({ log, space }, values, size) {
    const { color } = tocsin;
    return {
      stroke: color.soft, ticks: { show: false }, size, values, font: FONT, ...(space ? { space } : {}), ...(log ? { filter: powers } : {}),
      grid: { stroke: color.grid, width: 1, ...(log ? { filter: powers } : {}) },
    };
  }
  /* Spans of x behind the lines: [from, to, colour]. */
  function shade(u, spans) {
    const { ctx, bbox } = u, pixel = devicePixelRatio;
    ctx.save();
    for (const [from, to, css] of spans) {
      const x0 = Math.max(bbox.left, u.valToPos(from, 'x', true)), x1 = Math.min(bbox.left + bbox.width, u.valToPos(to, 'x', true));
      ctx.fillStyle = tocsin.color[css];
      ctx.fillRect(x0, bbox.top, Math.max(x1 - x0, 2 * pixel), bbox.height);
    }
    ctx.restore();
  }
  function seriesOf({ css, dash, width, points }) {
    const stroke = css ? tocsin.color[css] : 'transparent';
    return { stroke, width: css ? width ?? 1.5 : 0, dash: dash ?? [], points: points ? { show: true, size: 7, fill: stroke } : css && !dash ? { size: 4, space: 12 } : { show: false } };
  }

  /* spec: x, columns [{ values, css, dash, width, points }], bands [[high, low]] by column, spans, isTime, height, and xAxis, yAxis:
   * { log, range, label(value) }; say(i): what the cursor reads. */
  function lines(parent, spec) {
    const { axisNumbers, timeLabels } = tocsin.tools;
    const xAxis = spec.xAxis ?? {}, yAxis = spec.yAxis ?? {};
    spec.draw = (body, chart) => {
      const label = (axis) => axis.label ? (u, at) => at.map((v) => v === null ? '' : axis.label(v)) : axisNumbers;
      chart.u = new uPlot({
        width: body.clientWidth, height: spec.height ?? 190, ms: 1, tzDate: (x) => uPlot.tzDate(new Date(x), 'Etc/UTC'), padding: [8, 12, 0, 0],
        legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { size: 6 } },
        scales: { x: spec.isTime ? { time: true } : scaleOf(xAxis), y: scaleOf(yAxis) },
        series: [{}, ...spec.columns.map(seriesOf)],
        bands: (spec.bands ?? []).map(([high, low]) => ({ series: [high + 1, low + 1], fill: tocsin.color.band })),
        axes: [axisOf(xAxis, spec.isTime ? timeLabels : label(xAxis), spec.isTime ? 42 : 28), axisOf(yAxis, label(yAxis), 64)],
        hooks: {
          drawAxes: [(u) => shade(u, spec.spans ?? [])],
          setCursor: [(u) => { chart.now.textContent = u.cursor.idx === null || u.cursor.idx === undefined || !spec.say ? '' : spec.say(u.cursor.idx); }],
        },
      }, [spec.x, ...spec.columns.map((column) => column.values)], body);
    };
    return figure(parent, spec);
  }

  return { make, button, save, picture, figure, lines, redraw };
})();
