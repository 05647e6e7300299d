// The span of time that several charts show together, and the ways to move it.
import { clampSpan, pan, zoom, type Span } from './time';

export class Timeline {
  private listeners = new Set<(isSettled: boolean) => void>();
  private timer = 0;
  private frame = 0;
  span: Span;

  /** home: what is shown first, and after reset; bounds: as far as it can be moved; shortest: as far as it can be zoomed, in seconds. */
  constructor(
    public home: Span,
    public bounds: Span,
    private readonly shortest = 5,
  ) {
    this.span = { ...home };
  }

  /** Listeners are called once a frame while it moves, and once more, settled, when it has come to rest. */
  subscribe(listener: (isSettled: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(span: Span): void {
    this.span = clampSpan(span, this.bounds, this.shortest);
    if (!this.frame)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.tell(false);
      });
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.tell(true);
    }, 180);
  }

  zoom(factor: number, around = (this.span.from + this.span.to) / 2): void {
    this.set(zoom(this.span, factor, around));
  }

  pan(share: number): void {
    this.set(pan(this.span, share));
  }

  reset(): void {
    this.set(this.home);
  }

  isHome(): boolean {
    return this.span.from === this.home.from && this.span.to === this.home.to;
  }

  /** Time goes on: home ends at `now`, and so does what is shown, if it ended where home did. */
  follow(now: number): void {
    const passed = now - this.home.to;
    const isAtEnd = Math.abs(this.span.to - this.home.to) < (this.span.to - this.span.from) * 0.02;
    this.home = { from: this.home.from + passed, to: now };
    this.bounds = { from: this.bounds.from, to: Math.max(this.bounds.to, now) };
    if (isAtEnd) this.set({ from: this.span.from + passed, to: this.span.to + passed });
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.listeners.clear();
  }

  private tell(isSettled: boolean): void {
    for (const listener of [...this.listeners]) listener(isSettled);
  }
}
