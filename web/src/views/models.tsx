// Models: what gives rows a second look, where it came from, what it was measured to do, and how to go back.
import { useState } from 'preact/hooks';
import { ask, send, type Canary, type CanaryGroup, type Challenger, type Evidence, type Model } from '../api';
import { count, duration, number } from '../format';
import { live } from '../live';
import { useAsk, useStore } from '../store';
import { At, Head, Loading, Note, Problem } from '../ui';

const ROLES: Record<string, string> = { champion: '● decides', challenger: '◌ is tried beside it', '': 'is kept' };

function between(one: Evidence): string {
  if (one.auc_roc === undefined) return '';
  return `${number(one.auc_roc, 3)} (${number(one.auc_roc_low, 3)} to ${number(one.auc_roc_high, 3)})`;
}

function Measured({ evidence }: { evidence: readonly Evidence[] }) {
  if (evidence.length === 0) return <Note>It was not measured yet.</Note>;
  return (
    <table class="data">
      <Head names={['on', 'rows', 'AUC by answers', 'VUS-PR', 'F1 of events', 'alarms', 'of them false', 'allowed', 'a row']} />
      <tbody>
        {evidence.map((one) => (
          <tr key={one.data}>
            <th scope="row" title={one.data}>
              {one.data.slice(0, 36)}
            </th>
            <td>{count(one.rows)}</td>
            <td>{between(one)}</td>
            <td>{number(one.vus_pr, 3)}</td>
            <td>{number(one.f1_event, 3)}</td>
            <td>{number(one.alarms, 3)}</td>
            <td>{number(one.alarms_false, 3)}</td>
            <td>{number(one.alarms_allowed, 3)}</td>
            <td>{duration((one.ns_per_row ?? NaN) * 1e-9)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Details({ hash, card }: { hash: string; card: Record<string, unknown> }) {
  const asked = useAsk<Model>(hash, (signal) => ask(`/api/v1/models/${encodeURIComponent(hash)}`, { signal }));
  return (
    <>
      {asked.error ? <Problem error={asked.error} what="What it was measured to do" /> : null}
      {asked.data ? <Measured evidence={asked.data.evidence ?? []} /> : null}
      <dl class="keys">
        {Object.entries(card).map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Row({ model, act }: { model: Model; act: (path: string) => void }) {
  const { can } = useStore(live);
  const [isOpen, open] = useState(false);
  const isOffered = can?.has('POST /api/v1/models/{hash}/promotion') && model.role !== 'champion';
  return (
    <tr>
      <th scope="row">
        {model.name} <code title={model.hash}>{model.hash.slice(0, 12)}</code>
      </th>
      <td class={model.role === 'champion' ? 'fine' : ''}>{ROLES[model.role] ?? model.role}</td>
      <td>
        <At time={model.created} />
      </td>
      <td>{count(model.size / 1024)} KiB</td>
      <td class="text">
        <details
          onToggle={(event) => {
            open(event.currentTarget.open);
          }}
        >
          <summary>card and measurements</summary>
          {isOpen ? <Details hash={model.hash} card={model.card} /> : null}
        </details>
      </td>
      <td>
        {isOffered ? (
          <button
            type="button"
            onClick={() => {
              act(`/api/v1/models/${encodeURIComponent(model.hash)}/promotion`);
            }}
          >
            Let it decide
          </button>
        ) : null}
      </td>
    </tr>
  );
}

function Table({ models, act }: { models: readonly Model[]; act: (path: string) => void }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Models">
      <table class="data words">
        <Head names={['model', 'it', 'made', 'size', 'from', '']} unnamed="actions" />
        <tbody>
          {[...models].reverse().map((model) => (
            <Row key={model.hash} model={model} act={act} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

// What a challenger would have said of the rows that the champion answered.
function Shadow({ challenger }: { challenger: Challenger }) {
  const { compared, confirmed_both: both, confirmed_challenger: mine, confirmed_champion: other } = challenger;
  const answers = `${count(challenger.labels_true)} true and ${count(challenger.labels_other)} other answers are there to learn from.`;
  if (challenger.model === '') return <Note>{`No challenger is scored beside the champion. ${answers}`}</Note>;
  return (
    <p>
      <code title={challenger.model}>{challenger.model.slice(0, 12)}</code> is scored beside the champion: of {count(compared)}{' '}
      rows out of the ordinary both would confirm {count(both)}, it alone {count(mine)}, the champion alone {count(other)}.{' '}
      {challenger.skipped > 0 ? `There was no time for ${count(challenger.skipped)}. ` : ''}
      {challenger.is_held && challenger.held_until ? (
        <>
          Until {count(challenger.wanted)} are there, networks that the service trains wait, till{' '}
          <At time={challenger.held_until} /> at most.{' '}
        </>
      ) : null}
      {answers}
    </p>
  );
}

function Group({ name, group }: { name: string; group: CanaryGroup }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{count(group.series ?? NaN)}</td>
      <td>{count(group.opened)}</td>
      <td>{count(group.confirmed)}</td>
      <td>{count(group.said_true)}</td>
      <td>{count(group.said_false)}</td>
    </tr>
  );
}

function Trial({ canary }: { canary: Canary }) {
  if (!canary.is_on || !canary.canary || !canary.others) return null;
  return (
    <section aria-label="Canary">
      <p>
        <code title={canary.model}>{canary.model.slice(0, 12)}</code> answers for {number(100 * canary.share, 3)} % of the series
        {canary.since ? (
          <>
            {' '}
            since <At time={canary.since} />
          </>
        ) : null}
        .
      </p>
      <table class="data">
        <Head names={['episodes of', 'series', 'opened', 'confirmed', 'said true', 'said expected']} />
        <tbody>
          <Group name="the canary" group={canary.canary} />
          <Group name="all others" group={canary.others} />
        </tbody>
      </table>
    </section>
  );
}

interface Listed {
  models: Model[];
  challenger?: Challenger;
  canary?: Canary;
}

export function ModelsView() {
  const { can } = useStore(live);
  const [reason, setReason] = useState('');
  const [error, fail] = useState<Error | null>(null);
  const [said, say] = useState('');
  const asked = useAsk<Listed>('models', (signal) => ask('/api/v1/models', { signal }), 30);
  const act = (path: string, more?: Record<string, unknown>): void => {
    if (reason.trim() === '') {
      say('State a reason first: it goes into the audit log.');
      document.querySelector<HTMLElement>('#reason')?.focus();
      return;
    }
    send('POST', path, { reason, ...more }).then(
      () => {
        say('Done.');
        fail(null);
        asked.again();
      },
      (e: unknown) => {
        fail(e as Error);
      },
    );
  };
  const models = asked.data?.models;
  const challenger = asked.data?.challenger;
  const canary = asked.data?.canary;
  const mayTry = can?.has('POST /api/v1/models/{hash}/canary');
  return (
    <div class="view">
      <h1 tabIndex={-1}>
        Models <small>what gives rows a second look</small>
      </h1>
      {asked.error ? <Problem error={asked.error} what="The models" /> : null}
      {!models && !asked.error ? <Loading what="models" /> : null}
      {models?.length === 0 ? <Note>No model is here yet: the first look decides alone.</Note> : null}
      {models && models.length > 0 && can?.has('POST /api/v1/models/rollback') ? (
        <div class="bar-of">
          <label>
            Reason of a change{' '}
            <input
              id="reason"
              type="text"
              value={reason}
              maxLength={500}
              onInput={(event) => {
                setReason(event.currentTarget.value);
              }}
            />
          </label>
          <button
            type="button"
            onClick={() => {
              act('/api/v1/models/rollback');
            }}
          >
            Go back to the one before
          </button>
          {mayTry && challenger && challenger.model !== '' && !canary?.is_on ? (
            <button
              type="button"
              onClick={() => {
                act(`/api/v1/models/${challenger.model}/canary`, { share: 0.1 });
              }}
            >
              Try the challenger on a tenth of the series
            </button>
          ) : null}
          {mayTry && canary?.is_on ? (
            <button
              type="button"
              onClick={() => {
                act('/api/v1/models/canary/stop');
              }}
            >
              Stop the canary
            </button>
          ) : null}
        </div>
      ) : null}
      <p role="status" class="said">
        {said}
      </p>
      {error ? <Problem error={error} what="The change was not taken; it" /> : null}
      {models && models.length > 0 && challenger ? <Shadow challenger={challenger} /> : null}
      {canary ? <Trial canary={canary} /> : null}
      {models && models.length > 0 ? <Table models={models} act={act} /> : null}
    </div>
  );
}
