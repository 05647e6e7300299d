// Small pieces that every view is made of.
import type { ComponentChildren } from 'preact';
import { ApiError, type Episode } from './api';
import { duration, levelOf, LEVEL_WORDS, number, parseSeries, percent, severityMeaning } from './format';
import { now } from './live';
import { useStore } from './store';
import { ago, clock, parseTime } from './time';

export function SeriesLabel({ text }: { text: string }) {
  const { name, labels } = parseSeries(text);
  return (
    <span class="series-name">
      <b>{name}</b>
      {labels.map(([key, value]) => (
        <span class="label" key={key}>
          {' '}
          {key}=<i>{value}</i>
        </span>
      ))}
    </span>
  );
}

export function Severity({ value }: { value: number }) {
  const level = levelOf(value);
  return (
    <span class={`severity ${level}`} title={`severity ${number(value, 3)} of 100: ${severityMeaning(value)}`}>
      <b>{Math.round(value)}</b>
      <span class="bar" aria-hidden="true">
        <span class="fill" style={{ width: `${Math.max(4, Math.min(100, (value - 50) * 2))}%` }} />
      </span>
      <span class="word">{LEVEL_WORDS[level]}</span>
    </span>
  );
}

const STATES: Record<string, [string, string]> = {
  suspected: ['◌', 'suspected'],
  confirmed: ['●', 'confirmed'],
  resolved: ['✓', 'over'],
  dismissed: ['–', 'dismissed'],
};

export function State({ episode }: { episode: Episode }) {
  const [sign, word] = STATES[episode.state] ?? ['?', episode.state];
  return (
    <span class={`state ${episode.state}`}>
      <span aria-hidden="true">{sign}</span> {episode.kind}, {word}
    </span>
  );
}

export function Ago({ time }: { time: string | undefined }) {
  const at = useStore(now);
  const seconds = parseTime(time);
  if (seconds === null) return <span>–</span>;
  return (
    <time dateTime={time} title={time}>
      {ago(seconds, at)}
    </time>
  );
}

export function At({ time }: { time: string | undefined }) {
  const seconds = parseTime(time);
  if (seconds === null) return <span>–</span>;
  return (
    <time dateTime={time} title={time}>
      {clock(seconds, Date.now() / 1000)}
    </time>
  );
}

export function Fact({ name, children, against }: { name: string; children: ComponentChildren; against?: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>
        {children}
        {against ? <small>{against}</small> : null}
      </dd>
    </div>
  );
}

/** A figure beside its limit; above it the sign and the word say so, not only the colour. */
export function Gauge({
  name,
  value,
  limit,
  text,
  against,
}: {
  name: string;
  value: number;
  limit: number;
  text: string;
  against: string;
}) {
  const share = limit > 0 ? value / limit : 0;
  const isOver = share > 1;
  return (
    <div class={`fact gauge ${isOver ? 'over' : ''}`}>
      <dt>{name}</dt>
      <dd>
        {text}
        {isOver ? <b class="warn"> ▲ over</b> : null}
        <meter
          min={0}
          max={1}
          high={0.999}
          value={Math.min(1, share)}
          aria-label={`${name}: ${text}, ${percent(share)} of ${against}`}
        />
        <small>{against}</small>
      </dd>
    </div>
  );
}

const ADVICE: Record<number, string> = {
  0: 'Nothing is lost: what was sent is with the service. This page tries again by itself.',
  401: 'Sign in with a token that is valid.',
  403: 'Your token may not see this; ask for one with a higher role.',
  404: 'It may be of before the time that is kept.',
  429: 'Too many requests; it is tried again in a moment.',
  503: 'The service is starting, stopping or its store is away; /readyz says which.',
};

/** The service does not answer at all: that is said once, above everything. */
export const isAway = (error: Error): boolean => error instanceof ApiError && error.status === 0;

export function Problem({ error, what }: { error: Error; what: string }) {
  const advice = error instanceof ApiError ? ADVICE[error.status] : undefined;
  return (
    <div class="note problem" role="alert">
      <b>{what} cannot be shown.</b> {error.message}
      {/[.?!]$/.test(error.message) ? '' : '.'} {advice}
    </div>
  );
}

/** The first row of a table; a column without a name is called `unnamed` by screen readers. */
export function Head({ names, unnamed }: { names: readonly string[]; unnamed?: string }) {
  return (
    <thead>
      <tr>
        {names.map((name, i) => (
          <th key={i} scope="col">
            {name || <span class="visually-hidden">{unnamed}</span>}
          </th>
        ))}
      </tr>
    </thead>
  );
}

export function Note({ children }: { children: ComponentChildren }) {
  return <div class="note">{children}</div>;
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      Loading {what}…
    </p>
  );
}

export const latency = (seconds: number | undefined): string =>
  seconds === undefined || seconds === 0 ? 'no rows yet' : duration(seconds);
