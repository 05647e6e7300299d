// Review: work through what the service is least sure of, the guideline beside it; say what it missed.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { answer, canAnswer, VERDICTS, verdictWord } from '../answers';
import { ask, send, type Episode, type Review, type ReviewItem, type Verdict } from '../api';
import { number, percent, unitOf } from '../format';
import { useTimeline } from '../history';
import { useKeys, type Bindings } from '../keys';
import { live, may, now } from '../live';
import { SeriesChart } from '../serieschart';
import { useAsk, useStore } from '../store';
import { parseTime } from '../time';
import { Ago, Head, Loading, Note, Problem, SeriesLabel, Severity, State } from '../ui';
import { formatPlace } from '../url';
import { spanAround } from './episode';
import { withoutName } from './now';

/** The document's fields may stand beside the reason or in `episode`. */
export function episodeOf(item: ReviewItem): Episode | null {
  if (item.episode) return item.episode;
  const flat = item as ReviewItem & Partial<Episode>;
  return flat.series !== undefined && flat.kind !== undefined ? (flat as unknown as Episode) : null;
}

function Guideline() {
  return (
    <aside class="card guideline" aria-labelledby="guideline">
      <h2 id="guideline">How to answer</h2>
      <dl>
        <dt>True alarm</dt>
        <dd>Somebody should have been told: something was broken, or about to be. It counts even if it healed by itself.</dd>
        <dt>Expected</dt>
        <dd>Real, but known or planned: a deployment, a backup, a load test. The next one like it stays quiet.</dd>
        <dt>Not mine</dt>
        <dd>Real, but another team's. It teaches who is to be told, not what is ordinary.</dd>
      </dl>
      <p>
        Judge by what could be known at its onset, not by what happened later. Not sure? Say so: an answer of 60 % counts less,
        not wrongly. Two people who disagree are both kept; the more reliable one weighs more.
      </p>
    </aside>
  );
}

function Missed() {
  const { can } = useStore(live);
  const [said, say] = useState('');
  const [error, fail] = useState<Error | null>(null);
  if (!can?.has('POST /api/v1/marks') || !may('analyst')) return null;
  const mark = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = (name: string): string => (form.elements.namedItem(name) as HTMLInputElement).value;
    const iso = (name: string): string => new Date(field(name)).toISOString();
    send('POST', '/api/v1/marks', {
      series: Number(field('series')),
      from: iso('from'),
      to: iso('to'),
      note: field('note'),
    }).then(
      () => {
        say('Kept as a missed event.');
        fail(null);
        form.reset();
      },
      (reason: unknown) => {
        fail(reason as Error);
      },
    );
  };
  return (
    <section class="card" aria-labelledby="missed">
      <h2 id="missed">Something was missed</h2>
      <form class="fields" onSubmit={mark}>
        <label>
          Series (its number) <input name="series" type="number" min={0} required />
        </label>
        <label>
          From <input name="from" type="datetime-local" step={1} required />
        </label>
        <label>
          To <input name="to" type="datetime-local" step={1} required />
        </label>
        <label class="wide">
          What was it? <input name="note" type="text" maxLength={500} />
        </label>
        <button type="submit">Mark it</button>
      </form>
      {error ? <Problem error={error} what="The mark was not taken; it" /> : null}
      <p role="status" class="said">
        {said}
      </p>
    </section>
  );
}

function Item({ item, give }: { item: ReviewItem; give: (id: string, verdict: Verdict, word: string) => void }) {
  const episode = episodeOf(item);
  const [isSeen, see] = useState(false);
  if (!episode) return null;
  return (
    <li class="episode" data-id={item.id}>
      <Severity value={episode.severity} />
      <a class="what" href={formatPlace('episode', item.id)} data-row>
        <SeriesLabel text={episode.series} />
      </a>
      <span class="measured">{withoutName(episode)}</span>
      <State episode={episode} />
      <span class="when">
        <Ago time={episode.begin} />
      </span>
      <span class="reason">
        {item.reason ?? 'would teach most'}
        {episode.answer ? `; so far: ${verdictWord(episode.answer)}` : ''}
      </span>
      <div class="buttons above">
        {canAnswer()
          ? VERDICTS.map(([verdict, key, word]) => (
              <button
                type="button"
                key={verdict}
                onClick={() => {
                  give(item.id, verdict, word);
                }}
              >
                {word} <kbd>{key}</kbd>
              </button>
            ))
          : null}
        <details
          onToggle={(event) => {
            see(event.currentTarget.open);
          }}
        >
          <summary>Look</summary>
          {isSeen ? <Look episode={episode} /> : null}
        </details>
      </div>
    </li>
  );
}

function Look({ episode }: { episode: Episode }) {
  const begin = parseTime(episode.begin) ?? now.get();
  const end = parseTime(episode.end) ?? now.get();
  const { timeline, turn } = useTimeline(`review ${episode.id}`, () => spanAround(begin, end, 1, now.get()), false, false);
  const shades = useMemo(() => [{ from: begin, to: end, label: episode.kind, isChosen: true }], [begin, end]);
  return (
    <SeriesChart
      number={episode.number}
      title={episode.series}
      unit={unitOf(episode.series, false)}
      timeline={timeline}
      turn={turn}
      height={150}
      shades={shades}
    />
  );
}

/** How far each person's answers are believed: by how often they agree with what came out. */
function Raters({ review }: { review: Review }) {
  const raters = review.raters ?? [];
  if (raters.length === 0) return null;
  return (
    <section class="card" aria-labelledby="raters">
      <h2 id="raters">How far people are believed</h2>
      <table class="data">
        <Head names={['who', 'answers', 'right, as far as is known']} />
        <tbody>
          {raters.map((rater) => (
            <tr key={rater.who}>
              <th scope="row">{rater.who}</th>
              <td>{number(rater.answers, 3)}</td>
              <td>{percent(rater.reliability)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {typeof review.noise === 'number' ? (
        <p class="soft">{percent(review.noise)} of all answers are wrong, by the same estimate.</p>
      ) : null}
    </section>
  );
}

export function ReviewView() {
  const { changes } = useStore(live);
  const [said, say] = useState('');
  const asked = useAsk<Review>(`review#${changes}`, (signal) => ask('/api/v1/review?limit=50', { signal }));
  const [kept, keep] = useState<ReviewItem[]>([]);
  if (asked.data && asked.data.review !== kept) keep(asked.data.review);
  const at = useRef(-1); // of the entry that was answered: the one that takes its place is next
  useEffect(() => {
    if (at.current < 0 || document.activeElement !== document.body) return;
    const rows = document.querySelectorAll<HTMLElement>('a[data-row]');
    rows[Math.min(at.current, rows.length - 1)]?.focus();
  }, [kept]);
  const move = (by: number): void => {
    const rows = [...document.querySelectorAll<HTMLElement>('a[data-row]')];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
  };
  const bindings: Bindings = {
    j: {
      help: 'next in the queue',
      act: () => {
        move(1);
      },
    },
    k: {
      help: 'previous in the queue',
      act: () => {
        move(-1);
      },
    },
  };
  const give = (id: string, verdict: Verdict, word: string): void => {
    if (!id || !canAnswer()) {
      say(id ? 'This service takes no answers from you.' : 'Choose one first: j and k.');
      return;
    }
    at.current = kept.findIndex((item) => item.id === id);
    answer(id, { verdict, scope: 'pattern' }).then(
      () => {
        say(`Answered “${word}”.`);
        asked.again();
      },
      (e: unknown) => {
        say((e as Error).message);
      },
    );
  };
  for (const [verdict, key, word] of VERDICTS)
    bindings[key] = {
      help: `answer “${word}” to the chosen one`,
      act: () => {
        give(document.activeElement?.closest<HTMLElement>('[data-id]')?.dataset['id'] ?? '', verdict, word);
      },
    };
  useKeys(bindings);
  return (
    <div class="view">
      <h1 tabIndex={-1}>
        Review <small>whose answer would teach most, and where people disagree</small>
      </h1>
      <p role="status" class="said">
        {said}
      </p>
      {asked.error ? <Problem error={asked.error} what="The queue" /> : null}
      <div class="columns">
        <section aria-labelledby="queue">
          <h2 id="queue">Queue</h2>
          {!asked.data && !asked.error && kept.length === 0 ? <Loading what="the queue" /> : null}
          {asked.data?.review.length === 0 ? <Note>Nothing waits for an answer.</Note> : null}
          <ul class="episodes">
            {kept.map((item) => (
              <Item key={item.id} item={item} give={give} />
            ))}
          </ul>
        </section>
        <div>
          <Guideline />
          {asked.data ? <Raters review={asked.data} /> : null}
          <Missed />
        </div>
      </div>
    </div>
  );
}
