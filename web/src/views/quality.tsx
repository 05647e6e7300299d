// Quality: were the alarms right, what was missed, how soon were they told, what did that cost; day by day, in all, and by team.
import { useState } from 'preact/hooks';
import { ask, type Quality, type QualityDay, type QualityTally, type Watched } from '../api';
import { count, number, percent } from '../format';
import { WatchedTable } from '../health';
import { live } from '../live';
import { useAsk, useStore } from '../store';
import { formatSpan } from '../time';
import { Fact, Head, Loading, Note, Problem } from '../ui';
import { WatchedOverTime } from '../watchedchart';

const TRUST = ['calibration', 'score_drift', 'input_drift'];

/** The latest first, and those without anything to say left out; all of them where none has. */
export function shownDays(days: readonly QualityDay[]): QualityDay[] {
  const some = days.filter((day) => day.alarms + day.answered + (day.missed ?? 0) > 0);
  return [...(some.length > 0 ? some : days.slice(-1))].reverse();
}

/** Where a share surely lies, drawn between 0 and 1; the table beside it has the figures. */
function Interval({ tally }: { tally: QualityTally }) {
  const at = (share: number | null | undefined): string => `${Math.round(Math.max(0, Math.min(1, share ?? 0)) * 1000) / 10}%`;
  if (tally.precision === null || tally.precision === undefined) return <span class="soft">no answers</span>;
  const width = `${Math.max(0, ((tally.precision_high ?? tally.precision) - (tally.precision_low ?? tally.precision)) * 100)}%`;
  return (
    <span class="interval" aria-hidden="true">
      <span class="range" style={{ left: at(tally.precision_low ?? tally.precision), width }} />
      <span class="dot" style={{ left: at(tally.precision) }} />
    </span>
  );
}

function surely(low: number | null | undefined, high: number | null | undefined, words: string): string {
  return typeof low === 'number' ? `surely ${between(low, high)}; ${words}` : words;
}

function between(low: number | null | undefined, high: number | null | undefined): string {
  return typeof low === 'number' ? `${percent(low)} to ${percent(high)}` : '–';
}

export function detectWords(tally: QualityTally): string {
  if (typeof tally.detect_seconds !== 'number') return '–';
  return tally.detect_seconds > 0 ? formatSpan(tally.detect_seconds) : 'at once';
}

const COLUMNS = [
  'alarms',
  'answered',
  'true',
  'expected',
  'not mine',
  'missed',
  'precision',
  'surely',
  '',
  'recall',
  'surely',
  'told after',
];

/** A row a day or a team; with prices what it came to, too. */
function Tallies({
  of,
  rows,
  hasPrices,
}: {
  of: string;
  rows: readonly (readonly [string, QualityTally])[];
  hasPrices: boolean;
}) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Quality by ${of}`}>
      <table class="data">
        <Head names={[of, ...COLUMNS, ...(hasPrices ? ['net'] : [])]} unnamed="precision drawn, from 0 to 100 %" />
        <tbody>
          {rows.map(([name, tally]) => (
            <tr key={name}>
              <th scope="row">{name || `no ${of}`}</th>
              <td>{count(tally.alarms)}</td>
              <td>{count(tally.answered)}</td>
              <td>{count(tally.true)}</td>
              <td>{count(tally.expected)}</td>
              <td>{count(tally.not_mine)}</td>
              <td>{count(tally.missed)}</td>
              <td>{percent(tally.precision)}</td>
              <td>{between(tally.precision_low, tally.precision_high)}</td>
              <td>
                <Interval tally={tally} />
              </td>
              <td>{percent(tally.recall)}</td>
              <td>{between(tally.recall_low, tally.recall_high)}</td>
              <td>{detectWords(tally)}</td>
              {hasPrices ? <td>{number(tally.net)}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Totals({ quality, days }: { quality: Quality; days: string }) {
  const total = quality.total;
  if (!total) return null;
  const allowed = quality.alarms_per_day_allowed;
  return (
    <dl class="facts">
      <Fact
        name="Alarms"
        against={`in ${days} days${typeof allowed === 'number' ? `; ${number(allowed * Number(days), 3)} of chance are allowed` : ''}`}
      >
        {count(total.alarms)}
      </Fact>
      <Fact name="Answered" against={`of ${count(total.alarms)} alarms`}>
        {count(total.answered)}
      </Fact>
      <Fact name="Precision" against={surely(total.precision_low, total.precision_high, 'of those answered')}>
        {percent(total.precision)}
      </Fact>
      <Fact
        name="Recall"
        against={surely(
          total.recall_low,
          total.recall_high,
          `of the events that anybody knows of; ${count(total.missed)} missed`,
        )}
      >
        {percent(total.recall)}
      </Fact>
      <Fact
        name="Told after"
        against={`median of ${count(total.detect_count)} true ones, from the first row beyond the threshold`}
      >
        {detectWords(total)}
      </Fact>
      <Cost quality={quality} total={total} />
    </dl>
  );
}

function Cost({ quality, total }: { quality: Quality; total: QualityTally }) {
  const part = (words: string, amount: number | null | undefined): string[] =>
    typeof amount === 'number' ? [`${words} ${number(amount)}`] : [];
  const parts = [
    ...part('saved', total.saved),
    ...part('lost by false alarms', total.cost_false),
    ...part('by missed events', total.cost_missed),
  ];
  return (
    <Fact
      name="Saved or lost"
      against={parts.join(', ') || 'no prices are set (--cost-false-alarm, --cost-missed, --gain-true-alarm)'}
    >
      {quality.prices && parts.length > 0 ? number(total.net) : '–'}
    </Fact>
  );
}

/** Whether chances are what they say, and whether what comes is what was learned: as of now. */
function Trust() {
  const { can } = useStore(live);
  const isKnown = can?.has('GET /api/v1/watch') ?? false;
  const asked = useAsk<{ watch: Watched[] }>(isKnown ? 'watch' : null, (signal) => ask('/api/v1/watch', { signal }), 60);
  const shown = (asked.data?.watch ?? []).filter((figure) => TRUST.includes(figure.figure));
  if (!isKnown || shown.length === 0) return null;
  return (
    <section class="card" aria-labelledby="trust">
      <h2 id="trust">Can its chances be believed?</h2>
      <WatchedTable figures={shown} />
    </section>
  );
}

export function QualityView() {
  const [days, setDays] = useState('30');
  const [by, setBy] = useState('team');
  const asked = useAsk<Quality>(`quality ${days} ${by}`, (signal) =>
    ask(`/api/v1/quality?days=${days}&by=${encodeURIComponent(by)}`, { signal }),
  );
  const quality = asked.data;
  const prices = quality?.prices;
  const hasPrices = prices ? Object.values(prices).some((price) => price !== null) : false;
  return (
    <div class="view">
      <h1 tabIndex={-1}>
        Quality <small>were the alarms right?</small>
      </h1>
      <div class="bar-of">
        <label>
          Of the last{' '}
          <select
            value={days}
            onChange={(event) => {
              setDays(event.currentTarget.value);
            }}
          >
            <option value="7">7 days</option>
            <option value="30">30 days</option>
            <option value="90">90 days</option>
          </select>
        </label>{' '}
        <label>
          A team is the tag{' '}
          <input
            size={10}
            value={by}
            onChange={(event) => {
              setBy(event.currentTarget.value.trim() || 'team');
            }}
          />
        </label>
      </div>
      {asked.error ? <Problem error={asked.error} what="Quality" /> : null}
      {!quality && !asked.error ? <Loading what="figures" /> : null}
      {quality ? <Totals quality={quality} days={days} /> : null}
      {quality?.total?.answered === 0 ? (
        <Note>No alarm was answered in this time. Answers are given on an episode's page, or in Review.</Note>
      ) : null}
      {quality && quality.days.length > 0 ? (
        <section class="card" aria-labelledby="days">
          <h2 id="days">By day</h2>
          <Tallies of="day" rows={shownDays(quality.days).map((day) => [day.day, day])} hasPrices={hasPrices} />
        </section>
      ) : null}
      {quality?.teams && quality.teams.length > 0 ? (
        <section class="card" aria-labelledby="teams">
          <h2 id="teams">By {quality.by}</h2>
          <Tallies of={quality.by ?? 'team'} rows={quality.teams.map((team) => [team.team, team])} hasPrices={hasPrices} />
        </section>
      ) : null}
      <Trust />
      <WatchedOverTime days={Number(days)} />
    </div>
  );
}
