// What is happening now, kept up to date: the episodes, incidents and the status of the service.  First the events are listened to, then
// everything is fetched, so that nothing falls between the two; of two versions of an episode the one of the later journal record wins.
import { abilities, ask, paths, type Abilities, type Episode, type Incident, type Ready, type Status } from './api';
import { listen, type Connection, type ServerEvent } from './events';
import { Store } from './store';
import { formatTime, parseTime } from './time';

export interface Live {
  connection: Connection;
  episodes: ReadonlyMap<string, Episode>;
  incidents: ReadonlyMap<string, Incident>;
  status: Status | null;
  ready: Ready | null;
  can: Abilities | null;
  isLoaded: boolean;
  error: Error | null;
  changes: number; // of answers and episodes: views that show more than is here ask anew
}

export const live = new Store<Live>({
  connection: 'connecting',
  episodes: new Map(),
  incidents: new Map(),
  status: null,
  ready: null,
  can: null,
  isLoaded: false,
  error: null,
  changes: 0,
});

/** Moves by a second, so that "3 s ago" stays true; by the clock of this browser, corrected by that of the service. */
export const now = new Store(Date.now() / 1000);
let skew = 0;

const KEPT_S = 86400;
const STATUS_MS = 5000;

export const isOpen = (episode: Episode): boolean => episode.state === 'suspected' || episode.state === 'confirmed';

/** Open, and not kept quiet by an answer. */
export const isLoud = (episode: Episode): boolean => isOpen(episode) && !episode.suppressed_by;

/** Whether a later version; the same record may be told again with more in it (an answer, an acknowledgement). */
export function isNewer(episode: Episode, known: Episode | undefined): boolean {
  return !known || episode.sequence >= known.sequence;
}

export function mergeEpisodes(
  known: ReadonlyMap<string, Episode>,
  incoming: readonly Episode[],
  oldest: number,
): Map<string, Episode> {
  const merged = new Map(known);
  for (const episode of incoming) if (isNewer(episode, merged.get(episode.id))) merged.set(episode.id, episode);
  for (const [id, episode] of merged)
    if (!isOpen(episode) && (parseTime(episode.end ?? episode.updated) ?? oldest) < oldest) merged.delete(id);
  return merged;
}

export function upsert(episodes: readonly Episode[]): void {
  live.update((state) => ({
    ...state,
    changes: state.changes + 1,
    episodes: mergeEpisodes(state.episodes, episodes, now.get() - KEPT_S),
  }));
}

async function fetchStatus(): Promise<void> {
  const status = await ask<Status>(paths.status);
  skew = (parseTime(status.now) ?? Date.now() / 1000) - Date.now() / 1000;
  const ready = await ask<Ready>(paths.ready, {}, [503]);
  live.update((state) => ({ ...state, status, ready, error: null }));
}

async function fetchIncidents(): Promise<void> {
  if (!live.get().can?.has('GET /api/v1/incidents')) return;
  const answer = await ask<{ incidents: Incident[] }>('/api/v1/incidents?state=open');
  live.update((state) => ({ ...state, incidents: new Map(answer.incidents.map((incident) => [incident.id, incident])) }));
}

/** Everything anew: at first, and when the service says that events were missed. */
async function fetchAll(): Promise<void> {
  const before = live.get().episodes;
  try {
    const [open, recent] = await Promise.all([
      ask<{ episodes: Episode[] }>(paths.episodes({ state: 'open', limit: '1000' })),
      ask<{ episodes: Episode[] }>(paths.episodes({ state: 'over', from: formatTime(now.get() - KEPT_S), limit: '200' })),
      fetchStatus(),
    ]);
    live.update((state) => {
      // What was told meanwhile stays; what was known before and is in neither answer is gone.
      const told = new Map([...state.episodes].filter(([id, episode]) => before.get(id) !== episode));
      const episodes = mergeEpisodes(told, [...recent.episodes, ...open.episodes], now.get() - KEPT_S);
      return { ...state, isLoaded: true, error: null, changes: state.changes + 1, episodes };
    });
    await fetchIncidents();
  } catch (error) {
    live.update((state) => ({ ...state, isLoaded: true, error: error instanceof Error ? error : new Error(String(error)) }));
  }
}

function take(event: ServerEvent): void {
  if (event.name === 'reset') {
    void fetchAll();
    return;
  }
  const document: unknown = JSON.parse(event.data);
  if (event.name === 'episode') {
    upsert([document as Episode]);
  } else if (event.name === 'incident') {
    const incident = document as Incident;
    live.update((state) => {
      const incidents = new Map(state.incidents);
      if (incident.state === 'open' || !incident.end) incidents.set(incident.id, incident);
      else incidents.delete(incident.id);
      return { ...state, incidents };
    });
  } else if (event.name === 'status') {
    live.update((state) => ({ ...state, status: { ...state.status, ...(document as Status) } }));
  } else if (event.name === 'answer') {
    live.update((state) => ({ ...state, changes: state.changes + 1 }));
  }
}

let stopListening: (() => void) | null = null;
const timers: number[] = [];

/** Begins, or begins anew with another token. */
export function start(): void {
  stopListening?.();
  for (const timer of timers.splice(0)) clearInterval(timer);
  stopListening = listen('/api/v1/events', {
    onEvent: take,
    onState: (connection) => {
      live.update((state) => ({ ...state, connection }));
    },
  });
  void fetchAll();
  abilities().then(
    (can) => {
      live.update((state) => ({ ...state, can }));
      void fetchIncidents().catch(() => undefined);
    },
    () => undefined,
  );
  timers.push(
    window.setInterval(() => {
      now.set(Date.now() / 1000 + skew);
    }, 1000),
  );
  timers.push(
    window.setInterval(() => {
      if (!document.hidden)
        fetchStatus().catch((error: unknown) => {
          live.update((state) => ({ ...state, error: error instanceof Error ? error : new Error(String(error)) }));
        });
    }, STATUS_MS),
  );
}

const ROLES = ['none', 'viewer', 'analyst', 'operator', 'admin'];

/** Whether the caller's role is enough; a service that does not say which it is decides by itself. */
export function may(role: string, own = live.get().status?.role): boolean {
  return own === undefined || ROLES.indexOf(own) >= ROLES.indexOf(role);
}

/** One episode: from what is known, or asked for. */
export async function fetchEpisode(id: string, signal?: AbortSignal): Promise<Episode> {
  const episode = await ask<Episode>(paths.episode(id), signal ? { signal } : {});
  if (live.get().episodes.has(id)) upsert([episode]);
  return episode;
}
