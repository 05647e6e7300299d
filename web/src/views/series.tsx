// Series: any series, its values, what was expected and its scores; zoomed over months; beside others.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ask, paths, type Episode, type Series, type SeriesPage } from '../api';
import type { Shade } from '../chart';
import { count, number, unitOf, withUnit } from '../format';
import { readZoom, useTimeline } from '../history';
import { useKeys } from '../keys';
import { live, now } from '../live';
import { go } from '../place';
import { SeriesChart } from '../serieschart';
import { useAsk, useStore } from '../store';
import { formatLength, formatSpan, parseTime, RANGES, readRange, spanOf, writeRange, type Range } from '../time';
import { Ago, Fact, Loading, Note, Problem, SeriesLabel } from '../ui';
import { formatPlace } from '../url';

const PAGE = 100;
const COMPARED_MAX = 4;
const FALLBACK = '1h';
const MATCH = 'GET /api/v1/series?match';

export function compared(params: URLSearchParams, own: number): number[] {
  const all = (params.get('with') ?? '')
    .split(',')
    .filter(Boolean)
    .map(Number)
    .filter((n) => Number.isInteger(n) && n >= 0 && n !== own);
  return [...new Set(all)].slice(0, COMPARED_MAX - 1);
}

const READINESS: Record<string, string> = {
  new: 'too few rows for a score',
  learning: 'scored on the scale of all series for the most part',
  ready: 'scored on its own scale',
  ended: 'its sender said that it is over',
};

function condition(series: Series): string {
  const bad = [
    series.is_beyond_limit ? '● beyond its limit' : '',
    series.is_anomalous ? '● out of the ordinary' : '',
    series.is_absent ? '● absent' : '',
    series.is_stuck ? '● stuck' : '',
    series.is_late ? '● late' : '',
    series.is_cadence_changed ? '● another rhythm' : '',
    series.is_stale ? '● ended by its sender' : '',
  ].filter(Boolean);
  return bad.length ? bad.join(', ') : series.readiness;
}

/** Asks page by page where the service cannot search by itself. */
async function find(words: string, after: number, canMatch: boolean, signal: AbortSignal): Promise<SeriesPage> {
  const query: Record<string, string> = { limit: String(words && !canMatch ? 1000 : PAGE) };
  if (after >= 0) query['after'] = String(after);
  if (words && canMatch) query['match'] = words;
  const page = await ask<SeriesPage>(paths.series(query), { signal });
  if (!words || canMatch) return page;
  return { ...page, series: page.series.filter((series) => series.series.toLowerCase().includes(words.toLowerCase())) };
}

function Picker({
  chosen,
  onPick,
  pickWord,
}: {
  chosen: readonly number[];
  onPick: (series: number) => string;
  pickWord: string;
}) {
  const { can, status } = useStore(live);
  const [words, setWords] = useState('');
  const [settled, settle] = useState('');
  const [after, setAfter] = useState(-1);
  useEffect(() => {
    const timer = setTimeout(() => {
      settle(words.trim());
      setAfter(-1);
    }, 200);
    return () => {
      clearTimeout(timer);
    };
  }, [words]);
  const canMatch = can?.has(MATCH) ?? false;
  const asked = useAsk<SeriesPage>(can ? `${settled}|${after}|${canMatch}|${status?.series ?? 0}` : null, (signal) =>
    find(settled, after, canMatch, signal),
  );
  const page = asked.data;
  return (
    <nav class="picker" aria-label="Series">
      <label class="visually-hidden" for="find">
        Find a series
      </label>
      <input
        id="find"
        type="search"
        placeholder="find a series"
        value={words}
        onInput={(event) => {
          setWords(event.currentTarget.value);
        }}
      />
      <p class="soft" role="status">
        {page ? `${count(page.series.length)} of ${count(page.count)} series` : 'asking…'}
      </p>
      {asked.error ? <Problem error={asked.error} what="The series" /> : null}
      <ul>
        {page?.series.map((series) => (
          <li key={series.number}>
            <a
              href={onPick(series.number)}
              aria-current={chosen.includes(series.number) ? 'true' : undefined}
              data-row
              title={pickWord}
            >
              <SeriesLabel text={series.series} />
              <small class={condition(series).startsWith('●') ? 'warn' : ''}>{condition(series)}</small>
            </a>
          </li>
        ))}
      </ul>
      {page?.series.length === 0 ? (
        <Note>{settled ? `No series has “${settled}” in its name.` : 'No rows have come yet.'}</Note>
      ) : null}
      <div class="buttons">
        {after >= 0 ? (
          <button
            type="button"
            onClick={() => {
              setAfter(-1);
            }}
          >
            First
          </button>
        ) : null}
        {page?.next_after !== undefined ? (
          <button
            type="button"
            onClick={() => {
              setAfter(page.next_after ?? -1);
            }}
          >
            More
          </button>
        ) : null}
      </div>
    </nav>
  );
}

function Ranges({ range, onRange }: { range: Range; onRange: (range: Range) => void }) {
  const current = range.kind === 'last' ? formatLength(range.seconds) : '';
  return (
    <div class="buttons ranges" role="group" aria-label="Time range">
      {RANGES.map(([text, words]) => {
        const seconds = readRange(new URLSearchParams({ range: text }), text);
        const isCurrent = seconds.kind === 'last' && current === formatLength(seconds.seconds);
        return (
          <button
            type="button"
            key={text}
            aria-pressed={isCurrent}
            title={words}
            onClick={() => {
              onRange(seconds);
            }}
          >
            {text}
          </button>
        );
      })}
    </div>
  );
}

function FactsOf({ series, unit }: { series: Series; unit: string }) {
  return (
    <dl class="facts">
      <Fact name="Last value" against={<Ago time={series.last_row} />}>
        {withUnit(number(series.value), unit)}
      </Fact>
      <Fact name="Expected next" against={`± ${withUnit(number(series.deviation, 2), unit)}, one deviation`}>
        {withUnit(number(series.expected), unit)}
      </Fact>
      <Fact name="State" against={READINESS[series.readiness]}>
        <span class={condition(series).startsWith('●') ? 'warn' : ''}>{condition(series)}</span>
      </Fact>
      <Fact name="A row every" against="the usual step of its stamps">
        {series.cadence_seconds ? formatSpan(series.cadence_seconds) : 'not known yet'}
      </Fact>
      {series.low !== undefined || series.high !== undefined ? (
        <Fact name="Limits set for it" against="told at once, whatever is usual">
          {[
            series.low === undefined ? '' : `from ${withUnit(number(series.low), unit)}`,
            series.high === undefined ? '' : `up to ${withUnit(number(series.high), unit)}`,
          ]
            .filter(Boolean)
            .join(' ')}
        </Fact>
      ) : null}
      <Fact name="First seen" against={series.is_rate ? 'a counter: judged by its rate' : undefined}>
        <Ago time={series.first_seen} />
      </Fact>
    </dl>
  );
}

function shadesOf(episodes: readonly Episode[], at: number): Shade[] {
  return episodes.map((episode) => ({
    from: parseTime(episode.begin) ?? at,
    to: parseTime(episode.end) ?? at,
    label: episode.kind,
    isChosen: !episode.end,
  }));
}

function Charts({ numbers, range, params }: { numbers: readonly number[]; range: Range; params: URLSearchParams }) {
  const zoomed = useMemo(() => readZoom(params), []);
  const key = JSON.stringify(range);
  const following = useTimeline(key, () => spanOf(range, now.get()), range.kind === 'last', true);
  useEffect(() => {
    if (zoomed) following.timeline.set(zoomed);
  }, [following.timeline]);
  const asked = useAsk<Series[]>(
    numbers.join(),
    (signal) => Promise.all(numbers.map((n) => ask<Series>(paths.oneSeries(n), { signal }))),
    5,
  );
  const { episodes, can } = useStore(live);
  const shades = useMemo(
    () =>
      numbers.map((n) =>
        shadesOf(
          [...episodes.values()].filter((e) => e.number === n),
          now.get(),
        ),
      ),
    [episodes, numbers.join(), following.turn],
  );
  useKeys({
    '+': {
      help: 'zoom in',
      act: () => {
        following.timeline.zoom(0.6);
      },
    },
    '-': {
      help: 'zoom out',
      act: () => {
        following.timeline.zoom(1 / 0.6);
      },
    },
    0: {
      help: 'the whole range',
      act: () => {
        following.timeline.reset();
      },
    },
    ArrowLeft: {
      help: 'earlier',
      act: () => {
        following.timeline.pan(-0.2);
      },
    },
    ArrowRight: {
      help: 'later',
      act: () => {
        following.timeline.pan(0.2);
      },
    },
  });
  const [own] = asked.data ?? [];
  if (asked.error && !asked.data) return <Problem error={asked.error} what="This series" />;
  if (!asked.data || !own || !can) return <Loading what="the series" />;
  return (
    <>
      <h1 tabIndex={-1}>
        <SeriesLabel text={own.series} />
      </h1>
      <FactsOf series={own} unit={unitOf(own.series, own.is_rate)} />
      {can.has('GET /api/v1/series/{number}/history') ? (
        asked.data.map((series, i) => (
          <section class="card" key={series.number} aria-label={`Chart of ${series.series}`}>
            <SeriesChart
              number={series.number}
              title={series.series}
              unit={unitOf(series.series, series.is_rate)}
              timeline={following.timeline}
              turn={following.turn}
              shades={shades[i] ?? []}
              low={series.low}
              high={series.high}
              color={i}
              height={i === 0 && numbers.length === 1 ? 320 : 200}
              withScore
            />
          </section>
        ))
      ) : (
        <Note>This service keeps no history of rows: only what came last is known.</Note>
      )}
      <EpisodesOf number={own.number} episodes={[...episodes.values()].filter((e) => e.number === own.number)} />
    </>
  );
}

function EpisodesOf({ episodes }: { number: number; episodes: readonly Episode[] }) {
  return (
    <section class="card" aria-labelledby="its-episodes">
      <h2 id="its-episodes">Its episodes, last 24 hours</h2>
      {episodes.length === 0 ? <Note>None.</Note> : null}
      <ul class="links">
        {episodes.map((episode) => (
          <li key={episode.id}>
            <a href={formatPlace('episode', episode.id)}>{episode.summary}</a>{' '}
            <span class="soft">
              {episode.state}, <Ago time={episode.begin} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Compare({ own, others, write }: { own: number; others: readonly number[]; write: (others: readonly number[]) => void }) {
  const [isOpen, open] = useState(false);
  if (others.length === 0 && !isOpen)
    return (
      <button
        type="button"
        onClick={() => {
          open(true);
        }}
      >
        Compare with…
      </button>
    );
  return (
    <div class="compare">
      <span class="soft">
        Compared with {others.length} other{others.length === 1 ? '' : 's'} (at most {COMPARED_MAX - 1})
      </span>
      {others.map((n) => (
        <button
          type="button"
          key={n}
          onClick={() => {
            write(others.filter((m) => m !== n));
          }}
        >
          Take away {n}
        </button>
      ))}
      {others.length < COMPARED_MAX - 1 ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const input = event.currentTarget.elements.namedItem('other') as HTMLInputElement;
            const wanted = input.value.trim();
            void find(wanted, -1, live.get().can?.has(MATCH) ?? false, new AbortController().signal).then((page) => {
              const hit = page.series.find((series) => series.number !== own && !others.includes(series.number));
              if (hit) write([...others, hit.number]);
              input.setCustomValidity(hit ? '' : 'no other series has that in its name');
              input.reportValidity();
            });
          }}
        >
          <label>
            Add{' '}
            <input
              name="other"
              type="text"
              required
              placeholder="part of its name"
              onInput={(event) => {
                event.currentTarget.setCustomValidity('');
              }}
            />
          </label>
          <button type="submit">Add</button>
        </form>
      ) : null}
    </div>
  );
}

export function SeriesView({ argument, params }: { argument: string; params: URLSearchParams }) {
  const own = /^\d+$/.test(argument) ? Number(argument) : null;
  const range = readRange(params, FALLBACK);
  const others = own === null ? [] : compared(params, own);
  const write = (nextRange: Range, nextOthers: readonly number[]): void => {
    const next = new URLSearchParams();
    writeRange(next, nextRange);
    if (nextOthers.length) next.set('with', nextOthers.join(','));
    go('series', argument, next);
  };
  const keep = new URLSearchParams();
  writeRange(keep, range);
  useKeys({
    '/': {
      help: 'find a series',
      act: () => {
        document.querySelector<HTMLElement>('#find')?.focus();
      },
    },
    j: {
      help: 'next series',
      act: () => {
        step(1);
      },
    },
    k: {
      help: 'previous series',
      act: () => {
        step(-1);
      },
    },
  });
  return (
    <div class="view series-view">
      <Picker chosen={own === null ? [] : [own]} onPick={(n) => formatPlace('series', n, keep)} pickWord="show it" />
      <div>
        {own === null ? (
          <>
            <h1 tabIndex={-1}>Series</h1>
            <Note>
              Choose a series, or find one by a part of its name <kbd>/</kbd>.
            </Note>
          </>
        ) : (
          <>
            <div class="bar-of">
              <Ranges
                range={range}
                onRange={(next) => {
                  write(next, others);
                }}
              />
              <Compare
                own={own}
                others={others}
                write={(next) => {
                  write(range, next);
                }}
              />
            </div>
            <Charts key={`${own}|${others.join()}`} numbers={[own, ...others]} range={range} params={params} />
          </>
        )}
      </div>
    </div>
  );
}

function step(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('.picker a[data-row]')];
  const at = rows.findIndex((row) => row === document.activeElement || row.getAttribute('aria-current') === 'true');
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}
