// A series drawn over a timeline: values with their band, scores below, what the cursor reads, and the same as a table.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './api';
import { Chart, type Heat, type Reading, type Shade } from './chart';
import { number, withUnit } from './format';
import { HistoryLoader } from './loader';
import type { Slice } from './pyramid';
import { clock, formatSpan } from './time';
import type { Timeline } from './timeline';
import { Head, Problem, SeriesLabel } from './ui';

interface Props {
  number: number;
  title: string;
  unit: string;
  timeline: Timeline;
  turn: number; // changes: there is more of it
  height?: number;
  shades?: readonly Shade[];
  heat?: readonly Heat[]; // of the values
  low?: number | undefined; // limits that are set for it
  high?: number | undefined;
  color?: number;
  withScore?: boolean;
  isSmall?: boolean; // below another one of the same timeline: without an axis, hint and table
}

const TABLE_ROWS = 120;

function Readout({ reading, unit, isSmall }: { reading: Reading | null; unit: string; isSmall: boolean }) {
  if (!reading && isSmall) return null;
  if (!reading) return <span class="readout soft">wheel or + − zoom, drag selects, ← → move, 0 resets</span>;
  const say = (value: number | null): string => withUnit(number(value), unit);
  return (
    <span class="readout">
      {clock(reading.time, Date.now() / 1000)} · <b>{say(reading.value)}</b>
      {reading.low !== null && reading.high !== null && reading.low !== reading.high
        ? ` (${say(reading.low)} to ${say(reading.high)})`
        : ''}
      {reading.expected !== null ? (
        <span class="soft">
          {' '}
          expected {say(reading.expected)}
          {reading.lower !== null ? `, between ${say(reading.lower)} and ${say(reading.upper)}` : ''}
        </span>
      ) : null}
      {reading.score !== null ? <span class="soft"> score {number(reading.score, 3)}</span> : null}
    </span>
  );
}

function rowsOf(slice: Slice, from: number, to: number): number[] {
  const inside = slice.time
    .map((time, i) => [time, i] as const)
    .filter(([time, i]) => time >= from && time <= to && slice.value[i] !== null)
    .map(([, i]) => i);
  const stride = Math.max(1, Math.ceil(inside.length / TABLE_ROWS));
  return inside.filter((_, i) => i % stride === 0);
}

/** What the chart shows, for whoever does not see it. */
function Table({ slice, unit, timeline, title }: { slice: Slice; unit: string; timeline: Timeline; title: string }) {
  const rows = rowsOf(slice, timeline.span.from, timeline.span.to);
  const cell = (value: number | null | undefined) => <td>{number(value)}</td>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Table of ${title}`}>
      <table class="data">
        <caption>
          {rows.length} of {slice.time.length} rows drawn{unit ? `, in ${unit}` : ''}
        </caption>
        <Head names={['time', 'value', 'least', 'greatest', 'expected', 'from', 'to', 'score']} />
        <tbody>
          {rows.map((i) => (
            <tr key={slice.time[i]}>
              <th scope="row">{clock(slice.time[i] ?? 0, Date.now() / 1000)}</th>
              {cell(slice.value[i])}
              {cell(slice.low[i])}
              {cell(slice.high[i])}
              {cell(slice.expected[i])}
              {cell(slice.lower[i])}
              {cell(slice.upper[i])}
              {cell(slice.score[i])}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** In a sentence, for those who hear the page. */
function describe(title: string, slice: Slice, unit: string, timeline: Timeline): string {
  const values = slice.value.filter((value): value is number => value !== null);
  const span = formatSpan(timeline.span.to - timeline.span.from);
  if (values.length === 0) return `${title}: nothing was received in these ${span}`;
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  return `${title} over ${span}: ${withUnit(number(low), unit)} to ${withUnit(number(high), unit)}, last ${withUnit(
    number(values.at(-1)),
    unit,
  )}. Arrow keys move, plus and minus zoom, 0 resets.`;
}

export function SeriesChart(props: Props) {
  const { timeline, unit, title, height = 260, color = 0, withScore = false, isSmall = false } = props;
  const values = useRef<HTMLDivElement>(null);
  const scores = useRef<HTMLDivElement>(null);
  const charts = useRef<Chart[]>([]);
  const loader = useRef<HistoryLoader | null>(null);
  const [reading, read] = useState<Reading | null>(null);
  const [error, fail] = useState<Error | null>(null);
  const [isLoaded, loaded] = useState(false);
  const [isTable, openTable] = useState(false);
  const [, settle] = useState(0);

  useEffect(() => {
    const made: Chart[] = [];
    const make = (host: HTMLElement | null, kind: 'value' | 'score', size: number): void => {
      if (host) made.push(new Chart(host, { timeline, kind, unit, color, height: size, onCursor: read }));
    };
    make(values.current, 'value', height);
    if (withScore) make(scores.current, 'score', 72);
    charts.current = made;
    const loading = new HistoryLoader(
      props.number,
      timeline,
      ({ coarse, fine }) => {
        for (const chart of made) chart.setBlocks(coarse, fine);
        loaded(true);
        settle((n) => n + 1);
      },
      fail,
    );
    loader.current = loading;
    const stop = timeline.subscribe((isSettled) => {
      if (isSettled) settle((n) => n + 1);
    });
    return () => {
      stop();
      loading.destroy();
      for (const chart of made) chart.destroy();
    };
  }, [props.number, timeline, unit, color, height, withScore]);
  useEffect(() => {
    if (props.turn > 0) loader.current?.load(true);
  }, [props.turn]);
  useEffect(() => {
    for (const chart of charts.current) chart.setShades(props.shades ?? []);
  }, [props.shades, props.number, timeline]);
  useEffect(() => {
    charts.current[0]?.setHeat(props.heat ?? []);
  }, [props.heat, props.number, timeline]);
  useEffect(() => {
    charts.current[0]?.setLimits([props.low, props.high].filter((limit) => limit !== undefined));
  }, [props.low, props.high, props.number, timeline]);

  const slice = charts.current[0]?.shown();
  const isEmpty = isLoaded && slice?.time.length === 0;
  return (
    <figure class="chart">
      <figcaption>
        <span class={`swatch c${color}`} aria-hidden="true" />
        <SeriesLabel text={title} />
        {unit ? <span class="soft"> in {unit}</span> : null}
        <Readout reading={reading} unit={unit} isSmall={isSmall} />
      </figcaption>
      {error ? (
        error instanceof ApiError && error.status === 404 ? (
          <p class="note">This service keeps no history of rows: only what came last is known.</p>
        ) : (
          <Problem error={error} what="Its history" />
        )
      ) : null}
      {isEmpty ? <p class="note">Nothing was received in this time. Zoom out (−), or choose a longer range.</p> : null}
      <div
        class="plots"
        tabIndex={0}
        role="img"
        aria-label={slice ? describe(title, slice, unit, timeline) : `${title}, loading`}
        data-ready={isLoaded ? 'yes' : 'no'}
        hidden={error instanceof ApiError && error.status === 404}
      >
        <div ref={values} />
        {withScore ? <div ref={scores} class="scores" /> : null}
      </div>
      {isSmall ? null : (
        <details
          onToggle={(event) => {
            openTable(event.currentTarget.open);
          }}
        >
          <summary>As a table</summary>
          {isTable && slice ? <Table slice={slice} unit={unit} timeline={timeline} title={title} /> : null}
        </details>
      )}
    </figure>
  );
}
