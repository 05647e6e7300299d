// A value that changes, and components that follow it.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export class Store<T> {
  private listeners = new Set<() => void>();

  constructor(private value: T) {}

  get(): T {
    return this.value;
  }

  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const listener of [...this.listeners]) listener();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.value));
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [, turn] = useState(0);
  const value = store.get();
  // Before anything else happens: an ordinary effect waits for the next frame, and what changes until then would not be heard.
  useLayoutEffect(() => {
    const changed = (): void => {
      turn((n) => n + 1);
    };
    if (!Object.is(store.get(), value)) changed();
    return store.subscribe(changed);
  }, [store]);
  return value;
}

export interface Asked<T> {
  data: T | null;
  error: Error | null;
  again: () => void;
}

/** Asks anew whenever the key changes, and every `seconds` while the page is in sight; what was there stays until the new is. */
export function useAsk<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>, seconds = 0): Asked<T> {
  const [state, set] = useState<{ key: string | null; data: T | null; error: Error | null }>({
    key: null,
    data: null,
    error: null,
  });
  const [turn, again] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (key === null) return undefined;
    const controller = new AbortController();
    latest.current(controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) set({ key, data, error: null });
      },
      (error: unknown) => {
        if (!controller.signal.aborted)
          set((old) => ({
            key,
            data: old.key === key ? old.data : null,
            error: error instanceof Error ? error : new Error(String(error)),
          }));
      },
    );
    return () => {
      controller.abort();
    };
  }, [key, turn]);
  useEffect(() => {
    if (!seconds || key === null) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) again((n) => n + 1);
    }, seconds * 1000);
    return () => {
      clearInterval(timer);
    };
  }, [key, seconds]);
  const isCurrent = state.key === key;
  return {
    data: isCurrent ? state.data : null,
    error: isCurrent ? state.error : null,
    again: () => {
      again((n) => n + 1);
    },
  };
}
