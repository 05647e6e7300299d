// Quality: of the alarms that people answered, how many were right, day by day, and how sure that is.
import { useState } from 'preact/hooks';
import { ask, type QualityDay } from '../api';
import { count, percent } from '../format';
import { useAsk } from '../store';
import { Fact, Loading, Note, Problem } from '../ui';

export interface Totals {
  alarms: number;
  answered: number;
  right: number;
}

export function totalsOf(days: readonly QualityDay[]): Totals {
  return days.reduce(
    (sum, day) => ({
      alarms: sum.alarms + day.alarms,
      answered: sum.answered + day.answered,
      right: sum.right + day.true,
    }),
    { alarms: 0, answered: 0, right: 0 },
  );
}

/** The latest first, and those without anything to say left out; all of them where none has. */
export function shownDays(days: readonly QualityDay[]): QualityDay[] {
  const some = days.filter((day) => day.alarms + day.answered + (day.missed ?? 0) > 0);
  return [...(some.length > 0 ? some : days.slice(-1))].reverse();
}

/** Where a day's precision surely lies, drawn between 0 and 1; the table beside it has the figures. */
function Interval({ day }: { day: QualityDay }) {
  const at = (share: number | null | undefined): string => `${Math.round(Math.max(0, Math.min(1, share ?? 0)) * 1000) / 10}%`;
  if (day.precision === null || day.precision === undefined) return <span class="soft">no answers</span>;
  const width = `${Math.max(0, ((day.precision_high ?? day.precision) - (day.precision_low ?? day.precision)) * 100)}%`;
  return (
    <span class="interval" aria-hidden="true">
      <span class="range" style={{ left: at(day.precision_low ?? day.precision), width }} />
      <span class="dot" style={{ left: at(day.precision) }} />
    </span>
  );
}

export function QualityView() {
  const [days, setDays] = useState('30');
  const asked = useAsk<{ days?: QualityDay[]; quality?: QualityDay[] } | QualityDay[]>(`quality ${days}`, (signal) =>
    ask(`/api/v1/quality?days=${days}`, { signal }),
  );
  const list = Array.isArray(asked.data) ? asked.data : (asked.data?.days ?? asked.data?.quality ?? null);
  const totals = totalsOf(list ?? []);
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
        </label>
      </div>
      {asked.error ? <Problem error={asked.error} what="Quality" /> : null}
      {!list && !asked.error ? <Loading what="figures" /> : null}
      {list ? (
        <dl class="facts">
          <Fact name="Alarms" against={`in ${days} days`}>
            {count(totals.alarms)}
          </Fact>
          <Fact name="Answered" against={`of ${count(totals.alarms)} alarms`}>
            {count(totals.answered)}
          </Fact>
          <Fact name="True" against={`of ${count(totals.answered)} answered`}>
            {totals.answered ? percent(totals.right / totals.answered) : '–'}
          </Fact>
        </dl>
      ) : null}
      {list && totals.answered === 0 ? (
        <Note>No alarm was answered in this time. Answers are given on an episode's page, or in Review.</Note>
      ) : null}
      {list && list.length > 0 ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Quality by day">
          <table class="data">
            <thead>
              <tr>
                {['day', 'alarms', 'answered', 'true', 'expected', 'not mine', 'missed', 'precision', 'surely between', ''].map(
                  (name) => (
                    <th key={name} scope="col">
                      {name}
                      {name ? null : <span class="visually-hidden">drawn, from 0 to 100 %</span>}
                    </th>
                  ),
                )}
              </tr>
            </thead>
            <tbody>
              {shownDays(list).map((day) => (
                <tr key={day.day}>
                  <th scope="row">{day.day}</th>
                  <td>{count(day.alarms)}</td>
                  <td>{count(day.answered)}</td>
                  <td>{count(day.true)}</td>
                  <td>{count(day.expected)}</td>
                  <td>{count(day.not_mine)}</td>
                  <td>{count(day.missed)}</td>
                  <td>{percent(day.precision)}</td>
                  <td>
                    {typeof day.precision_low === 'number'
                      ? `${percent(day.precision_low)} and ${percent(day.precision_high)}`
                      : '–'}
                  </td>
                  <td>
                    <Interval day={day} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </div>
  );
}
