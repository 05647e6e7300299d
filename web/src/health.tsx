// Load and health: how many alarms were raised against how many are allowed, and what the service says of itself.
import { ask, type Episode, type Status, type Watched } from './api';
import { count, duration, number, percent } from './format';
import { live, now, type Live } from './live';
import { useAsk, useStore } from './store';
import { parseTime } from './time';
import { Ago, Fact, Gauge, Head, isAway, latency, Problem } from './ui';

/** Received to scored, p99 (docs/internals/serve.md). */
const LATENCY_AIM_S = 0.005;

/** Anomalies of the last day, where the status does not count them: each was told when it opened, whatever became of it. */
export function raisedLastDay(episodes: Iterable<Episode>, at: number): number {
  let raised = 0;
  for (const episode of episodes) if (episode.kind === 'anomaly' && (parseTime(episode.begin) ?? 0) > at - 86400) raised++;
  return raised;
}

function Load({ state, at }: { state: Live; at: number }) {
  const budget = state.status?.budget;
  const raised = budget?.raised_24h ?? raisedLastDay(state.episodes.values(), at);
  if (!budget)
    return (
      <Fact name="Alarms, 24 h" against="anomalies that were told">
        {count(raised)}
      </Fact>
    );
  return (
    <Gauge
      name="Alarms, 24 h"
      value={raised}
      limit={budget.alarms_per_day}
      text={count(raised)}
      against={`allowed by chance: ${number(budget.alarms_per_day, 3)} a day`}
    />
  );
}

const DEEP_WORDS: Record<string, string> = {
  off: 'off',
  training: 'training',
  on: 'on',
  open: 'out of order: the first look decides alone',
};

function Deep({ deep }: { deep: NonNullable<Status['deep']> }) {
  const parts = [
    deep.escalated !== undefined ? `${count(deep.escalated)} rows looked at` : '',
    deep.unconfirmed ? `${count(deep.unconfirmed)} not in time` : '',
    deep.deadline_seconds ? `deadline ${number(deep.deadline_seconds, 3)} s` : '',
  ].filter(Boolean);
  return (
    <Fact name="Second look (networks)" against={parts.join(', ')}>
      <span class={deep.state === 'open' ? 'warn' : ''}>
        {deep.state === 'open' ? '▲ ' : ''}
        {DEEP_WORDS[deep.state] ?? deep.state}
      </span>
    </Fact>
  );
}

function Outcomes({ samples }: { samples: Record<string, number> }) {
  const some = Object.entries(samples).filter(([, value]) => value > 0);
  if (!some.some(([name]) => name !== 'accepted')) return null;
  return (
    <details class="outcomes">
      <summary>Samples by what became of them</summary>
      <table class="data">
        <Head names={['outcome', 'samples']} />
        <tbody>
          {some.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name.replaceAll('_', ' ')}</th>
              <td>{count(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

/** A figure in its unit. */
export function watchedText(value: number | null, unit: string): string {
  if (value === null) return 'not known yet';
  if (unit === 'share') return percent(value);
  if (unit === 's') return duration(value);
  return unit === 'of the budget' ? `${number(value, 3)} times the budget` : `${number(value, 3)} ${unit}`;
}

const WATCH_STATES: Record<string, string> = {
  unknown: '– too little to go by',
  fine: '✓ within its bound',
  breached: '▲ beyond its bound',
};

/** Each figure beside its bound, and what it is. */
export function WatchedTable({ figures }: { figures: readonly Watched[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Watched figures">
      <table class="data words">
        <Head names={['figure', 'now', 'bound', 'state', 'what it is']} />
        <tbody>
          {figures.map((one) => (
            <tr key={one.figure}>
              <th scope="row">{one.figure.replaceAll('_', ' ')}</th>
              <td>{watchedText(one.value, one.unit)}</td>
              <td>{one.bound === null ? '–' : `${one.is_floor ? '≥' : '≤'} ${watchedText(one.bound, one.unit)}`}</td>
              <td class={one.state === 'breached' ? 'warn' : ''}>{WATCH_STATES[one.state] ?? one.state}</td>
              <td class="text">{one.help}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the service watches of itself: what is beyond its bound stands alone, everything in a table. */
function Watch() {
  const { can, connection } = useStore(live);
  const isKnown = can?.has('GET /api/v1/watch') ?? false;
  const asked = useAsk<{ watch: Watched[] }>(
    isKnown ? `watch ${connection}` : null,
    (signal) => ask('/api/v1/watch', { signal }),
    30,
  );
  if (!isKnown) return null;
  const all = asked.data?.watch ?? [];
  return (
    <>
      {asked.error && !isAway(asked.error) ? <Problem error={asked.error} what="What the service watches" /> : null}
      {all
        .filter((one) => one.state === 'breached')
        .map((one) => (
          <p class="note problem" role="alert" key={one.figure}>
            <b>▲ {one.figure.replaceAll('_', ' ')}:</b> {watchedText(one.value, one.unit)},{' '}
            {one.is_floor ? 'at least' : 'at most'} {watchedText(one.bound, one.unit)} is right. {one.help} What to do:{' '}
            {one.runbook}
          </p>
        ))}
      <details class="outcomes">
        <summary>What the service watches of itself</summary>
        <WatchedTable figures={all} />
      </details>
    </>
  );
}

export function Health({ state }: { state: Live }) {
  const at = useStore(now);
  const { status, ready } = state;
  if (!status) return null;
  const failing = ready?.checks.filter((check) => !check.ok) ?? [];
  return (
    <section aria-labelledby="health">
      <h2 id="health">Load and health</h2>
      <dl class="facts">
        <Load state={state} at={at} />
        <Fact name="Series" against={`${count(status.rows_scored)} rows scored since the start`}>
          <a href="#/series">{count(status.series)}</a>
        </Fact>
        <Fact
          name="Received to scored, p99"
          against={`half within ${latency(status.latency_p50_seconds)}; aim: ${latency(LATENCY_AIM_S)}`}
        >
          {latency(status.latency_p99_seconds)}
        </Fact>
        <Fact name="Rows waiting" against="accepted, not judged yet">
          {count(status.rows_waiting)}
        </Fact>
        {status.deep ? <Deep deep={status.deep} /> : null}
        <Fact
          name="Service"
          against={
            <>
              up since <Ago time={status.started} />
              {status.journal_failures ? `, the disk failed ${status.journal_failures} times` : ''}
            </>
          }
        >
          {failing.length ? (
            <span class="warn">▲ {failing.map((check) => check.name).join(', ')}</span>
          ) : (
            <span class="fine">✓ ready</span>
          )}
        </Fact>
      </dl>
      {failing.map((check) => (
        <p class="note problem" role="alert" key={check.name}>
          <b>{check.name}:</b> {check.reason}
        </p>
      ))}
      <Watch />
      <Outcomes samples={status.samples} />
    </section>
  );
}
