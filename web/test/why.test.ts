import { describe, expect, it } from 'vitest';
import type { Explanation, LookedAt } from '../src/api';
import { describeHeat, heatOf, lagWords } from '../src/why';

const row = (share: number, time?: string): LookedAt => ({
  ...(time ? { time } : {}),
  deviations: 1,
  expected: 0,
  part: share,
  share,
});
const explained = (rows: LookedAt[]): Explanation =>
  ({ second_look: { p_value: 0.1, limit: 0.2, verdict: 'confirmed', rows } }) as Explanation;

describe('what the deep layer looked at', () => {
  it('is told from the last row on, strong rows only', () => {
    expect(describeHeat([row(0.02), row(0.3), row(0.05), row(0.63)])).toBe(
      'Of the last 4 rows, the row 2 before the last 30 %, the last row 63 %.',
    );
    expect(describeHeat([row(0.05), row(0.05)])).toBe('No single one of the last 2 rows carries it.');
  });
  it('is drawn where times are known, by the strongest, and not where it made things less strange', () => {
    const why = explained([
      row(0.4, '2026-01-01T00:00:00Z'),
      row(-0.2, '2026-01-01T00:00:10Z'),
      row(0.8, '2026-01-01T00:00:20Z'),
    ]);
    const begin = Date.parse('2026-01-01T00:00:00Z') / 1000;
    expect(heatOf(why)).toEqual([
      { from: begin, to: begin + 10, strength: 0.5 },
      { from: begin + 20, to: begin + 30, strength: 1 },
    ]);
    expect(heatOf(explained([row(0.4), row(0.6)]))).toEqual([]);
    expect(heatOf(null)).toEqual([]);
  });
});

describe('lags', () => {
  it('say which way', () => {
    expect([lagWords(0), lagWords(3), lagWords(-120)]).toEqual(['at once', '3 s later', '2 min before']);
  });
});
