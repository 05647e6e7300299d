import { describe, expect, it, vi } from 'vitest';
import type { Episode } from '../src/api';

vi.stubGlobal('location', { hash: '' });
vi.stubGlobal('addEventListener', () => undefined);
vi.stubGlobal('document', { documentElement: {} });
vi.stubGlobal('matchMedia', () => ({ addEventListener: () => undefined }));
const { may, mergeEpisodes } = await import('../src/live');
const { groupEpisodes, withoutName } = await import('../src/views/now');
const { raisedLastDay, watchedText } = await import('../src/health');
const { distinctSeries, overlapping, spanAround } = await import('../src/views/episode');
const { compared } = await import('../src/views/series');
const { matchersOf } = await import('../src/silences');
const { detectWords, shownDays } = await import('../src/views/quality');
const { episodeOf } = await import('../src/views/review');

const AT = Date.parse('2026-01-05T12:00:00Z') / 1000;
function episode(id: string, more: Partial<Episode> = {}): Episode {
  const begin = '2026-01-05T11:00:00Z';
  return {
    id,
    kind: 'anomaly',
    state: 'confirmed',
    series: `s{n="${id}"}`,
    number: 0,
    begin,
    updated: begin,
    severity: 60,
    sequence: 1,
    summary: '',
    ...more,
  };
}

describe('episodes that come', () => {
  it('replace older versions of themselves and nothing newer', () => {
    const known = mergeEpisodes(new Map(), [episode('a', { sequence: 5 })], 0);
    expect(mergeEpisodes(known, [episode('a', { sequence: 4, severity: 99 })], 0).get('a')?.severity).toBe(60);
    expect(mergeEpisodes(known, [episode('a', { sequence: 5, answer: 'true' })], 0).get('a')?.answer).toBe('true');
  });
  it('go when they are over for long, and never while they are open', () => {
    const old = [
      episode('over', { state: 'resolved', end: '2026-01-01T00:00:00Z' }),
      episode('open', { begin: '2020-01-01T00:00:00Z' }),
    ];
    expect([...mergeEpisodes(new Map(), old, AT - 86400).keys()]).toEqual(['open']);
  });
});

describe('the list of Now', () => {
  it('has the worst first, and incidents together', () => {
    const all = [
      episode('a', { severity: 55 }),
      episode('b', { severity: 90, incident: 'i' }),
      episode('c', { severity: 70 }),
      episode('d', { severity: 50, incident: 'i' }),
    ];
    const groups = groupEpisodes(all, new Map());
    expect(groups.map((group) => group.episodes.map((e) => e.id).join(''))).toEqual(['bd', 'c', 'a']);
    expect(groups[0]?.severity).toBe(90);
  });
  it('counts anomalies of the last day, whatever became of them', () => {
    const all = [
      episode('a'),
      episode('b', { state: 'dismissed' }),
      episode('c', { state: 'suspected' }),
      episode('d', { state: 'resolved' }),
      episode('e', { kind: 'absence' }),
      episode('f', { begin: '2026-01-01T00:00:00Z' }),
    ];
    expect(raisedLastDay(all, AT)).toBe(4);
  });
  it('does not say names twice', () => {
    expect(withoutName(episode('a', { summary: 's{n="a"} has sent nothing for 11 s' }))).toBe('has sent nothing for 11 s');
  });
});

describe('an episode', () => {
  it('is shown with enough of what was before, and not beyond now', () => {
    const span = spanAround(1000, 1010, 1, 1020);
    expect(span).toEqual({ from: 820, to: 1020 });
    expect(spanAround(1000, 5000, 1, 9000)).toEqual({ from: -11000, to: 9000 });
  });
  it('is drawn beside each other series once', () => {
    const related = [3, 5, 5, 4, 3].map((number, i) => ({
      id: String(i),
      number,
      series: '',
      begin: '',
      kind: 'anomaly' as const,
    }));
    expect(distinctSeries(related, 3).map((other) => other.id)).toEqual(['1', '3']);
  });
  it('overlaps with what happened near it', () => {
    const own = episode('own', { end: '2026-01-05T11:10:00Z', state: 'resolved' });
    const all = [
      own,
      episode('near', { begin: '2026-01-05T11:10:30Z' }),
      episode('late', { begin: '2026-01-05T11:20:00Z' }),
      episode('before', { begin: '2026-01-05T10:00:00Z', end: '2026-01-05T10:30:00Z', state: 'resolved' }),
    ];
    expect(overlapping(own, all).map((other) => other.id)).toEqual(['near']);
  });
});

describe('figures that the service watches', () => {
  it('are told in their unit', () => {
    expect(watchedText(null, 's')).toBe('not known yet');
    expect(watchedText(0.0125, 'share')).toBe('1.25 %');
    expect(watchedText(0.0125, 's')).toBe('12.5 ms');
    expect(watchedText(1.5, 'of the budget')).toBe('1.5 times the budget');
    expect(watchedText(0.25, 'PSI')).toBe('0.25 PSI');
  });
});

describe('what a role may', () => {
  it('is what those before it may, and everything where the service does not say', () => {
    expect(['viewer', 'analyst', 'operator', 'admin'].map((own) => may('operator', own))).toEqual([false, false, true, true]);
    expect(may('admin', undefined)).toBe(true);
  });
});

describe('a silence of a series', () => {
  it('means it and nothing else', () => {
    expect(matchersOf('load{host="a",x="b\\"c"}')).toEqual([
      { name: '__name__', op: '=', value: 'load' },
      { name: 'host', op: '=', value: 'a' },
      { name: 'x', op: '=', value: 'b"c' },
    ]);
  });
});

describe('parameters and documents', () => {
  it('of comparisons are other numbers, a few', () => {
    expect(compared(new URLSearchParams(''), 3)).toEqual([]);
    expect(compared(new URLSearchParams('with=1,3,x,1,5,6,7'), 3)).toEqual([1, 5, 6]);
  });
  it('of quality leave out days without anything, the last first, and say how soon', () => {
    const day = { day: '1', alarms: 4, answered: 3, true: 2, expected: 1, not_mine: 0 };
    const none = { ...day, day: '2', alarms: 0, answered: 0, missed: 0 };
    const missed = { ...none, day: '3', missed: 1 };
    expect(shownDays([day, none, missed]).map((each) => each.day)).toEqual(['3', '1']);
    expect(shownDays([none, { ...none, day: '4' }]).map((each) => each.day)).toEqual(['4']);
    expect(
      [null, undefined, 0, 90].map((detect_seconds) => detectWords({ ...day, detect_seconds: detect_seconds as number | null })),
    ).toEqual(['–', '–', 'at once', '1 min 30 s']);
  });
  it('of the queue have the episode inside or beside', () => {
    expect(episodeOf({ id: 'a', episode: episode('a') })?.id).toBe('a');
    expect(episodeOf({ ...episode('a'), gain: 1, reason: 'r' })?.id).toBe('a');
    expect(episodeOf({ id: 'a' })).toBeNull();
  });
});
