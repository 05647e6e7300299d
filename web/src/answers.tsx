// What a person says of an episode: true, expected or not theirs, with how sure they are, why, and how far it is meant to reach.
import { useState } from 'preact/hooks';
import { ask, paths, send, type Answer, type AnswerRequest, type Episode, type Scope, type Verdict } from './api';
import { fetchEpisode, live, may, upsert } from './live';
import { useAsk, useStore } from './store';
import { percent } from './format';
import { At, Problem } from './ui';

export const VERDICTS: readonly (readonly [Verdict, string, string, string])[] = [
  ['true', 't', 'True alarm', 'something was wrong; the next one like it is told at once'],
  ['expected', 'x', 'Expected', 'known or planned; the next one like it stays quiet'],
  ['not_mine', 'm', 'Not mine', 'real, but for another team'],
];

const SCOPES: readonly (readonly [Scope, string])[] = [
  ['pattern', 'this pattern on this series'],
  ['episode', 'this episode only'],
  ['series', 'everything on this series'],
  ['similar', 'this pattern on similar series'],
];

export const verdictWord = (verdict: Verdict | '' | undefined): string =>
  VERDICTS.find(([key]) => key === verdict)?.[2] ?? 'no answer yet';

export const canAnswer = (): boolean => (live.get().can?.has('POST /api/v1/episodes/{id}/answers') ?? false) && may('analyst');

/** Says it, and shows at once what became of the episode. */
export async function answer(id: string, request: AnswerRequest): Promise<void> {
  await send<{ id: string }>('POST', `${paths.episode(id)}/answers`, request);
  upsert([await fetchEpisode(id)]);
}

interface Draft {
  scope: Scope;
  reason: string;
  confidence: number;
  until: string;
}

function DraftFields({ draft, change }: { draft: Draft; change: (draft: Draft) => void }) {
  return (
    <div class="fields">
      <label>
        Reaches
        <select
          value={draft.scope}
          onChange={(event) => {
            change({ ...draft, scope: event.currentTarget.value as Scope });
          }}
        >
          {SCOPES.map(([key, word]) => (
            <option key={key} value={key}>
              {word}
            </option>
          ))}
        </select>
      </label>
      <label>
        How sure
        <select
          value={String(draft.confidence)}
          onChange={(event) => {
            change({ ...draft, confidence: Number(event.currentTarget.value) });
          }}
        >
          <option value="1">certain</option>
          <option value="0.8">fairly (80 %)</option>
          <option value="0.6">rather (60 %)</option>
        </select>
      </label>
      <label>
        Until
        <input
          type="datetime-local"
          value={draft.until}
          onInput={(event) => {
            change({ ...draft, until: event.currentTarget.value });
          }}
        />
      </label>
      <label class="wide">
        Why (helps the next who is woken)
        <input
          type="text"
          value={draft.reason}
          maxLength={500}
          placeholder="e.g. nightly backup"
          onInput={(event) => {
            change({ ...draft, reason: event.currentTarget.value });
          }}
        />
      </label>
    </div>
  );
}

function Answers({ episode, changed }: { episode: Episode; changed: () => void }) {
  const { changes } = useStore(live);
  const path = `/api/v1/answers?${new URLSearchParams({ episode: episode.id }).toString()}`;
  const asked = useAsk<{ answers: Answer[] }>(`${path}#${changes}`, (signal) => ask(path, { signal }));
  if (!asked.data || asked.data.answers.length === 0) return null;
  const undo = (id: string): void => {
    void send('DELETE', `/api/v1/answers/${encodeURIComponent(id)}`).then(() => {
      asked.again();
      changed();
    });
  };
  return (
    <ul class="answers">
      {asked.data.answers.map((given) => (
        <li key={given.id} class={given.undone ? 'undone' : ''}>
          <b>{verdictWord(given.verdict)}</b> by {given.who || 'somebody'}, <At time={given.time} />
          {given.confidence < 1 ? `, ${percent(given.confidence)} sure` : ''}; reaches{' '}
          {SCOPES.find(([key]) => key === given.scope)?.[1] ?? given.scope}
          {given.until ? (
            <>
              , until <At time={given.until} />
            </>
          ) : null}
          {given.reason ? `: “${given.reason}”` : ''}
          {given.undone ? (
            <i> undone</i>
          ) : (
            <button
              type="button"
              onClick={() => {
                undo(given.id);
              }}
            >
              Undo
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

export function Answering({ episode }: { episode: Episode }) {
  const { can } = useStore(live);
  const [draft, change] = useState<Draft>({ scope: 'pattern', reason: '', confidence: 1, until: '' });
  const [error, fail] = useState<Error | null>(null);
  const [said, say] = useState('');
  if (!can?.has('POST /api/v1/episodes/{id}/answers') || !may('analyst')) return null;
  const give = (verdict: Verdict): void => {
    fail(null);
    answer(episode.id, {
      verdict,
      scope: draft.scope,
      reason: draft.reason,
      confidence: draft.confidence,
      until: draft.until ? new Date(draft.until).toISOString() : null,
    }).then(
      () => {
        say(`Answered: ${verdictWord(verdict)}.`);
      },
      (reason: unknown) => {
        fail(reason as Error);
      },
    );
  };
  return (
    <section class="card answering" aria-labelledby="answering">
      <h2 id="answering">What was it?</h2>
      {episode.answer ? (
        <p>
          Answered <b>{verdictWord(episode.answer)}</b>
          {typeof episode.answer_probability === 'number'
            ? ` (${percent(episode.answer_probability)} likely, of all answers together)`
            : ''}
          .
        </p>
      ) : null}
      {episode.suppressed_by ? <p class="note">Kept quiet by an earlier answer ({episode.suppressed_by}).</p> : null}
      <div class="buttons">
        {VERDICTS.map(([verdict, key, word, help]) => (
          <button
            type="button"
            key={verdict}
            class={`answer ${verdict}`}
            aria-pressed={episode.answer === verdict}
            onClick={() => {
              give(verdict);
            }}
          >
            <b>
              {word} <kbd>{key}</kbd>
            </b>
            <small>{help}</small>
          </button>
        ))}
      </div>
      <details>
        <summary>How far, how sure, why</summary>
        <DraftFields draft={draft} change={change} />
      </details>
      {error ? <Problem error={error} what="Your answer was not taken; it" /> : null}
      <p role="status" class="said">
        {said}
      </p>
      {can?.has('GET /api/v1/answers') ? (
        <Answers
          episode={episode}
          changed={() => {
            void fetchEpisode(episode.id).then((e) => {
              upsert([e]);
            });
          }}
        />
      ) : null}
    </section>
  );
}

export function Acknowledging({ episode }: { episode: Episode }) {
  const { can } = useStore(live);
  const [note, change] = useState('');
  const [error, fail] = useState<Error | null>(null);
  if (episode.acknowledged)
    return (
      <p class="acknowledged">
        ✓ {episode.acknowledged.who || 'Somebody'} looks after it since <At time={episode.acknowledged.time} />
        {episode.acknowledged.note ? `: “${episode.acknowledged.note}”` : ''}
      </p>
    );
  if (!can?.has('POST /api/v1/episodes/{id}/acknowledgement') || !may('analyst')) return null;
  const acknowledge = (event: Event): void => {
    event.preventDefault();
    send('POST', `${paths.episode(episode.id)}/acknowledgement`, { note })
      .then(() => fetchEpisode(episode.id))
      .then(
        (e) => {
          upsert([e]);
        },
        (reason: unknown) => {
          fail(reason as Error);
        },
      );
  };
  return (
    <form class="acknowledge" onSubmit={acknowledge}>
      <label>
        Note{' '}
        <input
          type="text"
          value={note}
          maxLength={500}
          placeholder="what I am doing about it"
          onInput={(event) => {
            change(event.currentTarget.value);
          }}
        />
      </label>
      <button type="submit">I look after it</button>
      {error ? <Problem error={error} what="Your note was not taken; it" /> : null}
    </form>
  );
}
