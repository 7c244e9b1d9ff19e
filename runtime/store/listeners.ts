/** @module The listeners of notifications, by channel. */

export type Listener = (payload: string) => void;

export class Listeners {
  readonly #channels = new Map<string, Set<Listener>>();

  channels(): readonly string[] {
    return [...this.#channels.keys()];
  }

  /** Returns whether the channel had no listener, and a function that removes this one and returns whether it was the last. */
  add(
    channel: string,
    listener: Listener,
  ): { readonly first: boolean; readonly remove: () => boolean } {
    const known = this.#channels.get(channel);
    const listeners = known ?? new Set();
    // Each call is a registration of its own, also of a function that listens already.
    const own: Listener = (payload) => listener(payload);
    listeners.add(own);
    this.#channels.set(channel, listeners);
    const remove = () => {
      if (!listeners.delete(own) || listeners.size > 0) return false;
      return this.#channels.delete(channel);
    };
    return { first: known === undefined, remove };
  }

  notify(channel: string, payload: string): void {
    for (const listener of [...(this.#channels.get(channel) ?? [])]) listener(payload);
  }

  /** Tells every listener that notifications may have been lost. */
  notifyGap(): void {
    for (const channel of this.channels()) this.notify(channel, '');
  }
}
