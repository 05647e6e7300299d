// Audit: who did what, in an order that cannot be changed unnoticed.
import { useState } from 'preact/hooks';
import { ask, type AuditEntry } from '../api';
import { count } from '../format';
import { useAsk } from '../store';
import { At, Head, Loading, Note, Problem } from '../ui';
import { formatPlace } from '../url';

interface Page {
  entries: AuditEntry[];
  verified?: number;
  problem?: string;
}

const detail = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

function ObjectOf({ entry }: { entry: AuditEntry }) {
  return /^(anomaly|absence|stuck|stale|late|cadence|limit)-/.test(entry.object) ? (
    <a href={formatPlace('episode', entry.object)}>{entry.object}</a>
  ) : (
    <>{entry.object}</>
  );
}

export function AuditView() {
  const [after, setAfter] = useState(0);
  const asked = useAsk<Page>(`audit ${after}`, (signal) =>
    ask(`/api/v1/audit?limit=100${after ? `&after=${after}` : ''}`, { signal }),
  );
  const entries = asked.data?.entries ?? [];
  const last = entries.at(-1)?.sequence ?? 0;
  return (
    <div class="view">
      <h1 tabIndex={-1}>
        Audit <small>who did what</small>
      </h1>
      {asked.error ? <Problem error={asked.error} what="The audit log" /> : null}
      {!asked.data && !asked.error ? <Loading what="entries" /> : null}
      {asked.data?.problem ? (
        <div class="note problem" role="alert">
          <b>The log was changed by somebody else.</b> {asked.data.problem}
        </div>
      ) : null}
      {asked.data?.verified !== undefined && !asked.data.problem ? (
        <p class="fine">✓ {count(asked.data.verified)} entries hang together: each has the hash of the one before it.</p>
      ) : null}
      {asked.data && entries.length === 0 ? <Note>{after ? 'No later entries.' : 'Nobody has done anything yet.'}</Note> : null}
      {entries.length > 0 ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Audit log">
          <table class="data words">
            <Head names={['number', 'time', 'who', 'did', 'to', 'detail', 'hash']} />
            <tbody>
              {entries.map((entry) => (
                <tr key={entry.sequence}>
                  <th scope="row">{entry.sequence}</th>
                  <td>
                    <At time={entry.time} />
                  </td>
                  <td>{entry.actor}</td>
                  <td>{entry.action}</td>
                  <td class="text">
                    <ObjectOf entry={entry} />
                  </td>
                  <td class="text">{detail(entry.detail)}</td>
                  <td>
                    <code title={entry.hash}>{entry.hash.slice(0, 10)}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      <div class="buttons">
        {after ? (
          <button
            type="button"
            onClick={() => {
              setAfter(0);
            }}
          >
            From the start
          </button>
        ) : null}
        {entries.length === 100 ? (
          <button
            type="button"
            onClick={() => {
              setAfter(last);
            }}
          >
            Next 100
          </button>
        ) : null}
      </div>
    </div>
  );
}
