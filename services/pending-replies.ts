/** @module The replies that one thread expects of another. */

/** Promises of replies, by the number of the message that each one replies to. */
export class PendingReplies<Reply> {
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #number = 0;
  /** Stands for every reply once the other thread has ended. */
  #last: { readonly reply: Reply } | undefined;

  /** Calls `send` with a new number, and waits for the reply to that number. @throws what `send` throws. */
  expect(send: (number: number) => void): Promise<Reply> {
    if (this.#last !== undefined) return Promise.resolve(this.#last.reply);
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, resolve);
      try {
        send(number);
      } catch (error) {
        this.#waiting.delete(number);
        reject(error);
      }
    });
  }

  settle(number: number, reply: Reply): void {
    this.#waiting.get(number)?.(reply);
    this.#waiting.delete(number);
  }

  /** The other thread has ended: `reply` is the reply to every message that has none, now and later. */
  end(reply: Reply): void {
    this.#last = { reply };
    for (const number of [...this.#waiting.keys()]) this.settle(number, reply);
  }
}
