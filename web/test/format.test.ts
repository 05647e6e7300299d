import { describe, expect, it } from 'vitest';
import * as format from '../src/format';

describe('numbers', () => {
  it('have four digits that count', () => {
    expect(format.number(633.4567)).toBe('633.5');
    expect(format.number(0.0012347)).toBe('0.001235');
    expect(format.number(-2.5)).toBe('−2.5');
    expect(format.number(1234567)).toBe('1,234,567');
    expect(format.number(0)).toBe('0');
    expect(format.number(1e-7)).toBe('1.00e−7');
    expect(format.number(3.2e20, 3)).toBe('3.2e20');
  });
  it('that are none are a dash', () => {
    for (const none of [null, undefined, NaN, Infinity]) expect(format.number(none)).toBe('–');
    expect(format.withUnit('–', 'V')).toBe('–');
  });
  it('of time choose their unit', () => {
    expect(format.duration(0.0000225)).toBe('22.5 µs');
    expect(format.duration(0.0225)).toBe('22.5 ms');
    expect(format.duration(2.25)).toBe('2.25 s');
  });
  it('of chance are told as people say them', () => {
    expect(format.chance(1 / 40123)).toBe('1 in 40,000');
    expect(format.chance(1e-8)).toBe('1 in 100 million');
    expect(format.chance(1e-20)).toMatch(/^1 in 10\^(19|20)$/);
    expect(format.chance(0)).toBe('–');
  });
});

describe('series', () => {
  it('are taken apart', () => {
    expect(format.parseSeries('load{host="a",text="say \\"b\\", c"}')).toEqual({
      name: 'load',
      labels: [
        ['host', 'a'],
        ['text', 'say "b", c'],
      ],
    });
    expect(format.parseSeries('plain')).toEqual({ name: 'plain', labels: [] });
    expect(format.parseSeries('{a="1"}')).toEqual({ name: '', labels: [['a', '1']] });
  });
  it('say their unit', () => {
    expect(format.unitOf('pump_pressure_bar{unit="1"}', false)).toBe('bar');
    expect(format.unitOf('node_cpu_seconds_total{cpu="0"}', true)).toBe('s/s');
    expect(format.unitOf('http_requests_total', true)).toBe('/s');
    expect(format.unitOf('load{x="_bytes"}', false)).toBe('');
  });
});

describe('severity', () => {
  it('is told in words and against the budget', () => {
    expect([49, 60, 70, 80, 100].map(format.levelOf)).toEqual(['low', 'middle', 'high', 'worst', 'worst']);
    expect(format.severityMeaning(50)).toBe('just reaches the alarm budget');
    expect(format.severityMeaning(70)).toBe('100 times rarer than the alarm budget asks for');
  });
});
