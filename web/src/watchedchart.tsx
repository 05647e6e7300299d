// What the service watches about itself over the days that it keeps: a small chart a figure, its bound dashed; all share one timeline, and
// each has a sentence and a table.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ask, type WatchedHistory, type WatchedPast } from './api';
import { Chart, type Reading } from './chart';
import { duration, percent } from './format';
import { watchedText } from './health';
import { useTimeline } from './history';
import { live, now } from './live';
import { makeBlock, type Block } from './pyramid';
import { useAsk, useStore } from './store';
import { clock, formatSpan } from './time';
import type { Timeline } from './timeline';
import { Head, Note, Problem } from './ui';
import { boundText, describeWatched, isBeyond, known, type Column } from './watched';

const HEIGHT = 150;
const AXIS_TEXTS: Record<string, (value: number) => string> = { share: percent, s: duration };

function blockOf(past: WatchedHistory, figure: WatchedPast): Block {
  return makeBlock({
    series: figure.figure,
    number: 0,
    step_seconds: past.step_seconds,
    time: past.time,
    value: figure.mean,
    low: figure.least,
    high: figure.greatest,
    expected: figure.bound,
  });
}

function Table({ past, figure }: { past: WatchedHistory; figure: WatchedPast }) {
  const cell = (values: Column, i: number) => <td>{watchedText(values[i] ?? null, figure.unit)}</td>;
  const rows = past.time.map((_, i) => i).filter((i) => figure.mean[i] !== null);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Table of ${figure.figure.replaceAll('_', ' ')}`}>
      <table class="data">
        <caption>steps of {formatSpan(past.step_seconds)}, the latest first</caption>
        <Head names={['from', 'mean', 'least', 'greatest', 'bound', 'state']} />
        <tbody>
          {rows.reverse().map((i) => (
            <tr key={past.time[i]}>
              <th scope="row">{clock(past.time[i] ?? 0, Date.now() / 1000)}</th>
              {cell(figure.mean, i)}
              {cell(figure.least, i)}
              {cell(figure.greatest, i)}
              {cell(figure.bound, i)}
              <td class={isBeyond(figure, i) ? 'warn' : ''}>{isBeyond(figure, i) ? '▲ beyond' : '✓ within'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Readout({ reading, figure }: { reading: Reading | null; figure: WatchedPast }) {
  if (!reading || reading.value === null) return <span class="readout soft">{boundText(figure)}</span>;
  const say = (value: number | null): string => watchedText(value, figure.unit);
  return (
    <span class="readout">
      {clock(reading.time, Date.now() / 1000)} · <b>{say(reading.value)}</b>
      {reading.low !== reading.high ? ` (${say(reading.low)} to ${say(reading.high)})` : ''}
      {reading.expected !== null ? <span class="soft"> bound {say(reading.expected)}</span> : null}
    </span>
  );
}

function WatchedChart({ past, figure, timeline }: { past: WatchedHistory; figure: WatchedPast; timeline: Timeline }) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | null>(null);
  const [reading, read] = useState<Reading | null>(null);
  const [isTable, openTable] = useState(false);
  const block = useMemo(() => blockOf(past, figure), [past, figure]);
  const { unit } = figure;
  useEffect(() => {
    if (!host.current) return undefined;
    const axisText = AXIS_TEXTS[unit];
    const made = new Chart(host.current, {
      timeline,
      kind: 'watched',
      unit,
      height: HEIGHT,
      onCursor: read,
      ...(axisText ? { axisText } : {}),
    });
    chart.current = made;
    return () => {
      made.destroy();
    };
  }, [timeline, unit]);
  useEffect(() => {
    chart.current?.setBlocks(block, null);
  }, [block, timeline, unit]);
  return (
    <figure class="chart">
      <figcaption>
        <b>{figure.figure.replaceAll('_', ' ')}</b>
        <Readout reading={reading} figure={figure} />
      </figcaption>
      <div class="plots" tabIndex={0} role="img" aria-label={describeWatched(past, figure)}>
        <div ref={host} />
      </div>
      <details
        onToggle={(event) => {
          openTable(event.currentTarget.open);
        }}
      >
        <summary>As a table</summary>
        {isTable ? <Table past={past} figure={figure} /> : null}
      </details>
    </figure>
  );
}

/** A figure that was never known in this time is named below instead of drawn. */
export function WatchedOverTime({ days }: { days: number }) {
  const { can } = useStore(live);
  const isKnown = can?.has('GET /api/v1/watch/history') ?? false;
  const asked = useAsk<WatchedHistory>(
    isKnown ? `watched ${days}` : null,
    (signal) => ask(`/api/v1/watch/history?days=${days}`, { signal }),
    60,
  );
  const { timeline } = useTimeline(`watched ${days}`, () => ({ from: now.get() - days * 86400, to: now.get() }), true, false);
  const past = asked.data;
  if (!isKnown || (!past && !asked.error)) return null;
  const figures = past?.figures ?? [];
  const drawn = figures.filter((figure) => known(figure.mean).length > 0);
  const missing = figures.filter((figure) => !drawn.includes(figure)).map((figure) => figure.figure.replaceAll('_', ' '));
  return (
    <section class="card" aria-labelledby="overtime">
      <h2 id="overtime">What the service watched of itself, over {days} days</h2>
      {asked.error ? <Problem error={asked.error} what="What was watched" /> : null}
      <div class="few">
        {past && drawn.map((figure) => <WatchedChart key={figure.figure} past={past} figure={figure} timeline={timeline} />)}
      </div>
      {missing.length > 0 ? <Note>Too little to go by in this time: {missing.join(', ')}.</Note> : null}
    </section>
  );
}
