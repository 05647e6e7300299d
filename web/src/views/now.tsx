// Now: what is open, the worst first; how many alarms were raised against how many were allowed; how the service is.
import { useLayoutEffect, useMemo, useState } from 'preact/hooks';
import type { Episode, Incident, Verdict } from '../api';
import { answer, canAnswer, VERDICTS } from '../answers';
import { count, distance, number, unitOf, withUnit } from '../format';
import { useKeys, type Bindings } from '../keys';
import { isLoud, isOpen, live, now, type Live } from '../live';
import { Health } from '../health';
import { go } from '../place';
import { Silences } from '../silences';
import { useStore } from '../store';
import { ago, formatSpan, parseTime } from '../time';
import { Ago, Loading, Note, Problem, SeriesLabel, Severity, State } from '../ui';
import { formatPlace } from '../url';

const SHOWN_FIRST = 100;

export interface Group {
  key: string;
  incident: Incident | null;
  episodes: Episode[];
  severity: number;
}

/** By severity, the episodes of one incident together. */
export function groupEpisodes(episodes: readonly Episode[], incidents: ReadonlyMap<string, Incident>): Group[] {
  const groups = new Map<string, Group>();
  for (const episode of episodes) {
    const key = episode.incident ? `incident ${episode.incident}` : episode.id;
    const group = groups.get(key) ?? { key, incident: incidents.get(episode.incident ?? '') ?? null, episodes: [], severity: 0 };
    group.episodes.push(episode);
    group.severity = Math.max(group.severity, episode.severity);
    groups.set(key, group);
  }
  const order = (a: { severity: number }, b: { severity: number }): number => b.severity - a.severity;
  for (const group of groups.values()) group.episodes.sort((a, b) => order(a, b) || b.sequence - a.sequence);
  return [...groups.values()].sort((a, b) => order(a, b) || (b.episodes[0]?.sequence ?? 0) - (a.episodes[0]?.sequence ?? 0));
}

/** The sentence of an episode without the name that stands before it. */
export const withoutName = (episode: Episode): string =>
  episode.summary.startsWith(episode.series) ? episode.summary.slice(episode.series.length).trim() : episode.summary;

/** What an episode says that has no value; how long a silence lasts is true now, not when it was told. */
function Told({ episode }: { episode: Episode }) {
  const at = useStore(now);
  const since = parseTime(episode.begin);
  if (episode.kind === 'absence' && isOpen(episode) && since !== null)
    return <span>nothing came for {formatSpan(at - since)}</span>;
  return <span>{withoutName(episode)}</span>;
}

function Row({ episode }: { episode: Episode }) {
  const unit = unitOf(episode.series, false);
  const isValued = episode.value !== undefined && episode.expected !== undefined;
  const far = isValued ? distance(episode.value ?? 0, episode.expected ?? 0, episode.deviation ?? 0) : null;
  return (
    <li class={`episode ${episode.state}`} data-id={episode.id}>
      <Severity value={episode.severity} />
      <a class="what" href={formatPlace('episode', episode.id)} data-row>
        <SeriesLabel text={episode.series} />
      </a>
      <span class="measured">
        {isValued ? (
          <>
            <b>{withUnit(number(episode.value), unit)}</b> against {withUnit(number(episode.expected), unit)} ±{' '}
            {number(episode.deviation, 2)}
            {far !== null ? <span class="soft">, {number(far, 2)} deviations</span> : null}
          </>
        ) : (
          <Told episode={episode} />
        )}
      </span>
      <State episode={episode} />
      <span class="when">
        <Ago time={episode.begin} />
      </span>
      <span class="notes">
        {episode.answer ? <span class="chip">{VERDICTS.find(([key]) => key === episode.answer)?.[2]}</span> : null}
        {episode.suppressed_by ? <span class="chip">quiet by answer</span> : null}
        {episode.acknowledged ? <span class="chip">✓ {episode.acknowledged.who || 'looked after'}</span> : null}
        {episode.verdict === 'pending' ? <span class="chip">second look pending</span> : null}
      </span>
    </li>
  );
}

function GroupOf({ group }: { group: Group }) {
  const [first] = group.episodes;
  if (!first) return null;
  if (group.episodes.length === 1 && (group.incident?.episode_count ?? 1) <= 1) return <Row episode={first} />;
  return (
    <li class="incident">
      <details open={group.episodes.length <= 6}>
        <summary>
          <Severity value={group.severity} />{' '}
          <b>Incident of {count(group.incident?.series_count ?? group.episodes.length)} series</b>{' '}
          <span class="soft">
            {group.incident?.summary ?? ''} <Ago time={group.incident?.begin ?? first.begin} />
          </span>
        </summary>
        <ul>
          {group.episodes.slice(0, SHOWN_FIRST).map((episode) => (
            <Row key={episode.id} episode={episode} />
          ))}
        </ul>
      </details>
    </li>
  );
}

function Headline({ open, state }: { open: readonly Episode[]; state: Live }) {
  const at = useStore(now);
  const [worst] = open;
  if (!state.isLoaded) return <h1 tabIndex={-1}>Loading what is open…</h1>;
  if (state.error && !state.status) return <h1 tabIndex={-1}>The service cannot be asked</h1>;
  if (!worst) {
    const lastOver = [...state.episodes.values()].reduce((newest, e) => Math.max(newest, parseTime(e.end) ?? 0), 0);
    return (
      <h1 tabIndex={-1}>
        All quiet <small>nothing is open{lastOver ? `; the last episode was over ${ago(lastOver, at)}` : ''}</small>
      </h1>
    );
  }
  const confirmed = open.filter((episode) => episode.state === 'confirmed').length;
  return (
    <h1 tabIndex={-1}>
      {count(open.length)} open{' '}
      <small>
        {confirmed === open.length ? 'all confirmed' : `${count(confirmed)} confirmed`}, the worst since{' '}
        {formatSpan(at - (parseTime(worst.begin) ?? at))}
      </small>
    </h1>
  );
}

function FirstRows() {
  const here = location.origin;
  return (
    <section class="card empty">
      <h2>No rows have come yet</h2>
      <p>Send some, and they are judged as they come; the first alarms need about 500 rows in all.</p>
      <pre tabIndex={0}>{`# this host's own figures, from the first minute on
tocsin serve --collect host

# one row by hand
curl -d '{"series":"load{host=\\"a\\"}","value":0.5}' ${here}/api/v1/rows

# Prometheus
remote_write: [{ url: "${here}/api/v1/write" }]`}</pre>
      <p>
        OpenTelemetry goes to <code>{here}/v1/metrics</code>, InfluxDB line protocol to <code>{here}/api/v2/write</code>.
      </p>
    </section>
  );
}

function focusRow(step: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>('a[data-row]')].filter((row) => row.offsetParent !== null);
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

const focusedId = (): string => document.activeElement?.closest<HTMLElement>('[data-id]')?.dataset['id'] ?? '';

/** A row that moves, into an incident or past others, is drawn anew, and still is the chosen one. */
function useChosenRow(): void {
  const chosen = focusedId();
  useLayoutEffect(() => {
    if (chosen && document.activeElement === document.body)
      document.querySelector<HTMLElement>(`[data-id="${CSS.escape(chosen)}"] a[data-row]`)?.focus({ preventScroll: true });
  });
}

function answerKeys(say: (text: string) => void): Bindings {
  const bindings: Bindings = {};
  for (const [verdict, key, word] of VERDICTS)
    bindings[key] = {
      help: `answer “${word}” to the chosen episode`,
      act: () => {
        give(verdict, word, say);
      },
    };
  return bindings;
}

function give(verdict: Verdict, word: string, say: (text: string) => void): void {
  const id = focusedId();
  if (!canAnswer()) say('This service takes no answers.');
  else if (!id) say('Choose an episode first: j and k.');
  else
    answer(id, { verdict, scope: 'pattern' }).then(
      () => {
        say(`Answered “${word}”.`);
      },
      (error: unknown) => {
        say((error as Error).message);
      },
    );
}

function matches(episode: Episode, words: readonly string[]): boolean {
  const text = `${episode.series} ${episode.kind} ${episode.state}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

export function NowView() {
  const state = useStore(live);
  const [filter, setFilter] = useState('');
  const [isAll, showAll] = useState(false);
  const [said, say] = useState('');
  useChosenRow();
  useKeys({
    j: {
      help: 'next episode',
      act: () => {
        focusRow(1);
      },
    },
    k: {
      help: 'previous episode',
      act: () => {
        focusRow(-1);
      },
    },
    '/': {
      help: 'filter',
      act: () => {
        document.querySelector<HTMLElement>('#filter')?.focus();
      },
    },
    ...answerKeys(say),
  });
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const { open, groups, over } = useMemo(() => {
    const wanted = [...state.episodes.values()].filter((episode) => matches(episode, words));
    const opened = wanted.filter(isLoud).sort((a, b) => b.severity - a.severity);
    return {
      open: opened,
      groups: groupEpisodes(opened, state.incidents),
      over: wanted.filter((episode) => !isLoud(episode)).sort((a, b) => b.sequence - a.sequence),
    };
  }, [state.episodes, state.incidents, filter]);
  const shown = isAll ? groups : groups.slice(0, SHOWN_FIRST);
  return (
    <div class="view now">
      <Headline open={open} state={state} />
      {state.error ? <Problem error={state.error} what="What is open" /> : null}
      {state.isLoaded && state.status?.series === 0 ? <FirstRows /> : null}
      <section aria-labelledby="open-heading">
        <div class="bar-of">
          <h2 id="open-heading">Open, the worst first</h2>
          <input
            id="filter"
            type="search"
            placeholder="filter: series, kind, state"
            aria-label="Filter episodes"
            value={filter}
            onInput={(event) => {
              setFilter(event.currentTarget.value);
            }}
            onKeyDown={(event) => {
              if (event.key === 'Escape' || event.key === 'Enter') {
                event.currentTarget.blur();
                focusRow(0);
              }
            }}
          />
        </div>
        <p role="status" class="said">
          {said}
        </p>
        {!state.isLoaded ? <Loading what="episodes" /> : null}
        {state.isLoaded && groups.length === 0 ? (
          <Note>
            {filter
              ? 'No open episode matches the filter.'
              : 'Nothing is out of the ordinary. New episodes appear here by themselves.'}
          </Note>
        ) : null}
        <ul class="episodes" aria-live="off">
          {shown.map((group) => (
            <GroupOf key={group.key} group={group} />
          ))}
        </ul>
        {groups.length > shown.length ? (
          <button
            type="button"
            onClick={() => {
              showAll(true);
            }}
          >
            Show all {count(groups.length)}
          </button>
        ) : null}
      </section>
      <Silences />
      <Health state={state} />
      <section aria-labelledby="over-heading">
        <h2 id="over-heading">Over or kept quiet, last 24 hours</h2>
        {over.length === 0 ? <Note>None.</Note> : null}
        <ul class="episodes over">
          {over.slice(0, 50).map((episode) => (
            <Row key={episode.id} episode={episode} />
          ))}
        </ul>
        {over.length > 50 ? <p class="soft">The latest 50 of {count(over.length)}.</p> : null}
      </section>
    </div>
  );
}

export const openWorst = (): void => {
  const worst =
    [...live.get().episodes.values()].filter(isOpen).sort((a, b) => b.severity - a.severity)[0] ??
    [...live.get().episodes.values()].sort((a, b) => b.sequence - a.sequence)[0];
  if (worst) go('episode', worst.id);
};
