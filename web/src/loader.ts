// Brings the history that a timeline shows: what is asked for is wider than what is seen, so that a little movement needs no request, and
// when a finer view has come to rest the finer history is asked for.  Two blocks are kept: the widest, and the one asked for last.
import { history } from './api';
import { makeBlock, type Block, type HistoryDocument } from './pyramid';
import type { Span } from './time';
import type { Timeline } from './timeline';

export const POINTS = 3000;
/** Share of the span that is asked for beyond each of its ends. */
const MARGIN = 0.5;

export interface Loaded {
  coarse: Block | null;
  fine: Block | null;
}

interface Held {
  asked: Span;
  block: Block;
}

/** Whether what is held shows a span: all of it, and nearly as fine as it could be asked for. */
export function covers(held: { asked: Span; block: { step: number } } | null, span: Span, points = POINTS): boolean {
  if (!held || span.from < held.asked.from || span.to > held.asked.to) return false;
  const finest = ((span.to - span.from) * (1 + 2 * MARGIN)) / points;
  return held.block.step <= finest * 3 || held.block.step <= 1;
}

export class HistoryLoader {
  private wide: Held | null = null;
  private latest: Held | null = null;
  private controller: AbortController | null = null;
  private readonly stop: () => void;

  constructor(
    private readonly number: number,
    private readonly timeline: Timeline,
    private readonly onLoaded: (loaded: Loaded) => void,
    private readonly onError: (error: Error | null) => void,
  ) {
    this.stop = timeline.subscribe((isSettled) => {
      if (isSettled) this.load(false);
    });
    this.load(true);
  }

  destroy(): void {
    this.stop();
    this.controller?.abort();
  }

  /** anew: there may be more of what is held. */
  load(anew: boolean): void {
    const { span } = this.timeline;
    if (!anew && (covers(this.latest, span) || covers(this.wide, span))) return;
    const margin = (span.to - span.from) * MARGIN;
    const asked = { from: span.from - margin, to: span.to + margin };
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    history(this.number, asked.from, asked.to, POINTS, controller.signal).then(
      (document) => {
        if (!controller.signal.aborted) this.take(asked, document);
      },
      (error: unknown) => {
        if (!controller.signal.aborted) this.onError(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  private take(asked: Span, document: HistoryDocument): void {
    const held = { asked, block: makeBlock(document) };
    const isWider = !this.wide || asked.to - asked.from >= (this.wide.asked.to - this.wide.asked.from) * 0.99;
    if (isWider) this.wide = held;
    this.latest = held;
    this.onError(null);
    this.onLoaded({ coarse: this.wide?.block ?? null, fine: isWider ? null : held.block });
  }
}
