// Numbers with their units, names of series, words for severities: every text that the views show of a number comes from here.

/** At most `digits` significant digits, without the exponent where that is readable. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15))
    return value
      .toExponential(Math.max(0, digits - 2))
      .replace('e+', 'e')
      .replace('-', '−');
  const decimals = size === 0 ? 0 : Math.min(12, Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  const rounded = Number(value.toFixed(decimals));
  return rounded.toLocaleString('en', { maximumFractionDigits: decimals, useGrouping: size >= 1e4 }).replace('-', '−');
}

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : Math.round(value).toLocaleString('en');
}

export function percent(share: number | null | undefined): string {
  return share === null || share === undefined || !Number.isFinite(share) ? '–' : `${number(share * 100, 3)} %`;
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds === 0) return '0 s';
  if (seconds < 1e-3) return `${number(seconds * 1e6, 3)} µs`;
  return seconds < 1 ? `${number(seconds * 1e3, 3)} ms` : `${number(seconds, 3)} s`;
}

/** A probability as people say it: "1 in 40,000". */
export function chance(p: number | null | undefined): string {
  if (p === null || p === undefined || !(p > 0)) return '–';
  if (p >= 0.5) return percent(p);
  const times = 1 / p;
  if (times >= 1e6) {
    const exponent = Math.floor(Math.log10(times));
    const words: Record<number, string> = { 6: 'million', 9: 'billion', 12: 'trillion' };
    const base = Math.min(12, exponent - (exponent % 3));
    return exponent >= 15 ? `1 in 10^${exponent}` : `1 in ${number(times / 10 ** base, 3)} ${words[base] ?? ''}`;
  }
  return `1 in ${count(Number(times.toPrecision(2)))}`;
}

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/_seconds(_total)?$/, 's'],
  [/_milliseconds$|_ms$/, 'ms'],
  [/_bytes(_total)?$/, 'B'],
  [/_celsius$/, '°C'],
  [/_volts?$/, 'V'],
  [/_amperes?$/, 'A'],
  [/_watts?$/, 'W'],
  [/_joules(_total)?$/, 'J'],
  [/_percent$/, '%'],
  [/_ratio$/, ''],
  [/_meters?$/, 'm'],
  [/_hertz$/, 'Hz'],
  [/_pascals?$/, 'Pa'],
  [/_bar$/, 'bar'],
  [/_rpm$/, '1/min'],
];

/** What the name of a series says of its unit (the conventions of Prometheus); "" where it says nothing. */
export function unitOf(series: string, isRate: boolean): string {
  const name = series.replace(/\{.*$/s, '');
  const unit = UNITS.find(([pattern]) => pattern.test(name))?.[1] ?? '';
  return isRate ? `${unit}/s` : unit;
}

export function withUnit(text: string, unit: string): string {
  return unit === '' || text === '–' ? text : `${text}\u00a0${unit}`;
}

export interface SeriesName {
  name: string;
  labels: readonly (readonly [string, string])[];
}

/** `load{host="a",text="say \"b\""}` in its parts. */
export function parseSeries(text: string): SeriesName {
  const open = text.indexOf('{');
  if (open < 0 || !text.endsWith('}')) return { name: text, labels: [] };
  const labels: (readonly [string, string])[] = [];
  const pattern = /([^=,{}"]+)="((?:\\.|[^"\\])*)"/gs;
  for (const match of text.slice(open).matchAll(pattern))
    labels.push([(match[1] ?? '').trim(), (match[2] ?? '').replace(/\\(.)/gs, (_, c: string) => (c === 'n' ? '\n' : c))]);
  return { name: text.slice(0, open), labels };
}

export type Level = 'low' | 'middle' | 'high' | 'worst';

/** Steps of severity: 50 just reaches the alarm budget, each 10 more is ten times rarer (docs/explanation/how-scores-become-alarms.md). */
export function levelOf(severity: number): Level {
  if (severity >= 80) return 'worst';
  if (severity >= 70) return 'high';
  return severity >= 60 ? 'middle' : 'low';
}

export const LEVEL_WORDS: Record<Level, string> = { low: 'low', middle: 'medium', high: 'high', worst: 'extreme' };

/** What a severity is measured against. */
export function severityMeaning(severity: number): string {
  const factor = 10 ** ((severity - 50) / 10);
  return factor < 2
    ? 'just reaches the alarm budget'
    : `${count(Number(factor.toPrecision(2)))} times rarer than the alarm budget asks for`;
}

/** How far a value is from what was expected, in deviations; null where there is no deviation. */
export function distance(value: number, expected: number, deviation: number): number | null {
  return deviation > 0 ? Math.abs(value - expected) / deviation : null;
}
