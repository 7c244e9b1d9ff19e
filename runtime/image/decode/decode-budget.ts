/**
 * What the decoders of all HTTP threads of the process may use together: how many images they decode at a time, and the memory
 * of pixels. The counts lie in memory that the threads share.
 *
 * @module
 */

/** Indexes of the counts. Memory is counted in units, because a count has 32 bits. */
const DECODES = 0;
const UNITS = 1;
/** Changes whenever something is given back. */
const CHANGES = 2;
/** The number of the budget that waits for all memory; 0 if none does. */
const CLAIM = 3;
/** How many budgets share the counts. */
const BUDGETS = 4;
const COUNTS = 5;

const UNIT_BYTES = 4096;

export interface DecodeLimits {
  /** Images that are decoded at a time. */
  readonly decodes: number;
  /** Bytes of pixels, and of what decoders hold beside them. */
  readonly bytes: number;
}

export class DecodeBudget {
  readonly #counts: Int32Array<SharedArrayBuffer>;
  readonly #decodes: number;
  readonly #units: number;
  /** Tells this budget from the others, from 1. */
  readonly #number: number;

  /** @param memory The counts of the process, from `counts`. Default: counts of its own. */
  constructor({ decodes, bytes }: DecodeLimits, memory = DecodeBudget.counts()) {
    this.#counts = new Int32Array(memory);
    this.#decodes = decodes;
    this.#units = unitsOf(bytes);
    this.#number = Atomics.add(this.#counts, BUDGETS, 1) + 1;
  }

  /** The counts of a process in which nothing is decoded, for the budgets of all its threads. */
  static counts(): SharedArrayBuffer {
    return new SharedArrayBuffer(COUNTS * Int32Array.BYTES_PER_ELEMENT);
  }

  /** Bytes that are taken, by any thread. */
  get taken(): number {
    return Atomics.load(this.#counts, UNITS) * UNIT_BYTES;
  }

  /** Images that are being decoded, by any thread. */
  get decoding(): number {
    return Atomics.load(this.#counts, DECODES);
  }

  /**
   * Begins to decode an image, and takes memory for it. Returns false if it has to wait. An image that needs more than there
   * is may be decoded while no other memory is taken: while it waits, none begins in other threads, because it would never
   * have its turn among small ones. If it does not wait any more, `withdraw` must be called.
   */
  begin(bytes: number): boolean {
    const units = unitsOf(bytes);
    const needsAll = units > this.#units;
    if (needsAll) Atomics.compareExchange(this.#counts, CLAIM, 0, this.#number);
    const claim = Atomics.load(this.#counts, CLAIM);
    if (claim !== 0 && claim !== this.#number) return false;
    if (!this.#add(DECODES, 1, this.#decodes)) return false;
    if (this.#add(UNITS, units, this.#units)) {
      this.withdraw();
      return true;
    }
    Atomics.sub(this.#counts, DECODES, 1);
    return false;
  }

  /** Lets others begin again, if an image of this thread waited for all memory. */
  withdraw(): void {
    if (Atomics.compareExchange(this.#counts, CLAIM, this.#number, 0) === this.#number) {
      this.#changed();
    }
  }

  /** Ends decoding an image, of which `kept` bytes stay taken of those with which it began. */
  end(bytes: number, kept: number): void {
    Atomics.sub(this.#counts, UNITS, unitsOf(bytes) - unitsOf(kept));
    Atomics.sub(this.#counts, DECODES, 1);
    this.#changed();
  }

  /** Gives back the bytes that an image kept. */
  give(kept: number): void {
    Atomics.sub(this.#counts, UNITS, unitsOf(kept));
    this.#changed();
  }

  /** A number that is different after something was given back. */
  get version(): number {
    return Atomics.load(this.#counts, CHANGES);
  }

  /** Resolves when something is given back, by any thread, after the version was read. */
  async changeSince(version: number): Promise<void> {
    await Atomics.waitAsync(this.#counts, CHANGES, version).value;
  }

  #changed(): void {
    Atomics.add(this.#counts, CHANGES, 1);
    Atomics.notify(this.#counts, CHANGES);
  }

  /** Adds to a count unless that exceeds the limit, though not if the count is 0. */
  #add(index: number, count: number, limit: number): boolean {
    for (;;) {
      const old = Atomics.load(this.#counts, index);
      if (old > 0 && old + count > limit) return false;
      if (Atomics.compareExchange(this.#counts, index, old, old + count) === old) return true;
    }
  }
}

const unitsOf = (bytes: number): number => Math.ceil(bytes / UNIT_BYTES);
