// Models: what decides beside the first look, where it came from, and how to go back.
import { useState } from 'preact/hooks';
import { ask, send, type Model } from '../api';
import { useAsk, useStore } from '../store';
import { live } from '../live';
import { At, Loading, Note, Problem } from '../ui';

const aliasesOf = (model: Model): string[] => model.aliases ?? (model.alias ? [model.alias] : []);

function Row({ model, act }: { model: Model; act: (path: string) => void }) {
  const { can } = useStore(live);
  const aliases = aliasesOf(model);
  return (
    <tr>
      <th scope="row">
        <code title={model.hash}>{model.hash.slice(0, 12)}</code> {model.name ?? ''}
      </th>
      <td>
        {aliases.map((alias) => (
          <span class="chip" key={alias}>
            {alias}
          </span>
        ))}
      </td>
      <td>
        <At time={model.created} />
      </td>
      <td class="text">
        <details>
          <summary>lineage</summary>
          <pre tabIndex={0}>{JSON.stringify(model.lineage ?? {}, null, 1)}</pre>
        </details>
      </td>
      <td>
        {can?.has('POST /api/v1/models/{hash}/promotion') && !aliases.includes('champion') ? (
          <button
            type="button"
            onClick={() => {
              act(`/api/v1/models/${encodeURIComponent(model.hash)}/promotion`);
            }}
          >
            Make it decide
          </button>
        ) : null}
      </td>
    </tr>
  );
}

export function ModelsView() {
  const { can } = useStore(live);
  const [reason, setReason] = useState('');
  const [error, fail] = useState<Error | null>(null);
  const [said, say] = useState('');
  const asked = useAsk<{ models: Model[] }>('models', (signal) => ask('/api/v1/models', { signal }));
  const act = (path: string): void => {
    if (reason.trim() === '') {
      say('State a reason first: it goes into the audit log.');
      return;
    }
    send('POST', path, { reason }).then(
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
  return (
    <div class="view">
      <h1 tabIndex={-1}>
        Models <small>what gives rows a second look</small>
      </h1>
      {asked.error ? <Problem error={asked.error} what="The models" /> : null}
      {!asked.data && !asked.error ? <Loading what="models" /> : null}
      {can?.has('POST /api/v1/models/rollback') ? (
        <div class="bar-of">
          <label>
            Reason{' '}
            <input
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
        </div>
      ) : null}
      <p role="status" class="said">
        {said}
      </p>
      {error ? <Problem error={error} what="The change was not taken; it" /> : null}
      {asked.data?.models.length === 0 ? <Note>No model was trained yet: the first look decides alone.</Note> : null}
      {asked.data && asked.data.models.length > 0 ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Models">
          <table class="data">
            <thead>
              <tr>
                {['model', 'is', 'made', 'from', ''].map((name) => (
                  <th key={name} scope="col">
                    {name || <span class="visually-hidden">actions</span>}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {asked.data.models.map((model) => (
                <Row key={model.hash} model={model} act={act} />
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </div>
  );
}
