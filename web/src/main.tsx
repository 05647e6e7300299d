// The page: what is always there, and the view that the address asks for.
import { render } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { session } from './api';
import { bindingsNow, installKeys, useKeys } from './keys';
import { live, may, start } from './live';
import { go, place } from './place';
import { useStore } from './store';
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { Note } from './ui';
import { formatPlace, type ViewName } from './url';
import { AuditView } from './views/audit';
import { EpisodeView } from './views/episode';
import { ModelsView } from './views/models';
import { NowView, openWorst } from './views/now';
import { QualityView } from './views/quality';
import { ReviewView } from './views/review';
import { SeriesView } from './views/series';

/** View, its name, its second key behind g, and what the service must be able to answer for it. */
const TABS: readonly (readonly [ViewName, string, string, string])[] = [
  ['now', 'Now', 'n', ''],
  ['series', 'Series', 's', ''],
  ['review', 'Review', 'r', 'GET /api/v1/review'],
  ['quality', 'Quality', 'q', 'GET /api/v1/quality'],
  ['models', 'Models', 'm', 'GET /api/v1/models'],
  ['audit', 'Audit', 'a', 'GET /api/v1/audit'],
];

const CONNECTION_WORDS = {
  connecting: ['◌', 'connecting'],
  live: ['●', 'live'],
  broken: ['▲', 'not live: trying again'],
} as const;

function SignIn() {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    field.current?.focus();
  }, []);
  return (
    <main class="sign-in">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          session.set(field.current?.value.trim() ?? '');
        }}
      >
        <h1>Sign in to tocsin</h1>
        <label for="token">Token</label>
        <input id="token" ref={field} type="password" autocomplete="current-password" required />
        {session.token ? (
          <p class="note problem" role="alert">
            This token is not valid, or not any more.
          </p>
        ) : null}
        <button type="submit">Sign in</button>
        <p class="soft">
          Kept in this tab until it is closed. Whoever runs the service makes tokens:
          <br />
          <code>tocsin token --role viewer --name YOU</code>
        </p>
      </form>
    </main>
  );
}

function Help({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [bindings] = useState(bindingsNow);
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="help">
      <h2 id="help">Keys</h2>
      <dl class="keys">
        {bindings.map(([keys, help]) => (
          <div key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{help}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

function NotOffered({ name }: { name: string }) {
  return (
    <div class="view">
      <h1 tabIndex={-1}>{name}</h1>
      <Note>
        This service does not offer it: another version or build would. <a href="#/now">Back to Now</a>
      </Note>
    </div>
  );
}

function View() {
  const { view, argument, params } = useStore(place);
  const { can } = useStore(live);
  const tab = TABS.find(([name]) => name === view);
  if (tab && can && tab[3] !== '' && !can.has(tab[3])) return <NotOffered name={tab[1]} />;
  switch (view) {
    case 'episode':
      return <EpisodeView id={argument} />;
    case 'series':
      return <SeriesView argument={argument} params={params} />;
    case 'review':
      return <ReviewView />;
    case 'models':
      return <ModelsView />;
    case 'quality':
      return <QualityView />;
    case 'audit':
      return <AuditView />;
    default:
      return <NowView />;
  }
}

/** A change of view is told to whoever does not see it: by title and by focus, before a key can choose anything else. */
function useFocusOnChange(): void {
  const { view, argument } = useStore(place);
  const isFirst = useRef(true);
  useLayoutEffect(() => {
    const tab = TABS.find(([name]) => name === view);
    if (tab) document.title = `${tab[1]} – tocsin`; // an episode says itself which one it is
    if (isFirst.current) isFirst.current = false;
    else document.querySelector<HTMLElement>('main h1')?.focus();
  }, [view, argument]);
}

function Shell() {
  const state = useStore(live);
  const here = useStore(place);
  const [isHelp, help] = useState(false);
  useFocusOnChange();
  const tabs = TABS.filter(([view, , , needs]) => (needs === '' || state.can?.has(needs)) && (view !== 'audit' || may('admin')));
  const goKeys = Object.fromEntries(
    tabs.map(([view, name, key]) => [
      `g ${key}`,
      {
        help: `go to ${name}`,
        act: () => {
          go(view);
        },
      },
    ]),
  );
  useKeys({
    ...goKeys,
    'g e': { help: 'go to the worst episode', act: openWorst },
    '?': {
      help: 'these keys',
      act: () => {
        help(true);
      },
    },
  });
  const [sign, word] = CONNECTION_WORDS[state.connection];
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.querySelector<HTMLElement>('main h1')?.focus();
        }}
      >
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href="#/now">
          tocsin
        </a>
        <nav aria-label="Views">
          {tabs.map(([view, name]) => (
            <a
              key={view}
              href={formatPlace(view)}
              aria-current={here.view === view || (view === 'now' && here.view === 'episode') ? 'page' : undefined}
            >
              {name}
            </a>
          ))}
        </nav>
        <span class={`connection ${state.connection}`} role="status">
          <span aria-hidden="true">{sign}</span> {word}
        </span>
        {state.status?.who ? (
          <span class="soft who">
            {state.status.who}, {state.status.role}
          </span>
        ) : null}
        <button
          type="button"
          onClick={() => {
            help(true);
          }}
          aria-label="Keys"
        >
          ?
        </button>
      </header>
      <main id="main">
        <View />
      </main>
      {isHelp ? (
        <Help
          close={() => {
            help(false);
          }}
        />
      ) : null}
    </>
  );
}

function App() {
  const [, turn] = useState(0);
  useEffect(() => {
    const changed = (): void => {
      turn((n) => n + 1);
      if (!session.refused) start();
    };
    session.listeners.add(changed);
    start();
    return () => {
      session.listeners.delete(changed);
    };
  }, []);
  return session.refused ? <SignIn /> : <Shell key={session.token} />;
}

installKeys();
const root = document.getElementById('app');
if (root) {
  root.textContent = '';
  render(<App />, root);
}
