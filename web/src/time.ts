// Times and ranges of time: what an address says, what a person reads.  Times inside the page are seconds since 1970 as numbers, which is
// what the charts need; texts of the API are ISO 8601 in UTC.

export interface Span {
  from: number;
  to: number;
}

/** What an address may say of a range: so long until now, or from and to. */
export type Range = { kind: 'last'; seconds: number } | ({ kind: 'fixed' } & Span);

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];

export const RANGES: readonly (readonly [string, string])[] = [
  ['15m', '15 minutes'],
  ['1h', '1 hour'],
  ['6h', '6 hours'],
  ['24h', '1 day'],
  ['7d', '7 days'],
  ['30d', '30 days'],
  ['90d', '90 days'],
];

/** "6h" to seconds; null: not a length of time. */
export function parseLength(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)([dhms])$/.exec(text);
  const unit = UNITS.find(([name]) => name === match?.[2]);
  const seconds = match && unit ? Number(match[1]) * unit[1] : 0;
  return seconds > 0 ? seconds : null;
}

export function formatLength(seconds: number): string {
  const unit = UNITS.find(([name, size]) => seconds % size === 0 && (name !== 'd' || seconds > size)) ?? ['s', 1];
  return `${seconds / unit[1]}${unit[0]}`;
}

export function parseTime(text: string | null | undefined): number | null {
  if (!text) return null;
  const ms = Date.parse(text);
  return Number.isFinite(ms) ? ms / 1000 : null;
}

export function formatTime(seconds: number): string {
  return new Date(Math.round(seconds * 1000)).toISOString().replace(/\.000Z$/, 'Z');
}

/** The range that the parameters of an address state, or the fallback. */
export function readRange(params: URLSearchParams, fallback: string): Range {
  const from = parseTime(params.get('from'));
  const to = parseTime(params.get('to'));
  if (from !== null && to !== null && from < to) return { kind: 'fixed', from, to };
  const seconds = parseLength(params.get('range') ?? '') ?? parseLength(fallback) ?? 3600;
  return { kind: 'last', seconds };
}

export function writeRange(params: URLSearchParams, range: Range): void {
  for (const name of ['from', 'to', 'range']) params.delete(name);
  if (range.kind === 'last') {
    params.set('range', formatLength(range.seconds));
  } else {
    params.set('from', formatTime(range.from));
    params.set('to', formatTime(range.to));
  }
}

export function spanOf(range: Range, now: number): Span {
  return range.kind === 'last' ? { from: now - range.seconds, to: now } : { from: range.from, to: range.to };
}

/** The part of a span around a point, a factor shorter or longer. */
export function zoom(span: Span, factor: number, around: number): Span {
  return { from: around - (around - span.from) * factor, to: around + (span.to - around) * factor };
}

export function pan(span: Span, share: number): Span {
  const shift = (span.to - span.from) * share;
  return { from: span.from + shift, to: span.to + shift };
}

/** Shifted and cut so that it lies within bounds and is not shorter than shortest. */
export function clampSpan(span: Span, bounds: Span, shortest: number): Span {
  const length = Math.min(Math.max(span.to - span.from, shortest), bounds.to - bounds.from);
  const middle = (span.from + span.to) / 2;
  const from = Math.min(Math.max(middle - length / 2, bounds.from), bounds.to - length);
  return { from, to: from + length };
}

/** "3 min 20 s": two units at most. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, seconds);
  if (whole < 1) return `${Math.round(whole * 1000)} ms`;
  const parts: string[] = [];
  let left = Math.round(whole);
  for (const [unit, size] of [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(left / size);
    if (count > 0) parts.push(`${count} ${unit}`);
    else if (parts.length > 0) break;
    left -= count * size;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

export function ago(seconds: number, now: number): string {
  const passed = now - seconds;
  if (Math.abs(passed) < 1.5) return 'now';
  return passed < 0 ? `in ${formatSpan(-passed)}` : `${formatSpan(passed)} ago`;
}

const pad = (n: number): string => String(n).padStart(2, '0');

/** Local date and time; the date is left out where it is today's. */
export function clock(seconds: number, now: number): string {
  const date = new Date(seconds * 1000);
  const today = new Date(now * 1000);
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  if (date.toDateString() === today.toDateString()) return time;
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`;
}
