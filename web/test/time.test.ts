import { describe, expect, it } from 'vitest';
import * as time from '../src/time';

describe('lengths', () => {
  it('are read with their unit, and nothing else is', () => {
    expect(time.parseLength('6h')).toBe(21600);
    expect(time.parseLength('1.5d')).toBe(129600);
    for (const text of ['', '6', 'h', '-6h', '6w', '0h', '6h ']) expect(time.parseLength(text)).toBeNull();
  });
  it('are written as they are read', () => {
    for (const [text] of time.RANGES) expect(time.formatLength(time.parseLength(text) ?? 0)).toBe(text);
    expect(time.formatLength(90)).toBe('90s');
  });
  it('are told with two units at most', () => {
    expect(time.formatSpan(0.25)).toBe('250 ms');
    expect(time.formatSpan(59.6)).toBe('1 min');
    expect(time.formatSpan(200)).toBe('3 min 20 s');
    expect(time.formatSpan(86400 * 2 + 30)).toBe('2 d');
    expect(time.formatSpan(90061)).toBe('1 d 1 h');
  });
});

describe('ranges of an address', () => {
  const read = (query: string) => time.readRange(new URLSearchParams(query), '1h');
  it('are so long until now, or fixed', () => {
    expect(read('range=7d')).toEqual({ kind: 'last', seconds: 604800 });
    expect(read('from=2026-01-05T00:00:00Z&to=2026-01-05T01:00:00Z')).toEqual({
      kind: 'fixed',
      from: 1767571200,
      to: 1767574800,
    });
  });
  it('fall back where they say nothing that makes sense', () => {
    for (const query of ['', 'range=abc', 'from=x&to=y', 'from=2026-01-05T01:00:00Z&to=2026-01-05T00:00:00Z', 'from=2026-01-05'])
      expect(read(query)).toEqual({ kind: 'last', seconds: 3600 });
  });
  it('survive being written', () => {
    for (const range of [
      { kind: 'last', seconds: 900 },
      { kind: 'fixed', from: 1767571200.5, to: 1767574800 },
    ] as const) {
      const params = new URLSearchParams('with=3&from=x');
      time.writeRange(params, range);
      expect(params.get('with')).toBe('3');
      expect(time.readRange(params, '1h')).toEqual(range);
    }
  });
});

describe('spans', () => {
  it('zoom around a point that stays where it is', () => {
    expect(time.zoom({ from: 0, to: 100 }, 0.5, 25)).toEqual({ from: 12.5, to: 62.5 });
  });
  it('stay within their bounds, and keep their length where they can', () => {
    const bounds = { from: 0, to: 100 };
    expect(time.clampSpan({ from: -30, to: 10 }, bounds, 1)).toEqual({ from: 0, to: 40 });
    expect(time.clampSpan({ from: 90, to: 130 }, bounds, 1)).toEqual({ from: 60, to: 100 });
    expect(time.clampSpan({ from: -500, to: 500 }, bounds, 1)).toEqual(bounds);
    expect(time.clampSpan({ from: 50, to: 50.1 }, bounds, 10)).toEqual({ from: 45.05, to: 55.05 });
  });
  it('are told as ago', () => {
    expect(time.ago(100, 101)).toBe('now');
    expect(time.ago(100, 160)).toBe('1 min ago');
    expect(time.ago(160, 100)).toBe('in 1 min');
  });
});
