// Episode: one screen that explains one thing that happened: what came, what was expected, how rare that is, what else moved, what it was
// the last times, which way the row went, and what can be done about it.
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ask, paths, type Episode, type Explanation, type Related, type Series, type Similar } from '../api';
import { Acknowledging, answer, Answering, canAnswer, VERDICTS, verdictWord } from '../answers';
import type { Shade } from '../chart';
import { chance, distance, duration, number, severityMeaning, unitOf, withUnit } from '../format';
import { useTimeline, type Following } from '../history';
import { useKeys, type Bindings } from '../keys';
import { fetchEpisode, isOpen, live, now } from '../live';
import { go } from '../place';
import { SeriesChart } from '../serieschart';
import { Silencing } from '../silences';
import { useAsk, useStore } from '../store';
import { formatSpan, parseTime, type Span } from '../time';
import { Ago, At, Fact, Head, Loading, Note, Problem, SeriesLabel, Severity, State } from '../ui';
import { formatPlace } from '../url';
import { heatOf, KeptWay, MovedTogether, Quiet, useExplanation } from '../why';

const KIND_TITLES: Record<string, string> = {
  anomaly: 'Out of the ordinary',
  absence: 'Nothing received',
  stuck: 'Value does not move',
  stale: 'Ended by its sender',
  late: 'Rows come late',
  cadence: 'Another rhythm',
  limit: 'Beyond its limit',
};
const RELATED_CHARTS = 4;

/** What a severity means, by the kind of its episode. */
function severityOf(episode: Episode): string {
  if (episode.kind === 'anomaly') return `of 100: ${severityMeaning(episode.severity)}`;
  return episode.kind === 'limit' ? 'of 100, as every limit that is passed' : 'of 100; 50 for whatever is no anomaly';
}

/** As much before an episode as it takes to see what was ordinary, and something after. */
export function spanAround(begin: number, end: number, cadence: number, at: number): Span {
  const length = Math.max(end - begin, cadence * 4);
  const before = Math.max(length * 3, cadence * 180, 120);
  const after = Math.max(length, cadence * 60, 40);
  return { from: begin - before, to: Math.min(end + after, Math.max(at, end + cadence * 4)) };
}

function useEpisode(id: string) {
  const { episodes, changes } = useStore(live);
  const known = episodes.get(id);
  const asked = useAsk<Episode>(`${id}#${known ? '' : changes}`, (signal) => fetchEpisode(id, signal));
  const fetched = useRef<Episode | null>(null); // stays while it is asked for anew
  if (asked.data) fetched.current = asked.data;
  const told = fetched.current?.id === id ? fetched.current : null;
  return {
    episode: known && (!told || known.sequence >= told.sequence) ? known : told,
    error: known ? null : asked.error,
  };
}

function Facts({ episode, series, unit }: { episode: Episode; series: Series | null; unit: string }) {
  const at = useStore(now);
  const begin = parseTime(episode.begin) ?? at;
  const end = parseTime(episode.end) ?? at;
  const far = distance(episode.value ?? NaN, episode.expected ?? NaN, episode.deviation ?? 0);
  const say = (value: number | undefined, digits?: number): string => withUnit(number(value, digits), unit);
  return (
    <dl class="facts">
      <Fact name="Severity" against={severityOf(episode)}>
        <Severity value={episode.severity} />
      </Fact>
      <Fact name="Began" against={<Ago time={episode.begin} />}>
        <At time={episode.begin} />
      </Fact>
      <Fact
        name={isOpen(episode) ? 'Lasts for' : 'Lasted'}
        against={series?.cadence_seconds ? `a row every ${formatSpan(series.cadence_seconds)} is usual` : undefined}
      >
        {formatSpan(end - begin)}
      </Fact>
      {episode.kind === 'anomaly' ? (
        <>
          <Fact name="Value at its rarest" against={<At time={episode.peak} />}>
            {say(episode.value)}
          </Fact>
          <Fact name="Expected" against={`± ${say(episode.deviation, 2)}, one deviation`}>
            {say(episode.expected)}
          </Fact>
          <Fact
            name="Off by"
            against={
              far === null
                ? undefined
                : `${number(far, 3)} deviations ${(episode.value ?? 0) > (episode.expected ?? 0) ? 'above' : 'below'}`
            }
          >
            {say((episode.value ?? NaN) - (episode.expected ?? NaN))}
          </Fact>
          <Fact name="By chance" against="rows of an ordinary series as far out">
            {chance(episode.p_value)}
          </Fact>
        </>
      ) : null}
      {episode.limit !== undefined ? (
        <Fact
          name={isOpen(episode) ? 'Value that passed it' : 'Farthest value'}
          against={`the limit set for it is ${say(episode.limit)}`}
        >
          {say(episode.value)}
        </Fact>
      ) : null}
      {episode.lag_seconds !== undefined ? (
        <Fact name="Comes after its stamps" against={`usual is ${duration(episode.usual_lag_seconds)}`}>
          {duration(episode.lag_seconds)}
        </Fact>
      ) : null}
      {episode.step_seconds !== undefined ? (
        <Fact name="A row every" against={`usual is ${duration(episode.usual_step_seconds)}`}>
          {duration(episode.step_seconds)}
        </Fact>
      ) : null}
      {series?.value !== undefined && isOpen(episode) ? (
        <Fact name="Value now" against={`expected ${say(series.expected)} ± ${say(series.deviation, 2)}`}>
          {say(series.value)}
        </Fact>
      ) : null}
      {episode.verdict && episode.verdict !== 'none' ? (
        <Fact
          name="Second look"
          against={episode.deep_p_value === undefined ? undefined : `by chance: ${chance(episode.deep_p_value)}`}
        >
          {VERDICT_WORDS[episode.verdict] ?? episode.verdict}
        </Fact>
      ) : null}
    </dl>
  );
}

const VERDICT_WORDS: Record<string, string> = {
  confirmed: '✓ out of the ordinary as well',
  ordinary: '– ordinary, after all',
  unconfirmed: '? not in time',
  pending: '… not yet',
};

function explain(episode: Episode, series: Series | null, unit: string): string {
  const say = (value: number | undefined): string => withUnit(number(value), unit);
  if (episode.kind === 'anomaly') {
    const isAbove = (episode.value ?? 0) > (episode.expected ?? 0);
    const expected = `${say(episode.expected)} ± ${number(episode.deviation, 2)}`;
    return `${say(episode.value)} came where ${expected} was expected: too ${isAbove ? 'high' : 'low'}.`;
  }
  if (episode.limit !== undefined) {
    const side = (episode.value ?? 0) > episode.limit ? 'above' : 'below';
    return `${say(episode.value)} is ${side} the limit of ${say(episode.limit)} set for it: told whatever is usual, or was answered.`;
  }
  const usual = series?.cadence_seconds ? ` A row usually comes every ${formatSpan(series.cadence_seconds)}.` : '';
  if (episode.kind === 'absence')
    return `${isOpen(episode) ? 'No row has come' : 'No row came'} for this series, though its sender said nothing of an end.${usual}`;
  if (episode.kind === 'stuck') return `The same value again and again, for longer than ever before on this series.${usual}`;
  if (episode.kind === 'stale') return 'Its sender said that the series is over, as Prometheus does when a target is gone.';
  if (episode.lag_seconds !== undefined && episode.lag_seconds < 0)
    return 'Its rows are stamped ahead of their receipt: a clock is wrong.';
  if (episode.kind === 'late')
    return 'Its rows come later after their stamps than they used to: something on the way holds them up.';
  if (episode.kind === 'cadence') return 'Its rows come in another rhythm than before.';
  return episode.summary;
}

/** Which way the row went, and what each step said of it: as the service kept it, or else as far as the episode tells. */
function Way({ episode, series, why }: { episode: Episode; series: Series | null; why: Explanation | null }) {
  return (
    <section class="card" aria-labelledby="way">
      <h2 id="way">The way of the row</h2>
      {why && why.path.length > 1 ? <KeptWay why={why} /> : <ToldWay episode={episode} series={series} />}
      <SaveRecord episode={episode} />
    </section>
  );
}

function ToldWay({ episode, series }: { episode: Episode; series: Series | null }) {
  const steps: [string, string][] = [
    ['Received', `stamped ${episode.begin}`],
    ['Journal', `on disk as record ${episode.sequence} before its sender was told`],
  ];
  if (episode.kind === 'anomaly') {
    steps.push([
      'First look',
      `what was expected from the series' own past: ${number(episode.expected)} ± ${number(episode.deviation, 2)}${
        series ? `; the series is ${series.readiness}` : ''
      }`,
    ]);
    steps.push(['Among all series', `as far out by chance: ${chance(episode.p_value)} rows`]);
    steps.push([
      'Budget',
      `severity ${number(episode.severity, 3)}: ${severityMeaning(episode.severity)}${
        episode.severity >= 60 ? '; 60 and more is told at once' : '; told when it lasts'
      }`,
    ]);
    if (episode.verdict && episode.verdict !== 'none')
      steps.push(['Second look', VERDICT_WORDS[episode.verdict] ?? episode.verdict]);
  } else if (episode.limit !== undefined) {
    steps.push(['Limit', `a policy sets ${number(episode.limit)}; told with the first value beyond it`]);
  } else if (episode.kind === 'absence') {
    steps.push(['Clock', 'nothing came for five times the usual step: known at onset, not when data come back']);
  } else if (episode.kind === 'stuck') {
    steps.push(['Run of one value', 'thirty times on end, and three times as often as ever before']);
  }
  if (episode.suppressed_by) steps.push(['Answers', `kept quiet by ${episode.suppressed_by}`]);
  steps.push(['State', `${episode.state} as of ${episode.updated}`]);
  return (
    <ol class="way">
      {steps.map(([name, text]) => (
        <li key={name}>
          <b>{name}</b> <span>{text}</span>
        </li>
      ))}
    </ol>
  );
}

/** Everything that is known of it in one document, to be filed; by a request of this page, since a link would send no token. */
function SaveRecord({ episode }: { episode: Episode }) {
  const { can } = useStore(live);
  const [error, fail] = useState<Error | null>(null);
  if (!can?.has('GET /api/v1/episodes/{id}/record')) return null;
  const save = (): void => {
    ask<unknown>(`${paths.episode(episode.id)}/record`).then(
      (record) => {
        const link = document.createElement('a');
        link.href = URL.createObjectURL(new Blob([JSON.stringify(record, null, 2)], { type: 'application/json' }));
        link.download = `${episode.id}.json`;
        link.click();
        URL.revokeObjectURL(link.href);
      },
      (reason: unknown) => {
        fail(reason as Error);
      },
    );
  };
  return (
    <>
      <button type="button" onClick={save}>
        Save the record of this decision
      </button>
      {error ? <Problem error={error} what="The record" /> : null}
    </>
  );
}

function RelatedSeries({ episode, following, why }: { episode: Episode; following: Following; why: Explanation | null }) {
  const { can, episodes, changes } = useStore(live);
  const isKnown = can?.has('GET /api/v1/episodes/{id}/related') ?? false;
  const asked = useAsk<{ related: Related[] }>(isKnown ? `${episode.id}#${changes}` : null, (signal) =>
    ask(`${paths.episode(episode.id)}/related`, { signal }),
  );
  const related = useMemo(
    () => (isKnown ? (asked.data?.related ?? []) : overlapping(episode, [...episodes.values()])),
    [isKnown, asked.data, episodes, episode],
  );
  const others = useMemo(() => distinctSeries(related, episode.number).slice(0, RELATED_CHARTS), [related, episode.number]);
  const shades = useMemo(
    () => others.map((other) => shadesOfSeries(other.number, related, episodes)),
    [others, related, episodes],
  );
  const apart = useMemo(() => {
    const told = new Set(why?.moved_together.episodes.map((other) => other.id));
    return related.filter((other) => !told.has(other.id));
  }, [related, why]);
  const hasHistory = can?.has('GET /api/v1/series/{number}/history') ?? false;
  return (
    <section class="card" aria-labelledby="related">
      <h2 id="related">Moved at the same time</h2>
      {asked.error ? <Problem error={asked.error} what="Related series" /> : null}
      {why ? <MovedTogether why={why} /> : null}
      {related.length === 0 ? <Note>No other series had an episode near this time.</Note> : null}
      <ul class="links">
        {apart.slice(0, 30).map((other) => (
          <li key={other.id}>
            <a href={formatPlace('episode', other.id)}>
              <SeriesLabel text={other.series} />
            </a>{' '}
            <span class="soft">
              {other.kind}, <At time={other.begin} />
            </span>
          </li>
        ))}
      </ul>
      {hasHistory
        ? others.map((other, i) => (
            <SeriesChart
              key={other.id}
              number={other.number}
              title={other.series}
              unit={unitOf(other.series, false)}
              timeline={following.timeline}
              turn={following.turn}
              height={84}
              shades={shades[i] ?? []}
              color={1}
              isSmall
            />
          ))
        : null}
    </section>
  );
}

/** The first episode of each other series. */
export function distinctSeries(related: readonly Related[], own: number): Related[] {
  const seen = new Set([own]);
  return related.filter((other) => !seen.has(other.number) && seen.add(other.number));
}

function shadesOfSeries(number: number, related: readonly Related[], known: ReadonlyMap<string, Episode>): Shade[] {
  return related
    .filter((other) => other.number === number)
    .map((other) => {
      const from = parseTime(other.begin) ?? 0;
      const episode = known.get(other.id);
      return { from, to: episode ? (parseTime(episode.end) ?? now.get()) : from, label: other.kind, isChosen: false };
    });
}

/** From what is known here, where the service cannot be asked. */
export function overlapping(episode: Episode, all: readonly Episode[]): Related[] {
  const begin = parseTime(episode.begin) ?? 0;
  const end = parseTime(episode.end) ?? Infinity;
  return all
    .filter(
      (other) =>
        other.id !== episode.id && (parseTime(other.begin) ?? 0) <= end + 60 && (parseTime(other.end) ?? Infinity) >= begin - 60,
    )
    .sort((a, b) => b.severity - a.severity)
    .slice(0, 30);
}

function SimilarEpisodes({ episode }: { episode: Episode }) {
  const { can } = useStore(live);
  const isKnown = can?.has('GET /api/v1/episodes/{id}/similar') ?? false;
  const asked = useAsk<{ similar: Similar[] }>(isKnown ? episode.id : null, (signal) =>
    ask(`${paths.episode(episode.id)}/similar`, { signal }),
  );
  if (!isKnown) return null;
  return (
    <section class="card" aria-labelledby="similar">
      <h2 id="similar">Most like it in the past</h2>
      {asked.error ? <Problem error={asked.error} what="The past" /> : null}
      {asked.data?.similar.length === 0 ? <Note>Nothing like it is known yet.</Note> : null}
      {asked.data && asked.data.similar.length > 0 ? (
        <div class="scroll" tabIndex={0} role="region" aria-labelledby="similar">
          <table class="data">
            <Head names={['episode', 'began', 'distance', 'it was']} />
            <tbody>
              {asked.data.similar.map((other) => (
                <tr key={other.id}>
                  <th scope="row">
                    <a href={formatPlace('episode', other.id)}>
                      <SeriesLabel text={other.series} />
                    </a>
                  </th>
                  <td>
                    <At time={other.begin} />
                  </td>
                  <td>{number(other.distance, 3)}</td>
                  <td>{verdictWord(other.answer)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </section>
  );
}

function keysOf(episode: Episode, say: (text: string) => void, step: (by: number) => void): Bindings {
  const bindings: Bindings = {
    j: {
      help: 'next episode',
      act: () => {
        step(1);
      },
    },
    k: {
      help: 'previous episode',
      act: () => {
        step(-1);
      },
    },
    s: {
      help: 'its series',
      act: () => {
        go('series', episode.number);
      },
    },
    Escape: {
      help: 'back to Now',
      act: () => {
        go('now');
      },
    },
  };
  for (const [verdict, key, word] of VERDICTS)
    bindings[key] = {
      help: `answer “${word}”`,
      act: () => {
        if (!canAnswer()) say('This service takes no answers.');
        else
          answer(episode.id, { verdict, scope: 'pattern' }).then(
            () => {
              say(`Answered “${word}”.`);
            },
            (e: unknown) => {
              say((e as Error).message);
            },
          );
      },
    };
  return bindings;
}

/** The episode before or behind it, in the order of Now. */
function stepFrom(id: string, by: number): void {
  const order = [...live.get().episodes.values()].sort(
    (a, b) => Number(isOpen(b)) - Number(isOpen(a)) || b.severity - a.severity,
  );
  const next = order[order.findIndex((episode) => episode.id === id) + by];
  if (next) go('episode', next.id);
}

function Explained({ episode }: { episode: Episode }) {
  const { can } = useStore(live);
  const [said, say] = useState('');
  useKeys(
    keysOf(episode, say, (by) => {
      stepFrom(episode.id, by);
    }),
  );
  const series = useAsk<Series>(
    String(episode.number),
    (signal) => ask(paths.oneSeries(episode.number), { signal }),
    isOpen(episode) ? 5 : 0,
  );
  const unit = unitOf(episode.series, series.data?.is_rate ?? false);
  const isReady = series.data !== null || series.error !== null;
  return (
    <>
      <p class="path">
        <a href="#/now">Now</a> / episode
      </p>
      <h1 tabIndex={-1}>
        {KIND_TITLES[episode.kind] ?? episode.kind}: <SeriesLabel text={episode.series} />
      </h1>
      <p class="lead">
        <State episode={episode} /> {explain(episode, series.data, unit)}
      </p>
      <Facts episode={episode} series={series.data} unit={unit} />
      <p role="status" class="said">
        {said}
      </p>
      {isReady && can ? <Body episode={episode} series={series.data} unit={unit} /> : <Loading what="its history" />}
    </>
  );
}

function Body({ episode, series, unit }: { episode: Episode; series: Series | null; unit: string }) {
  const { can } = useStore(live);
  const begin = parseTime(episode.begin) ?? now.get();
  const following = useTimeline(
    episode.id,
    () => spanAround(begin, parseTime(episode.end) ?? Math.max(now.get(), begin), series?.cadence_seconds ?? 10, now.get()),
    isOpen(episode),
    true,
  );
  const asked = useExplanation(episode);
  const why = asked.data;
  const heat = useMemo(() => heatOf(why), [why]);
  const end = parseTime(episode.end);
  const shades = useMemo<Shade[]>(
    () => [{ from: begin, to: end ?? now.get(), label: episode.kind, isChosen: true }],
    [begin, end, episode.kind, following.turn],
  );
  return (
    <div class="columns">
      <div>
        <section class="card" aria-labelledby="values">
          <h2 id="values">What came, and what was expected</h2>
          {can?.has('GET /api/v1/series/{number}/history') ? (
            <SeriesChart
              number={episode.number}
              title={episode.series}
              unit={unit}
              timeline={following.timeline}
              turn={following.turn}
              shades={shades}
              heat={heat}
              low={series?.low}
              high={series?.high}
              withScore
            />
          ) : (
            <Note>
              This service keeps no history of rows; the figures above are what is known.{' '}
              <a href={formatPlace('series', episode.number)}>The series</a> says what came last.
            </Note>
          )}
          <p class="soft">
            The shaded band is where nearly every ordinary value lies; the marked time is the episode
            {heat.length > 0 ? '; the strip below is what the deep layer looked at' : ''}.{' '}
            <a href={formatPlace('series', episode.number)}>
              Explore this series <kbd>s</kbd>
            </a>
          </p>
        </section>
        <Quiet asked={asked} say={(value) => withUnit(number(value), unit)} />
        <RelatedSeries episode={episode} following={following} why={why} />
      </div>
      <div>
        <section class="card" aria-labelledby="action">
          <h2 id="action">Who looks after it</h2>
          <Acknowledging episode={episode} />
          {!episode.acknowledged && !can?.has('POST /api/v1/episodes/{id}/acknowledgement') ? (
            <Note>This service keeps no acknowledgements.</Note>
          ) : null}
          <Silencing episode={episode} />
        </section>
        <Answering episode={episode} />
        <SimilarEpisodes episode={episode} />
        <Way episode={episode} series={series} why={why} />
      </div>
    </div>
  );
}

export function EpisodeView({ id }: { id: string }) {
  const { episode, error } = useEpisode(id);
  const isHeading = document.activeElement?.matches('main h1');
  useLayoutEffect(() => {
    document.title = `${episode ? `${episode.kind}: ${episode.series}` : 'Episode'} – tocsin`;
    if (isHeading) document.querySelector<HTMLElement>('main h1')?.focus(); // it is another one now
  }, [episode?.id]);
  if (error)
    return (
      <div class="view">
        <h1 tabIndex={-1}>Episode</h1>
        <Problem error={error} what="This episode" />
        <p>
          <a href="#/now">Back to Now</a>
        </p>
      </div>
    );
  if (!episode)
    return (
      <div class="view">
        <h1 tabIndex={-1}>Episode</h1>
        <Loading what="the episode" />
      </div>
    );
  return (
    <div class="view episode-view">
      <Explained key={episode.id} episode={episode} />
    </div>
  );
}
