/** @module One ModelStreamInfer call. Its requests run concurrently, and their responses keep the order of the requests. */

import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ServeError } from '../../../runtime/index.ts';
import { toStatus } from './status.ts';

/**
 * Reads requests until the client half-closes the call or `finish` is called, writes a response to each of them, and
 * ends the call. At most `most` requests wait for their responses to be written. If a client sends more, or reads
 * slowly, no further requests are read meanwhile.
 */
export class ResponseStream<Request, Response> {
  readonly #call: ServerDuplexStream<Request, Response>;
  readonly #respond: (request: Request) => Promise<Response>;
  readonly #most: number;
  /** The responses in the order of their requests. The first one is written next, or is being written. */
  readonly #responses: Promise<Response>[] = [];
  #status: ServeError | 'OK' | undefined;
  #closed = false;
  /** Continues the writing after a write that filled the buffer of the call. */
  #proceed: (() => void) | undefined;

  /** @param respond Never rejects. */
  constructor(
    call: ServerDuplexStream<Request, Response>,
    most: number,
    respond: (request: Request) => Promise<Response>,
  ) {
    this.#call = call;
    this.#most = most;
    this.#respond = respond;
    call.on('data', (request: Request) => this.#receive(request));
    call.on('end', () => this.finish('OK'));
    // There is one listener for the whole call, because a slow reader would accumulate one for each write.
    call.on('drain', () => this.#proceed?.());
    call.on('close', () => {
      this.#closed = true;
      this.#proceed?.();
    });
  }

  /** Reads no more requests, and ends the call with this status when the responses to all others are written. */
  finish(status: ServeError | 'OK'): void {
    if (this.#status !== undefined) return;
    this.#status = status;
    this.#call.pause();
    if (this.#responses.length === 0) this.#end(status);
  }

  #receive(request: Request): void {
    this.#responses.push(this.#respond(request));
    if (this.#responses.length >= this.#most) this.#call.pause();
    if (this.#responses.length === 1) void this.#write();
  }

  async #write(): Promise<void> {
    for (let next = this.#responses[0]; next !== undefined; next = this.#responses[0]) {
      const response = await next;
      if (this.#closed) return;
      if (!this.#call.write(response)) await this.#drained();
      this.#responses.shift();
      if (this.#status === undefined && this.#responses.length === this.#most - 1) {
        this.#call.resume();
      }
    }
    if (this.#status !== undefined) this.#end(this.#status);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#proceed = resolve;
    });
  }

  #end(status: ServeError | 'OK'): void {
    if (this.#closed) return;
    if (status === 'OK') this.#call.end();
    // The library sends the error that is emitted here as the status of the call.
    else this.#call.emit('error', toStatus(status));
  }
}
