// Watched figures in words: what became of one over some days, for those who hear the page, and where it was beyond its bound.
import type { WatchedHistory, WatchedPast } from './api';
import { watchedText } from './health';
import { formatSpan } from './time';

export type Column = readonly (number | null)[];

export function known(values: Column): number[] {
  return values.filter((value): value is number => value !== null);
}

/** Whether the worst of a step lay beyond the bound. */
export function isBeyond(figure: WatchedPast, i: number): boolean {
  const worst = figure.is_floor ? figure.least[i] : figure.greatest[i];
  const bound = figure.bound[i];
  if (typeof worst !== 'number' || typeof bound !== 'number') return false;
  return figure.is_floor ? worst < bound : worst > bound;
}

export function boundText(figure: WatchedPast): string {
  const bound = known(figure.bound).at(-1);
  return bound === undefined ? '' : `${figure.is_floor ? 'at least' : 'at most'} ${watchedText(bound, figure.unit)} is right`;
}

/** In a sentence, for those who hear the page. */
export function describeWatched(past: WatchedHistory, figure: WatchedPast): string {
  const name = figure.figure.replaceAll('_', ' ');
  const values = known(figure.mean);
  if (values.length === 0) return `${name}: not known in this time.`;
  const say = (value: number | undefined): string => watchedText(value ?? null, figure.unit);
  const low = known(figure.least).reduce((a, b) => Math.min(a, b));
  const high = known(figure.greatest).reduce((a, b) => Math.max(a, b));
  const beyond = past.time.filter((_, i) => isBeyond(figure, i)).length;
  const steps = `${values.length} ${values.length === 1 ? 'step' : 'steps'} of ${formatSpan(past.step_seconds)}`;
  return `${name} over ${steps}: ${say(low)} to ${say(high)}, last ${say(values.at(-1))}; ${boundText(figure)}, and ${
    beyond === 0 ? 'no step was' : `${beyond} ${beyond === 1 ? 'step was' : 'steps were'}`
  } beyond it. Arrow keys move, plus and minus zoom, 0 resets.`;
}
