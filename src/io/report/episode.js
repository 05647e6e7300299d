/* The page of one episode: what was found about it, drawn when it is chosen.
 *
 * Facts come from data-meta, the rest from the episode's own element of JSON (src/io/report_pages.h), which is read when the episode is
 * looked at for the first time.  Only the first episodes have one; the others have facts, and the plots of the rows around them. */
(() => {
  const { meta, channels, tools } = tocsin, { $, make, number, place, duration, toX, unitOf } = tools;
  const STORIES_FIRST = 3, ROW_HEIGHT = 20, HEAT_AXIS = 18;
  const detail = $('.detail'), listRows = [...document.querySelectorAll('tr[data-episode]')], pages = new Map();

  function pageOf(i) {
    if (!pages.has(i)) {
      const element = document.getElementById('data-episode-' + i);
      pages.set(i, element ? JSON.parse(element.textContent) : null);
    }
    return pages.get(i);
  }
  const percent = (share) => `${Math.round(100 * share)} %`;
  const linkTo = (index, name) => {
    const slot = channels.findIndex((c) => c.index === index);
    return slot < 0 ? make('span', {}, name) : make('a', { href: '#channel-' + slot, title: name }, name);
  };

  // ---- facts ----

  function facts(episode, i) {
    const list = make('dl'), begin = toX(episode.begin), end = toX(episode.end - 1), rows = episode.end - episode.begin;
    const line = (name, text) => { if (text !== null) list.append(make('div', {}, make('dt', {}, name), make('dd', {}, text))); };
    const known = (value, text) => value === null || value === undefined ? null : text ?? number(value, 4);
    line('What', episode.kind);
    line('State', episode.state);
    line('Onset', place(begin));
    line('Confirmed', known(episode.confirmed, episode.confirmed === null ? '' : place(toX(episode.confirmed))));
    line('Peak', place(toX(episode.peak)));
    line('Last row', place(end));
    line('Length', (tools.hasTimes && end > begin ? duration(begin, end) + ', ' : '') + `${rows.toLocaleString('en')} row${rows === 1 ? '' : 's'}`);
    line('Severity', String(Math.round(episode.severity)));
    line('Score', number(episode.score) + (episode.threshold !== null ? `, threshold ${number(episode.threshold, 4)}` : ''));
    line('p-value of the peak', known(episode.p));
    line('Probability', known(episode.probability, percent(episode.probability)));
    line('By chance', listRows[i].querySelector('.chance').lastChild.textContent + (meta.times ? ' in all rows looked at' : ''));
    line('Noise of the score', known(episode.noise));
    line('Doubt of the model', known(episode.doubt));
    return list;
  }
  function parts(episode) {
    const list = make('div', { class: 'parts', 'aria-label': 'Channels that carry the episode' });
    for (const [channel, share, name] of episode.shares) {
      if (share < 0.01) continue;
      list.append(make('div', { class: 'part' }, linkTo(channel, name), make('span', { class: 'bar' }, make('i', { style: `width:${100 * share}%` })), make('b', {}, percent(share))));
    }
    if (episode.shares.length === 0) list.append('This detector cannot say which channels carry an episode.');
    return list;
  }

  // ---- courses ----

  /* Columns of a course in buckets: x, and per name values; two points a bucket where that is more than a row. */
  function columnsOf(where, course, names, unit) {
    const { from, to, stride } = where, value = (q) => q === null || q === undefined ? null : (course.floor + course.step * q) / unit.factor;
    const columns = { x: [] };
    for (const [name] of names) columns[name] = [];
    course.least.forEach((unused, k) => {
      const first = from + k * stride, last = Math.min(to, first + stride) - 1, x0 = toX(first), x1 = toX(last);
      for (const side of stride > 1 ? [0, 1] : [0]) {
        columns.x.push(stride > 1 ? x0 + (x1 - x0) * (0.25 + 0.5 * side) : x0);
        for (const [name, least, most] of names) columns[name].push(value((side && course[most] ? course[most] : course[least] ?? [])[k]));
      }
    });
    return columns;
  }
  const unitFor = (...courses) => unitOf(courses.reduce(({ low, high }, c) => ({ low: Math.min(low, c.floor), high: Math.max(high, c.floor + c.step * 20000) }), { low: Infinity, high: -Infinity }));
  const inDrawing = (episode) => [[toX(episode.begin), toX(episode.end - 1), 'alarm-soft']];

  function storyNote(story) {
    let text = ` ${percent(story.share)}`;
    if (story.kind && story.kind !== 'unknown') text += ` · ${story.kind}${story.sure > 0 && story.kind !== 'unclear' ? ` (${percent(story.sure)})` : ''}${story.persistent ? ', and it stayed so' : ''}`;
    if (story.value !== null && story.low !== null) text += ` · ${number(story.value, 4)}, where ${number(story.low, 4)} to ${number(story.high, 4)} was expected`;
    return text;
  }
  function drawStory(parent, page, story, episode) {
    if (page.to - page.from < 2) return;
    const unit = unitFor(story);
    const c = columnsOf(page, story, [['y', 'least', 'most'], ['expected', 'expecteds', 'expecteds'], ['low', 'lows', 'lows'], ['high', 'highs', 'highs'], ['instead', 'instead', 'instead_most']], unit);
    const key = [['data', 'value', true]];
    if (story.expecteds) key.push(['expected', 'expected', true], ['band', 'expected band']);
    if (story.instead) key.push(['quiet', 'would have been quiet', true]);
    charts.lines(parent, {
      title: story.name + (story.unit ? ` [${story.unit}]` : '') + unit.text, note: storyNote(story), key, isTime: tools.hasTimes, x: c.x, spans: inDrawing(episode),
      columns: [{ values: c.y, css: 'data' }, { values: c.expected, css: 'expected', width: 1 }, { values: c.low }, { values: c.high }, { values: c.instead, css: 'quiet', dash: [6, 3], width: 2 }],
      bands: [[3, 2]],
      say: (i) => `${place(c.x[i])} · ${number(c.y[i])}` + (c.low[i] !== null ? ` · expected ${number(c.low[i])} to ${number(c.high[i])}` : '') + (c.instead[i] !== null ? ` · quiet with ${number(c.instead[i])}` : ''),
    });
  }
  function drawStories(parent, page, episode) {
    const box = make('div', { class: 'charts stories' }), rest = page.stories.slice(STORIES_FIRST);
    parent.append(box);
    for (const story of page.stories.slice(0, STORIES_FIRST)) drawStory(box, page, story, episode);
    if (rest.length === 0 || page.to - page.from < 2) return;
    const more = make('button', { type: 'button' }, `Show ${rest.length} more channel${rest.length === 1 ? '' : 's'}`);
    more.addEventListener('click', () => { more.remove(); for (const story of rest) drawStory(box, page, story, episode); });
    parent.append(more);
  }

  // ---- what would have been quiet ----

  function describeChange(parent, change) {
    if (!change.words) return;
    const text = change.words[0].toUpperCase() + change.words.slice(1) + '.';
    const proof = change.found ? ` This was checked by scoring the changed rows (${change.trials} trials); the dashed lines show them.`
      : change.trials > 0 ? ` ${change.trials} changes were scored.` : '';
    parent.append(make('p', { class: 'change' }, make('b', {}, 'What would have kept it quiet? '), text, proof));
  }

  // ---- channels x time ----

  function drawCells(ctx, heat, left, width) {
    const cell = width / heat.rows[0].cells.length;
    heat.rows.forEach((row, k) => {
      ctx.globalAlpha = 1;
      ctx.fillStyle = tocsin.color.ink;
      ctx.fillText(row.name, 0, (k + 0.7) * ROW_HEIGHT, left - 8);
      ctx.fillStyle = tocsin.color.grid;
      ctx.fillRect(left, k * ROW_HEIGHT + 1, width, ROW_HEIGHT - 2);
      ctx.fillStyle = tocsin.color.alarm;
      row.cells.forEach((value, i) => {
        ctx.globalAlpha = value / 255;
        ctx.fillRect(left + i * cell, k * ROW_HEIGHT + 1, Math.ceil(cell), ROW_HEIGHT - 2);
      });
    });
    ctx.globalAlpha = 1;
  }
  /* heat: `rows` with a name and cells each; columnAt: the row that a column begins with; sayCell: what a cell says. */
  function drawHeat(parent, heat, { title, note, columnAt, last, sayCell }) {
    const height = heat.rows.length * ROW_HEIGHT + HEAT_AXIS;
    charts.figure(parent, {
      title, note,
      draw: (body, chart) => {
        const width = body.clientWidth, pixel = devicePixelRatio, left = Math.min(160, width * 0.3), canvas = make('canvas', { style: `width:${width}px;height:${height}px` });
        canvas.width = width * pixel;
        canvas.height = height * pixel;
        const ctx = canvas.getContext('2d');
        ctx.scale(pixel, pixel);
        ctx.font = '12px system-ui, sans-serif';
        drawCells(ctx, heat, left, width - left);
        ctx.fillStyle = tocsin.color.soft;
        ctx.fillText(place(toX(columnAt(0))), left, height - 4);
        ctx.textAlign = 'right';
        ctx.fillText(place(toX(last)), width, height - 4);
        canvas.addEventListener('mousemove', (event) => {
          const line = heat.rows[Math.floor(event.offsetY / ROW_HEIGHT)], i = Math.floor((event.offsetX - left) / (width - left) * (line ? line.cells.length : 1));
          chart.now.textContent = line && i >= 0 && i < line.cells.length ? `${line.name} · ${place(toX(columnAt(i)))} · ${sayCell(line.cells[i] / 255)}` : '';
        });
        body.append(canvas);
      },
    });
  }
  function drawShares(parent, heat, source) {
    drawHeat(parent, heat, {
      title: 'Which channel, and when', note: ` shares of the score, by ${source === 'none' ? 'nobody' : source}; darker is more`,
      columnAt: (i) => Math.min(heat.to - 1, heat.from + i * heat.stride), last: heat.to - 1, sayCell: (value) => `${percent(value)} of the darkest`,
    });
  }

  // ---- rows x what they were compared with ----

  const mapWords = {
    attention: { title: 'Where the network looked', note: ' rows of the episode against the rows that its attention went to; darker is more', say: 'of its attention' },
    likeness: { title: 'What the detector found nearest', note: ' rows of the episode against the most similar normal patches; 50 % is as near as is usual', say: 'alike' },
  };
  function drawMap(parent, map) {
    const words = mapWords[map.kind], rows = map.rows.map((line) => ({ name: place(toX(line.row)), cells: line.cells }));
    drawHeat(parent, { rows }, {
      title: words.title, note: words.note, columnAt: (i) => map.begins[i], last: map.ends[map.ends.length - 1] - 1,
      sayCell: (value) => `${number(100 * value * map.highest, 2)} % ${words.say}`,
    });
  }

  // ---- similar rows ----

  const likenessTitles = { this: () => 'This episode', episode: (b) => `Episode ${b.rank + 1}`, normal: () => 'Normal rows' };

  function headLikeness(likeness) {
    const box = make('div', { class: 'likeness' });
    const title = likenessTitles[likeness.what](likeness), head = likeness.what === 'episode' ? make('a', { href: '#episode-' + (likeness.rank + 1) }, title) : make('b', {}, title);
    const label = likeness.label ? ` · ${likeness.labelled} ${likeness.label}` : '';
    const apart = likeness.what === 'this' ? '' : ` · values ${number(likeness.raw, 3)} deviations apart, courses ${number(likeness.shape, 3)} of 2`;
    box.append(make('p', {}, head, make('small', {}, ` ${place(toX(likeness.begin))}${label}${apart}`)));
    return box;
  }
  function drawLikeness(box, likeness, ranges) {
    likeness.channels.forEach((course, k) => {
      const { unit, range } = ranges[k], c = columnsOf(likeness, course, [['y', 'least', 'most']], unit);
      charts.lines(box, {
        title: course.name + unit.text, height: 110, isTime: tools.hasTimes, x: c.x, columns: [{ values: c.y, css: 'data' }], yAxis: { range },
        spans: [[toX(likeness.begin), toX(likeness.end - 1), likeness.what === 'normal' ? 'band' : 'alarm-soft']],
        say: (i) => `${place(c.x[i])} · ${number(c.y[i])}`,
      });
    });
  }
  /* One axis a channel, so that what stands beside each other can be compared. */
  function rangesOf(beside) {
    return beside[0].channels.map((unused, k) => {
      const courses = beside.map((b) => b.channels[k]), unit = unitFor(...courses);
      const used = courses.flatMap((c) => [...c.least, ...(c.most ?? [])].filter((q) => q !== null).map((q) => (c.floor + c.step * q) / unit.factor));
      const low = Math.min(...used), high = Math.max(...used);
      return { unit, range: used.length ? uPlot.rangeNum(low, high, 0.08, true) : [0, 1] };
    });
  }
  function drawBeside(parent, beside) {
    if (beside.length === 0 || beside[0].channels.length === 0 || beside[0].to - beside[0].from < 2) return;
    const box = make('div', { class: 'beside' }), ranges = rangesOf(beside);
    parent.append(make('h4', {}, 'The most similar earlier episodes, and the most similar normal rows'), box);
    const boxes = beside.map(headLikeness);
    box.append(...boxes); // all of them first: each chart is as wide as its neighbours leave it
    beside.forEach((likeness, k) => drawLikeness(boxes[k], likeness, ranges));
  }

  // ---- the page ----

  function head(episode, i) {
    const title = make('h3', {}, `Episode ${i + 1} of ${meta.episodes.length} · severity ${Math.round(episode.severity)}`);
    const all = make('button', { type: 'button', title: 'Back to all episodes (Esc)' }, 'All episodes');
    all.addEventListener('click', tocsin.reset);
    return make('header', {}, title, all);
  }
  function show() {
    const i = tocsin.chosen;
    detail.hidden = i < 0;
    detail.replaceChildren();
    if (i < 0) return;
    const episode = meta.episodes[i], page = pageOf(i), sentence = listRows[i].querySelector('.sentence').textContent;
    detail.append(head(episode, i));
    if (sentence) detail.append(make('p', { class: 'sentence' }, sentence));
    detail.append(facts(episode, i));
    if (channels.length > 1) detail.append(parts(episode));
    if (!page) return;
    drawStories(detail, page, episode);
    describeChange(detail, page.change);
    if (page.heat && (page.heat.rows.length > 1 || page.heat.to - page.heat.from > 1)) drawShares(detail, page.heat, page.source);
    if (page.map) drawMap(detail, page.map);
    drawBeside(detail, page.beside);
  }

  tocsin.listeners.choose.push(show);
  show();
})();
