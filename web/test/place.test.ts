import { describe, expect, it } from 'vitest';
import { formatPlace, parsePlace, VIEWS } from '../src/url';
import { Sequence } from '../src/keys';
import { readAbilities } from '../src/api';
import { Timeline } from '../src/timeline';

describe('addresses', () => {
  it('are read as they were written, whatever an id has in it', () => {
    for (const view of VIEWS)
      for (const argument of ['', '7', 'anomaly-1a', 'a/b?c#d e%', '{x="ü"}']) {
        const place = parsePlace(formatPlace(view, argument, { range: '6h', q: 'a&b' }));
        expect([place.view, place.argument, place.params.get('range'), place.params.get('q')]).toEqual([
          view,
          argument,
          '6h',
          'a&b',
        ]);
      }
  });
  it('that are none lead to Now', () => {
    for (const hash of ['', '#', '#/', '#/nonsense/7', '#now']) expect(parsePlace(hash).view).toBe('now');
    expect(parsePlace('#/series/%zz').argument).toBe('%zz');
  });
});

describe('keys in a row', () => {
  it('belong together for a moment', () => {
    const sequence = new Sequence();
    const isPrefix = (key: string) => key === 'g';
    expect(sequence.next('g', 0, isPrefix)).toBe('g');
    expect(sequence.next('n', 100, isPrefix)).toBe('g n');
    expect(sequence.next('n', 200, isPrefix)).toBe('n');
    sequence.next('g', 300, isPrefix);
    expect(sequence.next('n', 5000, isPrefix)).toBe('n');
  });
});

describe('what a service can be asked', () => {
  it('is in its description', () => {
    const can = readAbilities({
      paths: { '/api/v1/series': { get: { parameters: [{ name: 'match', in: 'query' }] } }, '/x/{id}': { post: {} } },
    });
    expect([...can].sort()).toEqual(['GET /api/v1/series', 'GET /api/v1/series?match', 'POST /x/{id}']);
  });
});

describe('a timeline', () => {
  it('goes on with time while its end is in sight, and not when it was moved away', () => {
    globalThis.requestAnimationFrame = (() => 1) as typeof requestAnimationFrame;
    globalThis.window = globalThis as unknown as Window & typeof globalThis;
    const timeline = new Timeline({ from: 0, to: 100 }, { from: -1000, to: 100 });
    timeline.follow(110);
    expect(timeline.span).toEqual({ from: 10, to: 110 });
    timeline.set({ from: 20, to: 40 });
    timeline.follow(120);
    expect(timeline.span).toEqual({ from: 20, to: 40 });
    timeline.reset();
    expect(timeline.span).toEqual({ from: 20, to: 120 });
    clearTimeout(0);
    globalThis.cancelAnimationFrame = () => undefined;
    timeline.destroy();
  });
});
