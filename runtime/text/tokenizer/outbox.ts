/** @module Messages of one turn, which are sent together: each message costs both threads about as much as a short text. */

import type { MessagePort } from 'node:worker_threads';

/** Sends lists of messages. */
export class Outbox<Message> {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  #messages: Message[] = [];
  #moved: ArrayBuffer[] = [];

  constructor(port: Pick<MessagePort, 'postMessage'>) {
    this.#port = port;
  }

  /** Sends a message at the end of the turn. @param moved What of it is moved instead of copied. */
  post(message: Message, moved: readonly ArrayBuffer[] = []): void {
    if (this.#messages.length === 0) queueMicrotask(() => this.#send());
    this.#messages.push(message);
    this.#moved.push(...moved);
  }

  #send(): void {
    const messages = this.#messages;
    const moved = this.#moved;
    this.#messages = [];
    this.#moved = [];
    this.#port.postMessage(messages, moved);
  }
}
