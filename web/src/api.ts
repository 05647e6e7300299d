// The service as this page sees it: documents of its HTTP API (docs/reference/http-api.md) and one way to ask for them.
import type { HistoryDocument } from './pyramid';

export type EpisodeKind = 'anomaly' | 'absence' | 'stuck' | 'stale' | 'late' | 'cadence' | 'limit';
export type EpisodeState = 'suspected' | 'confirmed' | 'resolved' | 'dismissed';
export type Verdict = 'true' | 'expected' | 'not_mine';
export type Scope = 'episode' | 'pattern' | 'series' | 'similar';

export interface Answer {
  id: string;
  episode: string;
  verdict: Verdict;
  who: string;
  time: string;
  confidence: number;
  reason: string;
  scope: Scope;
  until: string | null;
  undone: boolean;
}

export interface Episode {
  id: string;
  kind: EpisodeKind;
  state: EpisodeState;
  series: string;
  number: number;
  begin: string;
  updated: string;
  end?: string;
  severity: number;
  peak?: string;
  p_value?: number;
  value?: number;
  expected?: number;
  deviation?: number;
  lag_seconds?: number;
  usual_lag_seconds?: number;
  limit?: number; // that was passed
  step_seconds?: number;
  usual_step_seconds?: number;
  sequence: number;
  summary: string;
  incident?: string;
  verdict?: 'confirmed' | 'ordinary' | 'unconfirmed' | 'pending' | 'none';
  deep_p_value?: number;
  answers?: (string | Partial<Answer>)[];
  answer?: Verdict | '';
  answer_probability?: number | null;
  disagreement?: number | null;
  suppressed_by?: string;
  acknowledged?: { who: string; time: string; note: string } | null;
}

export interface Series {
  number: number;
  series: string;
  readiness: 'new' | 'learning' | 'ready' | 'ended';
  first_seen?: string;
  last_row?: string;
  cadence_seconds?: number;
  value?: number;
  expected?: number;
  deviation?: number;
  is_rate: boolean;
  is_anomalous: boolean;
  is_absent: boolean;
  is_stuck: boolean;
  is_stale?: boolean;
  is_late?: boolean;
  is_cadence_changed?: boolean;
  is_beyond_limit?: boolean;
  low?: number; // limits that are set for it
  high?: number;
}

export interface SeriesPage {
  count: number;
  series: Series[];
  next_after?: number;
}

export interface Status {
  started: string;
  now: string;
  series: number;
  rows_scored: number;
  rows_unusual: number;
  rows_waiting: number;
  latency_p50_seconds: number;
  latency_p99_seconds: number;
  requests: number;
  requests_refused: number;
  journal_first: number;
  journal_next: number;
  journal_failures: number;
  samples: Record<string, number>;
  budget?: { alarms_per_day: number; raised_24h: number | null };
  deep?: { state: string; model?: string; escalated?: number; sampled?: number; unconfirmed?: number; deadline_seconds?: number };
  role?: string;
  who?: string;
}

/** A figure of the service about itself, and its bound. */
export interface Watched {
  figure: string;
  state: 'unknown' | 'fine' | 'breached' | string;
  value: number | null;
  bound: number | null;
  is_floor: boolean;
  unit: string;
  help: string;
  runbook: string;
}

/** Watched figures over days, in equal steps: every column has an entry a step. */
export interface WatchedHistory {
  step_seconds: number;
  time: number[];
  figures: WatchedPast[];
}

export interface WatchedPast {
  figure: string;
  is_floor: boolean;
  unit: string;
  help: string;
  least: (number | null)[];
  mean: (number | null)[];
  greatest: (number | null)[];
  bound: (number | null)[];
}

export interface Ready {
  ready: boolean;
  checks: { name: string; ok: boolean; reason?: string }[];
}

export interface Incident {
  id: string;
  begin: string;
  end?: string;
  state: string;
  severity: number;
  episodes: string[];
  series_count: number;
  episode_count?: number;
  open_count?: number;
  merged_into?: string;
  summary: string;
}

export interface Matcher {
  name: string;
  op: '=' | '!=' | '=~' | '!~';
  value: string;
}
export interface Silence {
  id: string;
  matchers: Matcher[];
  from: string;
  to: string;
  who: string;
  comment: string;
  state?: string;
}
export interface Similar {
  id: string;
  series: string;
  begin: string;
  distance: number;
  share?: number;
  answer?: Verdict | '';
  answer_probability?: number;
}
export interface Related {
  id: string;
  number: number;
  series: string;
  begin: string;
  kind: EpisodeKind;
}
export interface FirstLook {
  time: string;
  value: number;
  because: 'jump' | 'shift';
  expected: number;
  deviation: number;
  height: number;
  threshold: number;
  low: number;
  high: number;
}
export interface Counterfactual {
  found: boolean;
  rows_changed?: number;
  rows?: { time: string; value: number; instead: number }[];
}
/** A row of the window that the deep layer was shown. */
export interface LookedAt {
  time?: string;
  deviations: number;
  expected: number;
  part: number;
  share: number;
}
export interface Told {
  receiver: string;
  episode: string;
  revision: number;
  outcome: string;
  time: string | null;
  attempts: number;
  error: string;
}
export interface Moved {
  id: string;
  series: string;
  number?: number;
  kind: EpisodeKind;
  lag_seconds: number;
  deviations: number | null;
}
export interface Explanation {
  advice: string | null;
  advice_second_look: string | null;
  first_look: FirstLook | null;
  counterfactual: Counterfactual | null;
  second_look: { p_value: number; limit: number; verdict: string; rows: LookedAt[] } | null;
  moved_together: { incident: string; series_count: number; shared: Record<string, string>; episodes: Moved[] };
  path: { step: string; says: string; time?: string; sequence?: number }[];
  told: Told[];
  unknown: string[];
}
export interface ReviewItem {
  id: string;
  gain?: number;
  reason?: string;
  episode?: Episode;
}
export interface Review {
  review: ReviewItem[];
  noise?: number | null;
  raters?: { who: string; reliability: number; answers: number }[];
}
/** How good alarms were, of a day, a team or all of them; null: nothing to measure by, or no price. */
export interface QualityTally {
  alarms: number;
  answered: number;
  true: number;
  expected: number;
  not_mine: number;
  missed?: number;
  precision?: number | null;
  precision_low?: number | null;
  precision_high?: number | null;
  recall?: number | null;
  recall_low?: number | null;
  recall_high?: number | null;
  detect_seconds?: number | null;
  detect_count?: number;
  cost_false?: number | null;
  cost_missed?: number | null;
  saved?: number | null;
  net?: number | null;
}
export interface QualityDay extends QualityTally {
  day: string;
}
export interface QualityTeam extends QualityTally {
  team: string;
}
export interface Quality {
  days: QualityDay[];
  total?: QualityTally;
  by?: string;
  teams?: QualityTeam[];
  prices?: { false_alarm: number | null; missed: number | null; true_alarm: number | null };
  alarms_per_day_allowed?: number;
}
export interface AuditEntry {
  sequence: number;
  time: string;
  actor: string;
  action: string;
  object: string;
  detail: unknown;
  hash: string;
}
export interface Evidence {
  data: string;
  rows: number;
  vus_pr?: number;
  auc_pr?: number;
  f1_event?: number;
  alarms?: number;
  alarms_false?: number;
  alarms_allowed?: number;
  p_low_share?: number;
  ns_per_row?: number;
  auc_roc?: number;
  auc_roc_low?: number;
  auc_roc_high?: number;
  auc_gain_low?: number | null;
  labels_true?: number;
  labels_other?: number;
}
export interface Challenger {
  model: string;
  champion: string;
  labels_true: number;
  labels_other: number;
  compared: number;
  skipped: number;
  confirmed_both: number;
  confirmed_challenger: number;
  confirmed_champion: number;
  wanted: number;
  is_held: boolean;
  held_until?: string;
}
export interface CanaryGroup {
  series?: number;
  opened: number;
  confirmed: number;
  said_true: number;
  said_false: number;
}
export interface Canary {
  is_on: boolean;
  model: string;
  share: number;
  since?: string;
  canary?: CanaryGroup;
  others?: CanaryGroup;
}
export interface Model {
  hash: string;
  name: string;
  role: 'champion' | 'challenger' | '';
  size: number;
  created: string;
  card: Record<string, unknown>;
  evidence?: Evidence[];
}

export interface AnswerRequest {
  verdict: Verdict;
  confidence?: number;
  reason?: string;
  scope?: Scope;
  until?: string | null;
}

/** What went wrong, in words that can be shown. status 0: the service did not answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const TOKEN_KEY = 'tocsin-token';
type Listener = () => void;

/** The token of this tab, and who is to be told that one is asked for. */
export const session = {
  token: readToken(),
  refused: false,
  listeners: new Set<Listener>(),
  set(token: string): void {
    this.token = token;
    this.refused = false;
    try {
      sessionStorage.setItem(TOKEN_KEY, token);
    } catch {
      // storage is forbidden here: kept until the page is closed
    }
    this.tell();
  },
  refuse(): void {
    if (this.refused) return;
    this.refused = true;
    this.tell();
  },
  tell(): void {
    for (const listener of this.listeners) listener();
  },
};

function readToken(): string {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? '';
  } catch {
    return '';
  }
}

export function headers(more: Record<string, string> = {}): Record<string, string> {
  return session.token ? { Authorization: `Bearer ${session.token}`, ...more } : more;
}

async function problemOf(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { detail?: string; title?: string };
    return problem.detail ?? problem.title ?? response.statusText;
  } catch {
    return response.statusText || `status ${response.status}`;
  }
}

/** The document at a path; an ApiError otherwise. Statuses in `fine` are answers as well. */
export async function ask<T>(path: string, options: RequestInit = {}, fine: readonly number[] = []): Promise<T> {
  let response: Response;
  const body = options.body === undefined ? {} : { 'Content-Type': 'application/json' };
  try {
    response = await fetch(path, { ...options, headers: headers(body) });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'the service does not answer; is it running, and can this host reach it?');
  }
  if (response.status === 401) session.refuse();
  if (!response.ok && !fine.includes(response.status)) throw new ApiError(response.status, await problemOf(response));
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export const send = <T>(method: 'POST' | 'DELETE', path: string, document?: unknown): Promise<T> =>
  ask<T>(path, document === undefined ? { method } : { method, body: JSON.stringify(document) });

export const paths = {
  status: '/api/v1/status',
  ready: '/readyz',
  openapi: '/api/v1/openapi.json',
  episodes: (query: Record<string, string>): string => `/api/v1/episodes?${new URLSearchParams(query).toString()}`,
  episode: (id: string): string => `/api/v1/episodes/${encodeURIComponent(id)}`,
  series: (query: Record<string, string>): string => `/api/v1/series?${new URLSearchParams(query).toString()}`,
  oneSeries: (number: number | string): string => `/api/v1/series/${number}`,
  history: (number: number | string, from: number, to: number, points: number): string =>
    `/api/v1/series/${number}/history?${new URLSearchParams({
      from: new Date(from * 1000).toISOString(),
      to: new Date(to * 1000).toISOString(),
      points: String(points),
    }).toString()}`,
};

export const history = (
  number: number,
  from: number,
  to: number,
  points: number,
  signal?: AbortSignal,
): Promise<HistoryDocument> => ask<HistoryDocument>(paths.history(number, from, to, points), signal ? { signal } : {});

/** What this service can be asked, as "GET /api/v1/series" and "GET /api/v1/series?match": from its own description, so that a view that it
 * cannot fill is not offered. */
export type Abilities = ReadonlySet<string>;

export interface OpenApi {
  paths: Record<string, Record<string, { parameters?: { name: string; in: string }[] }>>;
}

export function readAbilities(document: OpenApi): Abilities {
  const found = new Set<string>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = `${method.toUpperCase()} ${path}`;
      found.add(name);
      for (const parameter of operation.parameters ?? []) if (parameter.in === 'query') found.add(`${name}?${parameter.name}`);
    }
  }
  return found;
}

export async function abilities(): Promise<Abilities> {
  return readAbilities(await ask<OpenApi>(paths.openapi));
}
