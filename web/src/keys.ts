// Keys for everything: a view states what its keys do while it is shown; the help is made of the same statements.
import { useLayoutEffect, useRef } from 'preact/hooks';

export interface Binding {
  help: string;
  act: (event: KeyboardEvent) => void;
}
/** "j", "?", "Escape", or two in a row: "g n". */
export type Bindings = Record<string, Binding>;

const layers: { current: Bindings }[] = [];
const SEQUENCE_MS = 1500;

/** They work as soon as the view is seen: whoever is quick presses the next key before the next frame. */
export function useKeys(bindings: Bindings): void {
  const layer = useRef(bindings);
  layer.current = bindings;
  useLayoutEffect(() => {
    layers.push(layer);
    return () => {
      layers.splice(layers.indexOf(layer), 1);
    };
  }, []);
}

/** All keys that work now, those of the innermost view first. */
export function bindingsNow(): [string, string][] {
  const seen = new Map<string, string>();
  for (const layer of [...layers].reverse())
    for (const [keys, binding] of Object.entries(layer.current)) if (!seen.has(keys)) seen.set(keys, binding.help);
  return [...seen];
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** What is pressed, behind a first key that waits for a second one. */
export class Sequence {
  private first = '';
  private at = 0;

  /** now: when it was pressed, in ms, which on a busy page is long before it is heard of. */
  next(key: string, now: number, isPrefix: (key: string) => boolean): string {
    const keys = this.first && now - this.at < SEQUENCE_MS ? `${this.first} ${key}` : key;
    this.first = keys === key && isPrefix(key) ? key : '';
    this.at = now;
    return keys;
  }
}

const sequence = new Sequence();

function find(keys: string): Binding | undefined {
  for (const layer of [...layers].reverse()) if (layer.current[keys]) return layer.current[keys];
  return undefined;
}

export function installKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isTyping(event.target) && event.key !== 'Escape') return;
    if (document.querySelector('dialog[open]')) return; // a dialog has its own
    const keys = sequence.next(event.key, event.timeStamp, (key) => bindingsNow().some(([known]) => known.startsWith(`${key} `)));
    const binding = find(keys) ?? (keys === event.key ? undefined : find(event.key));
    if (!binding) return;
    event.preventDefault();
    binding.act(event);
  });
}
