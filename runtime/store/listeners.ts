/** @module The listeners of notifications, by channel. */

export type Listener = (payload: string) => void;

interface Channel {
  readonly listeners: Set<Listener>;
  /** Settles when notifications begin to arrive, or cannot. */
  readonly subscribed: Promise<unknown>;
}

export class Listeners {
  /** A channel stays when its last listener has ended, because there are few of them, and another one may follow. */
  readonly #channels = new Map<string, Channel>();

  channels(): readonly string[] {
    return [...this.#channels.keys()];
  }

  /**
   * Adds a listener, when notifications of its channel arrive.
   *
   * @param subscribe Makes them arrive. Called for the first listener of a channel, for which the others wait.
   * @returns a function that removes the listener
   * @throws what `subscribe` throws
   */
  async add(
    channel: string,
    listener: Listener,
    subscribe: () => Promise<unknown>,
  ): Promise<() => void> {
    const present = this.#channels.get(channel);
    const known = present ?? { listeners: new Set(), subscribed: subscribe() };
    this.#channels.set(channel, known);
    // Each call is a registration of its own, also of a function that listens already.
    const own: Listener = (payload) => listener(payload);
    known.listeners.add(own);
    try {
      await known.subscribed;
    } catch (error) {
      if (this.#channels.get(channel) === known) this.#channels.delete(channel);
      throw error;
    }
    return () => void known.listeners.delete(own);
  }

  notify(channel: string, payload: string): void {
    for (const listener of [...(this.#channels.get(channel)?.listeners ?? [])]) listener(payload);
  }

  /** Tells every listener that notifications may have been lost. */
  notifyGap(): void {
    for (const channel of this.channels()) this.notify(channel, '');
  }
}
