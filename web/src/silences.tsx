// Silences and maintenance: what is not told for a while, by whom, until when; begun from an episode, ended from Now.
import { useState } from 'preact/hooks';
import { ask, send, type Episode, type Matcher, type Silence } from './api';
import { parseSeries } from './format';
import { live, may, now } from './live';
import { useAsk, useStore } from './store';
import { clock, formatTime } from './time';
import { At, isAway, Problem } from './ui';

const LENGTHS: readonly (readonly [number, string])[] = [
  [3600, '1 hour'],
  [4 * 3600, '4 hours'],
  [86400, '1 day'],
  [7 * 86400, '1 week'],
];
const SILENCES = '/api/v1/silences';
const MAINTENANCE = '/api/v1/maintenance';

/** Everything that the name of a series says, so that nothing else is meant. */
export function matchersOf(series: string): Matcher[] {
  const { name, labels } = parseSeries(series);
  const own: Matcher[] = name ? [{ name: '__name__', op: '=', value: name }] : [];
  return [...own, ...labels.map(([key, value]) => ({ name: key, op: '=' as const, value }))];
}

export function Silencing({ episode }: { episode: Episode }) {
  const { can } = useStore(live);
  const [seconds, choose] = useState(3600);
  const [comment, change] = useState('');
  const [error, fail] = useState<Error | null>(null);
  const [said, say] = useState('');
  if (!can?.has(`POST ${SILENCES}`) || !may('operator')) return null;
  const begin = (event: Event): void => {
    event.preventDefault();
    const to = formatTime(now.get() + seconds);
    send('POST', SILENCES, { matchers: matchersOf(episode.series), to, comment }).then(
      () => {
        fail(null);
        say(`Nothing is told of this series until ${clock(now.get() + seconds, now.get())}. It is still watched; end it on Now.`);
        live.update((state) => ({ ...state, changes: state.changes + 1 }));
      },
      (reason: unknown) => {
        fail(reason as Error);
      },
    );
  };
  return (
    <details class="silencing">
      <summary>Be silent about this series</summary>
      <form class="fields" onSubmit={begin}>
        <label>
          For
          <select
            value={String(seconds)}
            onChange={(event) => {
              choose(Number(event.currentTarget.value));
            }}
          >
            {LENGTHS.map(([length, word]) => (
              <option key={length} value={String(length)}>
                {word}
              </option>
            ))}
          </select>
        </label>
        <label>
          Why
          <input
            type="text"
            value={comment}
            maxLength={500}
            placeholder="e.g. new disks"
            onInput={(event) => {
              change(event.currentTarget.value);
            }}
          />
        </label>
        <button type="submit">Be silent</button>
      </form>
      {error ? <Problem error={error} what="The silence was not begun; it" /> : null}
      <p role="status" class="said">
        {said}
      </p>
    </details>
  );
}

const text = (matcher: Matcher): string => `${matcher.name}${matcher.op}"${matcher.value}"`;

function List({ path, word }: { path: string; word: string }) {
  const { changes, connection } = useStore(live);
  const [error, fail] = useState<Error | null>(null);
  const asked = useAsk<Silence[]>(`${path}#${changes} ${connection}`, (signal) => ask(path, { signal }), 30);
  const end = (id: string): void => {
    send('DELETE', `${path}/${encodeURIComponent(id)}`).then(
      () => {
        asked.again();
      },
      (reason: unknown) => {
        fail(reason as Error);
      },
    );
  };
  return (
    <>
      {asked.error && !isAway(asked.error) ? <Problem error={asked.error} what={word} /> : null}
      {error ? <Problem error={error} what="The end was not taken; it" /> : null}
      {asked.data?.map((silence) => (
        <li key={silence.id}>
          <b>{word}</b> <code>{silence.matchers.map(text).join(', ')}</code> from <At time={silence.from} /> to{' '}
          <At time={silence.to} />, by {silence.who || 'somebody'}
          {silence.comment ? `: “${silence.comment}”` : ''}{' '}
          {may('operator') ? (
            <button
              type="button"
              onClick={() => {
                end(silence.id);
              }}
            >
              End it
            </button>
          ) : null}
        </li>
      ))}
    </>
  );
}

/** What is kept quiet now, where somebody wonders why it is quiet. */
export function Silences() {
  const { can } = useStore(live);
  if (!can?.has(`GET ${SILENCES}`)) return null;
  return (
    <ul class="links silences" aria-label="What is not told">
      <List path={SILENCES} word="Silence" />
      {can.has(`GET ${MAINTENANCE}`) ? <List path={MAINTENANCE} word="Maintenance" /> : null}
    </ul>
  );
}
