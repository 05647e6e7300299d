// Timelines for views: made once for what an address says, moved on while time passes, written back when they have come to rest.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { now } from './live';
import { rewrite } from './place';
import { formatTime, type Span } from './time';
import { Timeline } from './timeline';

const FOLLOW_S = 10;
const PAST_S = 5 * 366 * 86400;

export interface Following {
  timeline: Timeline;
  turn: number;
}

/** key: what the timeline is of; another key makes another one.  follows: it ends now, and goes on. */
export function useTimeline(key: string, home: () => Span, follows: boolean, shared: boolean): Following {
  const timeline = useMemo(() => {
    const span = home();
    return new Timeline(span, { from: span.from - PAST_S, to: Math.max(span.to, now.get() + (span.to - span.from) * 0.05) });
  }, [key]);
  const [turn, next] = useState(0);
  useEffect(
    () => () => {
      timeline.destroy();
    },
    [timeline],
  );
  useEffect(() => {
    if (!follows) return undefined;
    const timer = setInterval(() => {
      if (document.hidden) return;
      timeline.follow(now.get());
      next((n) => n + 1);
    }, FOLLOW_S * 1000);
    return () => {
      clearInterval(timer);
    };
  }, [timeline, follows]);
  useEffect(() => {
    if (!shared) return undefined;
    return timeline.subscribe((isSettled) => {
      if (isSettled)
        rewrite((params) => {
          writeZoom(params, timeline);
        });
    });
  }, [timeline, shared]);
  return { timeline, turn };
}

function writeZoom(params: URLSearchParams, timeline: Timeline): void {
  if (timeline.isHome()) {
    params.delete('zoom');
    return;
  }
  params.set('zoom', `${formatTime(Math.round(timeline.span.from))}~${formatTime(Math.round(timeline.span.to))}`);
}

export function readZoom(params: URLSearchParams): Span | null {
  const [from, to] = (params.get('zoom') ?? '').split('~').map((text) => Date.parse(text) / 1000);
  return from !== undefined && to !== undefined && from < to ? { from, to } : null;
}
