// Server-sent events by fetch, because EventSource cannot send the header that a token goes into.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
import { headers, session } from './api';

export interface ServerEvent {
  name: string;
  data: string;
  id: string;
}

/** Text in pieces to events; pieces may end anywhere. */
export class EventParser {
  private rest = '';
  private name = '';
  private data: string[] = [];
  lastId = '';

  push(piece: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = this.line(line);
      if (event) found.push(event);
    }
    return found;
  }

  private line(line: string): ServerEvent | null {
    if (line === '') {
      const event = { name: this.name || 'message', data: this.data.join('\n'), id: this.lastId };
      const isEmpty = this.data.length === 0;
      this.name = '';
      this.data = [];
      return isEmpty ? null : event;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.name = value;
    else if (field === 'id' && !value.includes('\0')) this.lastId = value;
    return null;
  }
}

export type Connection = 'connecting' | 'live' | 'broken';

export interface Listening {
  onEvent: (event: ServerEvent) => void;
  onState: (state: Connection) => void;
}

export const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15000];
/** The service says something every 15 s, a comment if nothing else: twice that in silence is a dead connection. */
const SILENCE_MS = 35000;

async function read(
  path: string,
  lastId: string,
  listening: Listening,
  parser: EventParser,
  signal: AbortController,
): Promise<void> {
  const response = await fetch(path, {
    headers: headers({ Accept: 'text/event-stream', ...(lastId ? { 'Last-Event-ID': lastId } : {}) }),
    signal: signal.signal,
    cache: 'no-store',
  });
  if (response.status === 401) session.refuse();
  if (!response.ok || !response.body) throw new Error(`events: status ${response.status}`);
  listening.onState('live');
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let watch = 0;
  for (;;) {
    clearTimeout(watch);
    watch = window.setTimeout(() => {
      signal.abort();
    }, SILENCE_MS);
    const { done, value } = await reader.read().finally(() => {
      clearTimeout(watch);
    });
    if (done) return;
    for (const event of parser.push(value)) listening.onEvent(event);
  }
}

/** Listens until the function that is returned is called; a connection that breaks is made again, after longer and longer waits. */
export function listen(path: string, listening: Listening): () => void {
  let isOver = false;
  let current = new AbortController();
  let lastId = '';
  const run = async (): Promise<void> => {
    for (let failures = 0; !isOver;) {
      listening.onState(failures === 0 ? 'connecting' : 'broken');
      const parser = new EventParser();
      const begun = Date.now();
      current = new AbortController();
      try {
        await read(path, lastId, listening, parser, current);
      } catch {
        // as when it ends: it is tried again
      }
      lastId = parser.lastId || lastId;
      failures = Date.now() - begun > 60000 ? 1 : failures + 1;
      if (isOver) return;
      listening.onState('broken');
      await new Promise((done) => {
        setTimeout(done, WAITS_MS[Math.min(failures - 1, WAITS_MS.length - 1)]);
      });
    }
  };
  void run();
  return () => {
    isOver = true;
    current.abort();
  };
}
