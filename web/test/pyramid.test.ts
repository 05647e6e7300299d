import { describe, expect, it } from 'vitest';
import { chooseLevel, lowerBound, makeBlock, sliceOf, type HistoryDocument } from '../src/pyramid';
import { covers } from '../src/loader';

function ramp(count: number, step = 1, begin = 0): HistoryDocument {
  const time = Array.from({ length: count }, (_, i) => begin + i * step);
  return { series: 's', number: 0, step_seconds: step, time, value: time.map((t) => t % 100) };
}

describe('a block', () => {
  it('finds the first time that is not below', () => {
    const times = Float64Array.from([1, 2, 2, 5]);
    expect([0, 1, 2, 3, 5, 6].map((t) => lowerBound(times, t))).toEqual([0, 0, 1, 3, 3, 4]);
  });
  it('gives no more than a chart has room for, whatever is asked', () => {
    const block = makeBlock(ramp(100000));
    for (const [from, to] of [
      [0, 99999],
      [5000, 6000],
      [99990, 99999],
      [-1e6, 1e6],
    ] as const) {
      const { begin, end } = chooseLevel(block, from, to, 1000);
      expect(end - begin).toBeLessThanOrEqual(1000 + 2);
      expect(end - begin).toBeGreaterThan(Math.min(200, to - from));
    }
  });
  it('keeps a single outlier at every level, and the mean of all', () => {
    const document = ramp(50000);
    document.value = document.value.map((_, i) => (i === 31337 ? 1e6 : 1));
    for (const level of makeBlock(document).levels) {
      expect(Math.max(...level.high)).toBe(1e6);
      expect(Math.min(...level.low)).toBe(1);
    }
  });
  it('has gaps where nothing is known', () => {
    const document = ramp(40);
    document.value = document.value.map((v, i) => (i >= 8 && i < 24 ? null : v));
    const slice = sliceOf(makeBlock(document), null, 0, 39, 1000);
    expect(slice.value.slice(8, 24).every((v) => v === null)).toBe(true);
    expect(slice.high[7]).toBe(7);
    const mean = makeBlock({ ...ramp(4096), value: Array.from({ length: 4096 }, (_, i) => (i % 4 === 0 ? 8 : null)) });
    expect(mean.levels[1]?.value[0]).toBe(8);
  });
  it('may be empty', () => {
    const slice = sliceOf(makeBlock(ramp(0)), null, 0, 10, 100);
    expect(slice.time).toEqual([]);
  });
});

describe('two blocks', () => {
  it('are drawn as one, the finer where it is, times always rising', () => {
    const slice = sliceOf(makeBlock(ramp(1000, 10)), makeBlock(ramp(1000, 1, 4000)), 3000, 6000, 10000);
    expect(slice.time.every((t, i) => i === 0 || t > (slice.time[i - 1] ?? 0))).toBe(true);
    expect(slice.time.filter((t) => t >= 4000 && t < 5000).length).toBe(1000);
    expect(slice.time.filter((t) => t >= 5010 && t <= 6000).length).toBe(100);
  });
  it('of which the finer is elsewhere are the coarser alone', () => {
    expect(sliceOf(makeBlock(ramp(100, 10)), makeBlock(ramp(10, 1, 5000)), 0, 495, 1000).time.length).toBe(51);
  });
});

describe('what is held', () => {
  const held = (step: number) => ({ asked: { from: 0, to: 1000 }, block: { step } });
  it('serves what lies inside and is fine enough', () => {
    expect(covers(held(10), { from: 100, to: 900 }, 100)).toBe(true);
    expect(covers(held(10), { from: 100, to: 200 }, 100)).toBe(false);
    expect(covers(held(1), { from: 100, to: 110 }, 100)).toBe(true); // it cannot be finer
    expect(covers(held(10), { from: 100, to: 1100 }, 100)).toBe(false);
    expect(covers(null, { from: 0, to: 1 }, 100)).toBe(false);
  });
});
