// Which of a million points to draw.  A block of history is kept at several levels, each with half the entries of the one before;
// a view of any width then costs as many entries as the chart has pixels, not as many as there are.  Every level keeps the extremes, so
// that a single outlier stays visible from far away: low and lower by minimum, high, upper and score by maximum, the rest by mean.

export interface HistoryDocument {
  series: string;
  number: number;
  step_seconds: number;
  time: number[];
  value: (number | null)[];
  low?: (number | null)[];
  high?: (number | null)[];
  expected?: (number | null)[];
  lower?: (number | null)[];
  upper?: (number | null)[];
  score?: (number | null)[];
}

export const TRACKS = ['value', 'low', 'high', 'expected', 'lower', 'upper', 'score'] as const;
export type Track = (typeof TRACKS)[number];
type Join = 'mean' | 'min' | 'max';
const JOINS: Record<Track, Join> = {
  value: 'mean',
  low: 'min',
  high: 'max',
  expected: 'mean',
  lower: 'min',
  upper: 'max',
  score: 'max',
};
const FACTOR = 2;

export type Level = { time: Float64Array } & Record<Track, Float64Array>;
export type Slice = { time: number[] } & Record<Track, (number | null)[]>;

export interface Block {
  step: number;
  from: number;
  to: number;
  levels: Level[];
}

function column(values: readonly (number | null)[] | undefined, length: number): Float64Array {
  const out = new Float64Array(length).fill(NaN);
  for (let i = 0; values && i < length; i++) out[i] = values[i] ?? NaN;
  return out;
}

/** NaN counts as absent; NaN where all are. */
function joinColumn(from: Float64Array, join: Join): Float64Array {
  const out = new Float64Array(Math.ceil(from.length / FACTOR));
  for (let i = 0; i < out.length; i++) {
    let count = 0;
    let joined = NaN;
    for (let k = i * FACTOR; k < Math.min((i + 1) * FACTOR, from.length); k++) {
      const value = from[k] ?? NaN;
      if (Number.isNaN(value)) continue;
      if (count++ === 0) joined = value;
      else if (join === 'mean') joined += value;
      else joined = join === 'min' ? Math.min(joined, value) : Math.max(joined, value);
    }
    out[i] = join === 'mean' ? joined / count : joined;
  }
  return out;
}

function joinTimes(from: Float64Array): Float64Array {
  const out = new Float64Array(Math.ceil(from.length / FACTOR));
  for (let i = 0; i < out.length; i++) {
    const last = Math.min((i + 1) * FACTOR, from.length) - 1;
    out[i] = ((from[i * FACTOR] ?? NaN) + (from[last] ?? NaN)) / 2;
  }
  return out;
}

export function makeBlock(document: HistoryDocument): Block {
  const length = document.time.length;
  const base = { time: Float64Array.from(document.time) } as Level;
  for (const track of TRACKS) base[track] = column(document[track], length);
  for (let i = 0; i < length; i++) {
    // extremes that were not stated are those of the value
    if (Number.isNaN(base.low[i])) base.low[i] = base.value[i] ?? NaN;
    if (Number.isNaN(base.high[i])) base.high[i] = base.value[i] ?? NaN;
  }
  const levels = [base];
  for (let level = base; level.time.length > 1024;) {
    const next = { time: joinTimes(level.time) } as Level;
    for (const track of TRACKS) next[track] = joinColumn(level[track], JOINS[track]);
    levels.push(next);
    level = next;
  }
  return { step: document.step_seconds, from: base.time[0] ?? NaN, to: base.time[length - 1] ?? NaN, levels };
}

/** The first index whose time is not below `time`. */
export function lowerBound(times: Float64Array, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? Infinity) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The finest level with at most `most` entries in the span, and the entries' indices, one more at each side. */
export function chooseLevel(block: Block, from: number, to: number, most: number): { level: Level; begin: number; end: number } {
  let chosen: { level: Level; begin: number; end: number } | null = null;
  for (const level of block.levels) {
    const begin = Math.max(0, lowerBound(level.time, from) - 1);
    const end = Math.min(level.time.length, lowerBound(level.time, to) + 1);
    chosen = { level, begin, end };
    if (end - begin <= most) break;
  }
  if (!chosen) throw new Error('a block has no level');
  return chosen;
}

export function emptySlice(): Slice {
  return { time: [], value: [], low: [], high: [], expected: [], lower: [], upper: [], score: [] };
}

function append(slice: Slice, block: Block, from: number, to: number, most: number): void {
  const { level, begin, end } = chooseLevel(block, from, to, most);
  const times = level.time;
  const last = slice.time.at(-1) ?? -Infinity;
  for (let i = begin; i < end; i++) {
    const time = times[i] ?? NaN;
    if (time <= last) continue;
    slice.time.push(time);
    for (const track of TRACKS) {
      const value = level[track][i] ?? NaN;
      slice[track].push(Number.isNaN(value) ? null : value);
    }
  }
}

/** What is to be drawn of a span: the finer block where it has something, the coarser one beside it. */
export function sliceOf(coarse: Block | null, fine: Block | null, from: number, to: number, most: number): Slice {
  const slice = emptySlice();
  const hasFine = fine !== null && fine.to >= from && fine.from <= to;
  if (!hasFine) {
    if (coarse) append(slice, coarse, from, to, most);
    return slice;
  }
  if (coarse && from < fine.from) append(slice, coarse, from, fine.from - fine.step, most);
  append(slice, fine, Math.max(from, fine.from), Math.min(to, fine.to), most);
  if (coarse && to > fine.to) append(slice, coarse, fine.to + fine.step, to, most);
  return slice;
}
