/**
 * Small requests without an object for each of their parts: the addon lays a request out in one block of
 * memory (codec/flat_request.h says how), which is read here.
 *
 * @module
 */

import type { Datatypes, InferInput, InferRequest, Parameters } from './codec-types.ts';
import { elementArrays } from './elements.ts';
import type { ElementType, Tensors } from './types.ts';

/** A larger body takes longer to parse than its objects to make. */
const MOST_BODY_BYTES = 4096;
const LAYOUT_BYTES = 4096;
/** A body holds at most an element in two bytes, of at most 8 bytes, and 256 tensors. */
const BLOCK_BYTES = LAYOUT_BYTES + MOST_BODY_BYTES * 4 + 256 * 8;

const NO_PARAMETERS: Parameters = Object.freeze(Object.create(null));

/** The addon's function. Undefined where the request has more to it than a block has a place for. */
export type ParseFlat = (
  body: Uint8Array,
  nonFinite: number,
  maxTensors: number,
  block: Uint8Array,
) => string | undefined;

export class FlatRequests {
  readonly #parse: ParseFlat;
  readonly #types: ReadonlyMap<number, ElementType>;
  readonly #datatypes: Datatypes;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  readonly #layout = new Int32Array(this.#block.buffer, 0, LAYOUT_BYTES / 4);
  /** Where in the layout, and in the names, reading has come to. */
  #at = 0;
  #nameAt = 0;

  constructor(parse: ParseFlat, types: ReadonlyMap<number, ElementType>, datatypes: Datatypes) {
    this.#parse = parse;
    this.#types = types;
    this.#datatypes = datatypes;
  }

  /** The request in a body that is all JSON; undefined where it is not a small and simple one. */
  read(body: Uint8Array, nonFinite: number, maxTensors: number): InferRequest | undefined {
    if (body.length > MOST_BODY_BYTES) return undefined;
    const names = this.#parse(body, nonFinite, maxTensors, this.#block);
    if (names === undefined) return undefined;
    this.#at = 0;
    this.#nameAt = 0;
    const inputCount = this.#next();
    const outputCount = this.#next();
    const id = this.#name(names);
    const tensors: Record<string, Tensors[string]> = Object.create(null);
    const inputs: InferInput[] = [];
    for (let i = 0; i < inputCount; i += 1) {
      const name = this.#name(names);
      const tensor = this.#tensor();
      tensors[name] = tensor;
      const datatype = this.#datatypes[tensor.type];
      inputs.push({ name, datatype, shape: tensor.dims, parameters: NO_PARAMETERS });
    }
    if (outputCount < 0) {
      return { json: { id, parameters: NO_PARAMETERS, inputs, outputs: undefined }, tensors };
    }
    const outputs = Array.from({ length: outputCount }, () => ({
      name: this.#name(names),
      parameters: NO_PARAMETERS,
    }));
    return { json: { id, parameters: NO_PARAMETERS, inputs, outputs }, tensors };
  }

  #tensor(): Tensors[string] {
    const type = this.#types.get(this.#next())! as Exclude<ElementType, 'string'>;
    const sizes = this.#next();
    const offset = this.#next();
    const count = this.#next();
    const dims: number[] = [];
    for (let i = 0; i < sizes; i += 1) dims.push(this.#next());
    // A copy, because the block is the next request's too.
    const data = new elementArrays[type](this.#block.buffer, offset, count).slice();
    return { type, dims, data } as Tensors[string];
  }

  #next(): number {
    const value = this.#layout[this.#at]!;
    this.#at += 1;
    return value;
  }

  #name(names: string): string {
    const start = this.#nameAt;
    this.#nameAt += this.#next();
    return names.slice(start, this.#nameAt);
  }
}
