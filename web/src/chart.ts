// uPlot behind one door: a chart of one series, or of its scores, over a timeline that it shares with others.
//
//   values: a line, the least and the greatest of each bucket behind it, the band of what was expected, what was expected itself, and the
//           limits that are set, where they are in sight
//   scores: a line, and the limit
//   watched figures: as values, with their bound in the place of what was expected
//
// What is drawn is never more than the chart has pixels (pyramid.ts), so that a million points move as a thousand do.  Wheel, drag, two
// fingers and keys move the timeline; the charts follow it in the next frame.
import uPlot from 'uplot';
import { emptySlice, sliceOf, type Block, type Slice } from './pyramid';
import type { Timeline } from './timeline';

export interface Shade {
  from: number;
  to: number;
  label: string;
  isChosen?: boolean;
}

/** How much a stretch of time carries of something: 0 to 1. */
export interface Heat {
  from: number;
  to: number;
  strength: number;
}

export interface ChartOptions {
  timeline: Timeline;
  kind: 'value' | 'score' | 'watched';
  height: number;
  unit: string;
  color?: number; // of the palette; 0: the usual one
  limit?: number; // of scores
  axisText?: (value: number) => string; // how ticks are written
  onCursor?: (reading: Reading | null) => void;
}

export interface Reading {
  time: number;
  value: number | null;
  low: number | null;
  high: number | null;
  expected: number | null;
  lower: number | null;
  upper: number | null;
  score: number | null;
}

const SYNC = 'tocsin';
const dark = matchMedia('(prefers-color-scheme: dark)');
let colors: CSSStyleDeclaration | null = null;
dark.addEventListener('change', () => {
  colors = null;
});

function color(name: string): string {
  colors ??= getComputedStyle(document.documentElement);
  return colors.getPropertyValue(name).trim();
}

const DATA_COLORS = ['--data', '--data-2', '--data-3', '--data-4'];

/** The range of an axis around what is shown: some air, and never a range of nothing. */
export function axisRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const size = high - low;
  const air = size > 0 ? size * 0.08 : Math.max(Math.abs(high) * 0.05, 1e-9);
  return [low - air, high + air];
}

function axisNumber(value: number): string {
  return value.toLocaleString('en', { notation: Math.abs(value) >= 1e5 ? 'compact' : 'standard', maximumSignificantDigits: 6 });
}

/** Step in seconds, then how a tick is written, and what is put below it where the year or the day changes: 24 hours, ISO dates. */
const DAY_BELOW = '\n{YYYY}-{MM}-{DD}';
const TIME_TICKS: (string | number | null)[][] = [
  [86400 * 365, '{YYYY}', null, null, null, null, null, null, 1],
  [86400 * 28, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [86400, '{MMM} {D}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', DAY_BELOW, null, DAY_BELOW, null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', DAY_BELOW, null, DAY_BELOW, null, null, null, 1],
  [0.001, '{ss}.{fff}', DAY_BELOW, null, DAY_BELOW, null, '\n{HH}:{mm}', null, 1],
];

export class Chart {
  private readonly plot: uPlot;
  private slice: Slice = emptySlice();
  private coarse: Block | null = null;
  private fine: Block | null = null;
  private shades: readonly Shade[] = [];
  private heat: readonly Heat[] = [];
  private limits: readonly number[] = [];
  private readonly stop: (() => void)[] = [];

  constructor(
    private readonly host: HTMLElement,
    private readonly options: ChartOptions,
  ) {
    this.plot = new uPlot(this.makeOptions(), this.data(), host);
    const follow = options.timeline.subscribe((isSettled) => {
      if (!isSettled) this.draw();
    });
    const resized = new ResizeObserver(() => {
      this.resize();
    });
    const repaint = (): void => {
      colors = null;
      this.plot.redraw(false, true);
    };
    resized.observe(host);
    dark.addEventListener('change', repaint);
    this.stop.push(
      follow,
      () => {
        resized.disconnect();
      },
      () => {
        dark.removeEventListener('change', repaint);
      },
    );
    this.listen();
  }

  setBlocks(coarse: Block | null, fine: Block | null): void {
    this.coarse = coarse;
    this.fine = fine;
    this.draw();
  }

  setShades(shades: readonly Shade[]): void {
    this.shades = shades;
    this.plot.redraw(false, false);
  }

  setLimits(limits: readonly number[]): void {
    this.limits = limits;
    this.plot.redraw(false, false);
  }

  setHeat(heat: readonly Heat[]): void {
    this.heat = heat;
    this.plot.redraw(false, false);
  }

  destroy(): void {
    for (const stop of this.stop) stop();
    this.plot.destroy();
  }

  /** What is on the screen, for the table beside it. */
  shown(): Slice {
    return this.slice;
  }

  private draw(): void {
    const { from, to } = this.options.timeline.span;
    this.slice = sliceOf(this.coarse, this.fine, from, to, Math.max(200, this.plot.width));
    this.plot.batch(() => {
      this.plot.setData(this.data(), false);
      this.plot.setScale('x', { min: from, max: to });
    });
  }

  private data(): uPlot.AlignedData {
    const s = this.slice;
    return this.options.kind === 'score' ? [s.time, s.score] : [s.time, s.upper, s.lower, s.expected, s.high, s.low, s.value];
  }

  private resize(): void {
    const width = this.host.clientWidth;
    if (width > 0 && width !== this.plot.width) {
      this.plot.setSize({ width, height: this.options.height });
      this.draw();
    }
  }

  private makeOptions(): uPlot.Options {
    const { kind, height, timeline } = this.options;
    const line = DATA_COLORS[this.options.color ?? 0] ?? '--data';
    const edge: Partial<uPlot.Series> = { points: { show: false }, width: 0.75, stroke: () => color(`${line}-edge`) };
    const none: Partial<uPlot.Series> = { points: { show: false }, width: 0 };
    const series: uPlot.Series[] =
      kind === 'score'
        ? [{}, { stroke: () => color('--score'), width: 1.25, points: { show: false } }]
        : [
            {},
            { ...none },
            { ...none },
            {
              stroke: () => color(kind === 'watched' ? '--alarm' : '--expected'),
              width: 1,
              dash: [5, 4],
              points: { show: (_, __, first, last) => kind === 'watched' && last === first, size: 4 }, // one alone is no line
            },
            { ...edge },
            { ...edge },
            { stroke: () => color(line), width: 1.5, points: { show: (_, __, first, last) => last - first < 60, size: 4 } },
          ];
    const bands: uPlot.Band[] =
      kind === 'score'
        ? []
        : [
            { series: [1, 2], fill: () => color('--band') },
            { series: [4, 5], fill: () => color(`${line}-soft`) },
          ];
    const axis: uPlot.Axis = {
      stroke: () => color('--soft'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: () => color('--grid'), width: 1 },
      ticks: { stroke: () => color('--line'), width: 1, size: 4 },
    };
    return {
      width: Math.max(this.host.clientWidth, 50),
      height,
      series,
      bands,
      scales: {
        x: { time: true, auto: false, min: timeline.span.from, max: timeline.span.to },
        y: { range: (_, low, high) => this.yRange(low, high) },
      },
      axes: [
        { ...axis, space: 70, values: TIME_TICKS, ...(this.isLow() ? { show: false, size: 0 } : {}) },
        {
          ...axis,
          size: 62,
          space: this.isLow() ? 18 : 30,
          values: (_, values) => values.map(this.options.axisText ?? axisNumber),
        },
      ],
      padding: [8, 26, this.isLow() ? 7 : 0, 0], // the same for all, so that one moment is at one place
      legend: { show: false },
      cursor: {
        sync: { key: SYNC, setSeries: false, scales: ['x', null] },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 },
      },
      hooks: {
        drawClear: [
          (plot) => {
            this.drawShades(plot);
            this.drawHeat(plot);
          },
        ],
        draw: [
          (plot) => {
            for (const limit of this.limits) this.drawLimit(plot, limit);
            if (this.options.kind === 'score' && this.options.limit) this.drawLimit(plot, this.options.limit);
          },
        ],
        setSelect: [
          (plot) => {
            this.zoomToSelection(plot);
          },
        ],
        setCursor: [
          (plot) => {
            this.readCursor(plot);
          },
        ],
      },
    };
  }

  /** Too low for an axis of its own: it stands below a chart that has one. */
  private isLow(): boolean {
    return this.options.height < 120;
  }

  private yRange(low: number | null, high: number | null): [number, number] {
    if (this.options.kind === 'value') return axisRange(low, high);
    return [0, Math.max((high ?? 1) * 1.1, (this.options.limit ?? 0) * 1.2, 1e-9)];
  }

  private zoomToSelection(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) return;
    const from = plot.posToVal(left, 'x');
    const to = plot.posToVal(left + width, 'x');
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.options.timeline.set({ from, to });
  }

  private readCursor(plot: uPlot): void {
    const index = plot.cursor.idx;
    const s = this.slice;
    const time = index === null || index === undefined ? undefined : s.time[index];
    if (time === undefined || index === null || index === undefined) {
      this.options.onCursor?.(null);
      return;
    }
    const at = (track: keyof Slice): number | null => s[track][index] ?? null;
    this.options.onCursor?.({
      time,
      value: at('value'),
      low: at('low'),
      high: at('high'),
      expected: at('expected'),
      lower: at('lower'),
      upper: at('upper'),
      score: at('score'),
    });
  }

  /** Episodes: a wash of colour, and an edge above it, which is seen without colours as well. */
  private drawShades(plot: uPlot): void {
    const { ctx, bbox } = plot;
    for (const shade of this.shades) {
      const x0 = Math.max(plot.valToPos(shade.from, 'x', true), bbox.left);
      const x1 = Math.min(Math.max(plot.valToPos(shade.to, 'x', true), x0 + 2 * devicePixelRatio), bbox.left + bbox.width);
      if (x1 <= bbox.left || x0 >= bbox.left + bbox.width) continue;
      ctx.save();
      ctx.fillStyle = color(shade.isChosen === false ? '--alarm-soft' : '--alarm-chosen');
      ctx.fillRect(x0, bbox.top, x1 - x0, bbox.height);
      ctx.fillStyle = color('--alarm');
      ctx.fillRect(x0, bbox.top, x1 - x0, 3 * devicePixelRatio);
      ctx.restore();
    }
  }

  /** A strip at the bottom, as strong as what a moment carries. */
  private drawHeat(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const height = 9 * devicePixelRatio;
    ctx.save();
    ctx.fillStyle = color('--alarm');
    for (const cell of this.heat) {
      const x0 = Math.max(plot.valToPos(cell.from, 'x', true), bbox.left);
      const x1 = Math.min(Math.max(plot.valToPos(cell.to, 'x', true), x0 + devicePixelRatio), bbox.left + bbox.width);
      if (x1 <= bbox.left || x0 >= bbox.left + bbox.width) continue;
      ctx.globalAlpha = cell.strength;
      ctx.fillRect(x0, bbox.top + bbox.height - height, x1 - x0, height);
    }
    ctx.restore();
  }

  private drawLimit(plot: uPlot, limit: number): void {
    const { ctx, bbox } = plot;
    const y = plot.valToPos(limit, 'y', true);
    if (y < bbox.top || y > bbox.top + bbox.height) return;
    ctx.save();
    ctx.strokeStyle = color('--alarm');
    ctx.setLineDash([6, 4]);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  // ---- wheel, fingers, keys ----

  private listen(): void {
    const over = this.plot.over;
    const { timeline } = this.options;
    const timeAt = (clientX: number): number => this.plot.posToVal(clientX - over.getBoundingClientRect().left, 'x');
    over.addEventListener(
      'wheel',
      (event) => {
        event.preventDefault();
        const unit = event.deltaMode === 1 ? 30 : 1;
        const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (isSideways) timeline.pan(((event.deltaX || event.deltaY) * unit) / Math.max(over.clientWidth, 1));
        else timeline.zoom(Math.exp(Math.max(-0.5, Math.min(0.5, event.deltaY * unit * 0.0016))), timeAt(event.clientX));
      },
      { passive: false },
    );
    over.addEventListener('dblclick', () => {
      timeline.reset();
    });
    this.listenToFingers(over, timeAt);
    this.host.parentElement?.addEventListener('keydown', (event) => {
      if (this.options.kind === 'score') return; // the chart of values has done it
      const act = KEYS[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      act(timeline);
    });
  }

  private listenToFingers(over: HTMLElement, timeAt: (x: number) => number): void {
    const { timeline } = this.options;
    const fingers = new Map<number, number>();
    const middle = (): number => [...fingers.values()].reduce((sum, x) => sum + x, 0) / fingers.size;
    const spread = (): number => {
      const [a = 0, b = 0] = [...fingers.values()];
      return Math.max(Math.abs(a - b), 10);
    };
    over.addEventListener('pointerdown', (event) => {
      if (event.pointerType === 'mouse') return;
      over.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
    });
    over.addEventListener('pointermove', (event) => {
      if (!fingers.has(event.pointerId)) return;
      const before = { middle: middle(), spread: spread() };
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 2) timeline.zoom(before.spread / spread(), timeAt(middle()));
      timeline.pan((before.middle - middle()) / Math.max(over.clientWidth, 1));
    });
    const lift = (event: PointerEvent): void => {
      fingers.delete(event.pointerId);
    };
    over.addEventListener('pointerup', lift);
    over.addEventListener('pointercancel', lift);
  }
}

const KEYS: Record<string, (timeline: Timeline) => void> = {
  ArrowLeft: (timeline) => {
    timeline.pan(-0.2);
  },
  ArrowRight: (timeline) => {
    timeline.pan(0.2);
  },
  '+': (timeline) => {
    timeline.zoom(0.6);
  },
  '=': (timeline) => {
    timeline.zoom(0.6);
  },
  '-': (timeline) => {
    timeline.zoom(1 / 0.6);
  },
  0: (timeline) => {
    timeline.reset();
  },
  Home: (timeline) => {
    timeline.set({ from: timeline.bounds.from, to: timeline.bounds.from + timeline.span.to - timeline.span.from });
  },
  End: (timeline) => {
    timeline.set({ from: timeline.bounds.to - (timeline.span.to - timeline.span.from), to: timeline.bounds.to });
  },
};
