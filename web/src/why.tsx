// Why an episode came to be, as the service explains it: what would have kept it quiet, what the deep layer looked at, what moved with it,
// the way of its row, and who was told.  Figures are those of the time when it was decided.
import { useMemo } from 'preact/hooks';
import { ask, paths, type Episode, type Explanation, type LookedAt } from './api';
import type { Heat } from './chart';
import { chance, count, number, percent } from './format';
import { live } from './live';
import { useAsk, useStore, type Asked } from './store';
import { formatSpan, parseTime } from './time';
import { Ago, At, Fact, Head, Note, Problem, SeriesLabel } from './ui';
import { formatPlace } from './url';

const NOTED = 8; // rows of a counterfactual that are shown

export function useExplanation(episode: Episode): Asked<Explanation> {
  const { can } = useStore(live);
  const isKnown = can?.has('GET /api/v1/episodes/{id}/explanation') ?? false;
  const key = isKnown ? `why ${episode.id} ${episode.state} ${episode.verdict ?? ''} ${episode.incident ?? ''}` : null;
  return useAsk<Explanation>(key, (signal) => ask(`${paths.episode(episode.id)}/explanation`, { signal }));
}

/** The rows' shares of what the deep layer said, as times; those that made it less strange have none. */
export function heatOf(why: Explanation | null): Heat[] {
  const rows = why?.second_look?.rows ?? [];
  const times = rows.map((row) => parseTime(row.time));
  const most = Math.max(...rows.map((row) => row.share), 0);
  return rows.flatMap((row, i) => {
    const from = times[i];
    const to = times[i + 1] ?? (from === null || from === undefined ? null : from + (from - (times[i - 1] ?? from)));
    return from === null || from === undefined || to === null || !(row.share > 0)
      ? []
      : [{ from, to, strength: row.share / most }];
  });
}

/** Which rows carry it, in a sentence. */
export function describeHeat(rows: readonly LookedAt[]): string {
  const strong = rows.map((row, i) => ({ ...row, i })).filter((row) => row.share >= 0.1);
  if (strong.length === 0) return `No single one of the last ${rows.length} rows carries it.`;
  const parts = strong.map(
    (row) =>
      `${rows.length - 1 - row.i === 0 ? 'the last row' : `the row ${rows.length - 1 - row.i} before the last`} ${percent(row.share)}`,
  );
  return `Of the last ${rows.length} rows, ${parts.join(', ')}.`;
}

function HeatTable({ rows }: { rows: readonly LookedAt[] }) {
  return (
    <details>
      <summary>Row by row</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="What the deep layer looked at, row by row">
        <table class="data">
          <Head names={['row', 'time', 'deviations', 'expected', 'share']} />
          <tbody>
            {rows.map((row, i) => (
              <tr key={i}>
                <th scope="row">{i - rows.length + 1}</th>
                <td>{row.time ? <At time={row.time} /> : '–'}</td>
                <td>{number(row.deviations, 3)}</td>
                <td>{number(row.expected, 3)}</td>
                <td>{percent(row.share)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** The strip of the window: one cell a row, as strong as its share. */
function HeatStrip({ rows }: { rows: readonly LookedAt[] }) {
  const most = Math.max(...rows.map((row) => row.share), 1e-9);
  return (
    <div class="heat" role="img" aria-label={describeHeat(rows)}>
      {rows.map((row, i) => (
        <span
          key={i}
          style={{ opacity: Math.max(0, row.share) / most }}
          title={`${i - rows.length + 1}: ${number(row.deviations, 3)} deviations, ${percent(row.share)}`}
        />
      ))}
    </div>
  );
}

/** What would have kept it quiet, and what it was made of. */
export function Quiet({ asked, say }: { asked: Asked<Explanation>; say: (value: number | undefined) => string }) {
  const why = asked.data;
  if (asked.error) return <Problem error={asked.error} what="Its explanation" />;
  if (!why || (!why.advice && !why.first_look && !why.second_look && why.unknown.length === 0)) return null;
  const look = why.first_look;
  const rows = why.counterfactual?.rows ?? [];
  return (
    <section class="card" aria-labelledby="quiet">
      <h2 id="quiet">What would have kept it quiet</h2>
      {why.advice ? (
        <p class="advice">{upper(why.advice)}.</p>
      ) : (
        <Note>No answer: {why.unknown.join('; ') || 'nothing was tried'}.</Note>
      )}
      {look ? (
        <dl class="facts">
          <Fact name="Quiet between" against="when it began">
            {say(look.low)} and {say(look.high)}
          </Fact>
          <Fact name="It began with" against={<At time={look.time} />}>
            {say(look.value)}
          </Fact>
          <Fact name="Because of a" against={look.because === 'shift' ? 'far from the level' : 'far from the forecast'}>
            {look.because}
          </Fact>
          <Fact name="Height" against={`threshold then: ${number(look.threshold, 3)}`}>
            {number(look.height, 3)}
          </Fact>
        </dl>
      ) : null}
      {rows.length > 1 ? (
        <details>
          <summary>The {count(why.counterfactual?.rows_changed)} rows that would have had to be others</summary>
          <ul class="links">
            {rows.slice(0, NOTED).map((row) => (
              <li key={row.time}>
                <At time={row.time} />: {say(row.instead)} instead of {say(row.value)}
              </li>
            ))}
          </ul>
          {rows.length > NOTED ? <Note>and {count((why.counterfactual?.rows_changed ?? 0) - NOTED)} more</Note> : null}
        </details>
      ) : null}
      {why.second_look ? (
        <>
          <h3>What the deep layer looked at</h3>
          <p>
            {describeHeat(why.second_look.rows)} By chance: {chance(why.second_look.p_value)}
            {why.advice_second_look && why.advice_second_look !== why.advice ? `; ${why.advice_second_look}` : ''}.
          </p>
          <HeatStrip rows={why.second_look.rows} />
          <HeatTable rows={why.second_look.rows} />
        </>
      ) : null}
      {why.advice && why.unknown.length > 0 ? <Note>Not known: {why.unknown.join('; ')}.</Note> : null}
    </section>
  );
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The way of the row as the service kept it, and who was told. */
export function KeptWay({ why }: { why: Explanation }) {
  return (
    <>
      <ol class="way">
        {why.path.map((step) => (
          <li key={step.step}>
            <b>{upper(step.step)}</b>{' '}
            <span>
              {step.says}
              {step.time ? (
                <span class="soft">
                  {' '}
                  · <At time={step.time} />
                </span>
              ) : null}
            </span>
          </li>
        ))}
      </ol>
      <h3>Who was told</h3>
      {why.told.length === 0 ? <Note>Nobody, or the service has forgotten by now.</Note> : null}
      <ul class="links">
        {why.told.map((told) => (
          <li key={`${told.receiver} ${told.episode} ${told.revision}`}>
            <b>{told.receiver}</b> {told.outcome}
            {told.time ? (
              <>
                {' '}
                <Ago time={told.time} />
              </>
            ) : null}
            <span class="soft">
              {told.attempts > 1 ? `, ${told.attempts} attempts` : ''}
              {told.error ? `, ${told.error}` : ''}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Behind or before this one, and how far off in its own deviations. */
export function MovedTogether({ why }: { why: Explanation }) {
  const { episodes, shared } = why.moved_together;
  const tags = useMemo(() => Object.entries(shared), [shared]);
  if (episodes.length === 0) return null;
  const reach = Math.max(...episodes.map((other) => Math.abs(other.deviations ?? 0)), 1e-9);
  return (
    <>
      <p class="soft">
        {count(why.moved_together.series_count)} series of one incident
        {tags.length > 0 ? `, all with ${tags.map(([name, value]) => `${name}=${value}`).join(', ')}` : ''}; in the order in which
        they began.
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Series that moved together">
        <table class="data words">
          <Head names={['series', 'began', 'off by', '']} unnamed="drawn" />
          <tbody>
            {episodes.map((other) => (
              <tr key={other.id}>
                <th scope="row">
                  <a href={formatPlace('episode', other.id)}>
                    <SeriesLabel text={other.series} />
                  </a>
                </th>
                <td>{lagWords(other.lag_seconds)}</td>
                <td>{typeof other.deviations === 'number' ? `${number(other.deviations, 3)} deviations` : other.kind}</td>
                <td>
                  <span class="lagbar" aria-hidden="true">
                    <span style={{ width: `${(Math.abs(other.deviations ?? 0) / reach) * 100}%` }} />
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

export function lagWords(seconds: number): string {
  if (seconds === 0) return 'at once';
  return `${formatSpan(Math.abs(seconds))} ${seconds > 0 ? 'later' : 'before'}`;
}
