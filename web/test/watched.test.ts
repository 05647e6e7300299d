import { describe, expect, it } from 'vitest';
import type { WatchedHistory, WatchedPast } from '../src/api';
import { describeWatched, isBeyond } from '../src/watched';

const figure = (more: Partial<WatchedPast>): WatchedPast => ({
  figure: 'score_drift',
  is_floor: false,
  unit: 'PSI',
  help: '',
  least: [0.1, null, 0.1],
  mean: [0.2, null, 0.15],
  greatest: [0.3, null, 0.2],
  bound: [0.25, null, 0.25],
  ...more,
});
const past: WatchedHistory = { step_seconds: 3600, time: [0, 3600, 7200], figures: [] };

describe('what was watched', () => {
  it('is told in a sentence, by its extremes, its last mean and how often it was beyond', () => {
    expect(describeWatched(past, figure({}))).toBe(
      'score drift over 2 steps of 1 h: 0.1 PSI to 0.3 PSI, last 0.15 PSI; at most 0.25 PSI is right, and 1 step was beyond it. ' +
        'Arrow keys move, plus and minus zoom, 0 resets.',
    );
    const none = [null, null, null];
    expect(describeWatched(past, figure({ least: none, mean: none, greatest: none, bound: none }))).toBe(
      'score drift: not known in this time.',
    );
  });
  it('is beyond its bound by its worst: the greatest, or the least of what has a floor', () => {
    expect([0, 1, 2].map((i) => isBeyond(figure({}), i))).toEqual([true, false, false]);
    const floor = figure({ is_floor: true, unit: 'share', least: [0.2, null, 0.4], bound: [0.3, null, 0.3] });
    expect([0, 1, 2].map((i) => isBeyond(floor, i))).toEqual([true, false, false]);
  });
});
