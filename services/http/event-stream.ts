/** @module The server-sent events of a response. */

const encoder = new TextEncoder();

/** What an event stream tells the edge. */
export interface EventListener {
  /** The first event is about to be sent. */
  opened(): void;
  /** The client has stopped to read. */
  left(): void;
}

/**
 * The events of one response, which is sent with the first of them. Events that the client has not read yet are kept in
 * memory, so their number must be bounded.
 */
export class EventStream {
  /** The body of the response. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #listener: EventListener | undefined;
  #opened = false;
  #closed = false;

  constructor() {
    this.body = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#closed = true;
        this.#listener?.left();
      },
    });
  }

  /** Whether an event has been sent, and with it the status of the response. */
  get opened(): boolean {
    return this.#opened;
  }

  /** Must be called once, before the first event. */
  listen(listener: EventListener): void {
    this.#listener = listener;
  }

  /** Sends an event whose data is JSON. Does nothing once the stream is closed. */
  send(data: object): void {
    this.write(toEvent(data));
  }

  /** Sends the text of one or several events. Does nothing once the stream is closed. */
  write(events: string | Uint8Array<ArrayBuffer>): void {
    if (this.#closed) return;
    if (!this.#opened) {
      this.#opened = true;
      this.#listener?.opened();
    }
    this.#controller.enqueue(typeof events === 'string' ? encoder.encode(events) : events);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#controller.close();
  }
}

/** The text of an event. A string is sent as it is, such as `[DONE]` or JSON that is written already; it must have no line break. */
export const toEvent = (data: object | string): string =>
  `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
