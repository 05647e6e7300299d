/* Do p-values and probabilities mean what they say?  Two charts, drawn once: see src/io/report_calibration.h. */
(() => {
  const { calibration } = tocsin.meta, { $, number } = tocsin.tools, parent = $('#calibration .charts');
  const power = (v) => v >= 0.01 ? String(+v.toPrecision(2)) : v.toExponential(0);

  function drawPValues() {
    const order = calibration.at.map((unused, k) => calibration.at.length - 1 - k); // ascending
    const present = (values) => order.map((k) => values[k] > 0 ? values[k] : null);
    const at = order.map((k) => calibration.at[k]), share = present(calibration.share), normal = calibration.unlabelled ? present(calibration.unlabelled) : null;
    const least = 10 ** Math.floor(Math.log10(Math.max(1e-9, 1 / Math.max(10, calibration.rows))));
    const first = Math.max(0, at.findIndex((t) => t >= least * 0.999)), cut = (values) => values.slice(first);
    const columns = [{ values: cut(at), css: 'soft', dash: [5, 4], width: 1 }, { values: cut(share), css: 'data', width: 2 }];
    if (normal) columns.push({ values: cut(normal), css: 'label', width: 2 });
    const key = [['soft', 'all rows normal', true], ['data', 'all rows', true]];
    if (normal) key.push(['label', 'rows that are not labelled', true]);
    charts.lines(parent, {
      title: 'p-values', note: ' share of rows whose p-value is at most t', key, height: 260, x: cut(at), columns, xAxis: { log: true, range: [least, 1], label: power, space: 60 },
      yAxis: { log: true, range: [least, 1.2], label: power, space: 30 },
      say: (i) => `p at most ${number(cut(at)[i], 3)}: ${number(cut(share)[i], 3)} of the rows` + (normal ? `, ${number(cut(normal)[i], 3)} of those not labelled` : ''),
    });
  }

  function drawReliability({ bins, ece, brier }) {
    const x = [0, ...bins.map(([, probability]) => probability), 1], share = [null, ...bins.map(([, , s]) => s), null], rows = [0, ...bins.map(([n]) => n), 0];
    charts.lines(parent, {
      title: 'Probabilities', note: ` expected calibration error ${number(ece, 3)} · Brier score ${number(brier, 3)}`, height: 260,
      key: [['soft', 'as stated', true], ['data', 'share that is labelled, by stated probability', true]], x,
      columns: [{ values: x, css: 'soft', dash: [5, 4], width: 1 }, { values: share, css: 'data', points: true }],
      xAxis: { range: [0, 1] }, yAxis: { range: [-0.02, 1.02] },
      say: (i) => rows[i] ? `${rows[i].toLocaleString('en')} rows with ${number(x[i], 3)}: ${number(share[i], 3)} are labelled` : '',
    });
  }

  if (calibration.rows > 0) drawPValues();
  else parent.append('No row has a p-value.');
  if (calibration.reliability) drawReliability(calibration.reliability);
})();
