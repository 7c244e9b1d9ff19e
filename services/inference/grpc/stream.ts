/** @module One ModelStreamInfer call: its requests run side by side, and their responses keep their order. */

import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ServeError } from '../../../runtime/index.ts';
import { toStatus } from './status.ts';

/**
 * Reads requests until the client half-closes the call or `finish` is called, answers each of them, and
 * ends the call. At most `most` requests wait for their responses to be written: a client that sends
 * more, or reads slowly, is not read from meanwhile.
 */
export class ResponseStream<Request, Response> {
  readonly #call: ServerDuplexStream<Request, Response>;
  readonly #respond: (request: Request) => Promise<Response>;
  readonly #most: number;
  /** In the order of the requests. The first is the one that is written next or being written. */
  readonly #responses: Promise<Response>[] = [];
  #status: ServeError | 'OK' | undefined;
  #closed = false;
  /** Continues after a write that filled the buffer of the call. */
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
    // Once for the whole call: a listener for each write would pile up with a slow reader.
    call.on('drain', () => this.#proceed?.());
    call.on('close', () => {
      this.#closed = true;
      this.#proceed?.();
    });
  }

  /** Reads no more requests, and ends the call with this status when those it has are answered. */
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
    // The library sends what is emitted here as the status of the call.
    else this.#call.emit('error', toStatus(status));
  }
}
