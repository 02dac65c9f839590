/**
 * Signals: values that tell their readers when they change. An effect re-runs when a signal it read was set to a
 * different value; `batch` delays effects until its end, so that several sets cause one run.
 */

/** @typedef {{run: () => void, sources: Set<Set<Effect>>}} Effect */
/**
 * @template T
 * @typedef {{value: T, readonly peek: () => T, update: (change: (value: T) => T) => void}} Signal
 */

/** @type {{active: Effect | null, depth: number, pending: Set<Effect>}} */
const scheduler = { active: null, depth: 0, pending: new Set() };

function flush() {
  while (scheduler.pending.size > 0) {
    const [next] = scheduler.pending;
    scheduler.pending.delete(next);
    next.run();
  }
}

/**
 * @template T
 * @param {T} initial
 * @returns {Signal<T>}
 */
export function signal(initial) {
  let current = initial;
  /** @type {Set<Effect>} */
  const readers = new Set();
  return {
    get value() {
      if (scheduler.active) {
        readers.add(scheduler.active);
        scheduler.active.sources.add(readers);
      }
      return current;
    },
    set value(next) {
      if (Object.is(next, current)) return;
      current = next;
      for (const reader of readers) scheduler.pending.add(reader);
      if (scheduler.depth === 0) flush();
    },
    peek: () => current,
    update(change) {
      this.value = change(current);
    },
  };
}

/**
 * Run `body` now and again whenever a signal it read changes. Returns the function that stops it.
 * @param {() => void} body
 */
export function effect(body) {
  const detach = () => {
    for (const readers of self.sources) readers.delete(self);
    self.sources.clear();
  };
  /** @type {Effect} */
  const self = {
    sources: new Set(),
    run() {
      detach();
      const outer = scheduler.active;
      scheduler.active = self;
      try {
        body();
      } finally {
        scheduler.active = outer;
      }
    },
  };
  self.run();
  return () => {
    detach();
    scheduler.pending.delete(self);
  };
}

/**
 * A read-only signal derived from others.
 * @template T
 * @param {() => T} derive
 * @returns {{readonly value: T, readonly peek: () => T}}
 */
export function computed(derive) {
  const result = signal(/** @type {T} */ (undefined));
  effect(() => {
    result.value = derive();
  });
  return result;
}

/**
 * @template T
 * @param {() => T} body
 * @returns {T}
 */
export function batch(body) {
  scheduler.depth += 1;
  try {
    return body();
  } finally {
    scheduler.depth -= 1;
    if (scheduler.depth === 0) flush();
  }
}
