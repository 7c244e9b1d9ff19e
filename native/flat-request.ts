/**
 * Reads small requests. The addon lays a request out in one block of memory (codec/flat_layout.h describes
 * how), so that no call of Node-API is needed for each of its parts.
 *
 * @module
 */

import type { Datatypes, InferInput, InferRequest, Parameters } from './codec-types.ts';
import { ElementViews } from './elements.ts';
import {
  FLAT_ID_LENGTH,
  FLAT_INPUT_ELEMENTS,
  FLAT_INPUT_NAME_LENGTH,
  FLAT_INPUT_OFFSET,
  FLAT_INPUT_RANK,
  FLAT_INPUT_TYPE,
  FLAT_INPUT_WORDS,
  FLAT_INPUTS,
  FLAT_LAYOUT_BYTES,
  FLAT_NO_OUTPUTS,
  FLAT_OUTPUTS,
  FLAT_WORDS,
} from './layout.ts';
import type { ElementType, Tensors } from './tensor-types.ts';

/** For a larger body the time to parse outweighs the time to create its objects. */
const MAX_BODY_BYTES = 4096;
/** A body has at most one element in two bytes, an element at most 8 bytes, and a request at most 256 tensors. */
const BLOCK_BYTES = FLAT_LAYOUT_BYTES + MAX_BODY_BYTES * 4 + 256 * 8;

const NO_PARAMETERS: Parameters = Object.freeze(Object.create(null));

/** The function of the addon. It returns undefined if a block cannot represent the request. */
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
  readonly #layout = new Int32Array(this.#block.buffer, 0, FLAT_LAYOUT_BYTES / 4);
  readonly #views = new ElementViews(this.#block.buffer);
  /** The positions in the layout and in the names up to which the request has been read. */
  #at = 0;
  #nameAt = 0;

  constructor(parse: ParseFlat, types: ReadonlyMap<number, ElementType>, datatypes: Datatypes) {
    this.#parse = parse;
    this.#types = types;
    this.#datatypes = datatypes;
  }

  /** Reads the request in a body that is all JSON. Returns undefined unless it is a small and simple one. */
  read(body: Uint8Array, nonFinite: number, maxTensors: number): InferRequest | undefined {
    if (body.length > MAX_BODY_BYTES) return undefined;
    const names = this.#parse(body, nonFinite, maxTensors, this.#block);
    if (names === undefined) return undefined;
    const inputCount = this.#layout[FLAT_INPUTS]!;
    const outputCount = this.#layout[FLAT_OUTPUTS]!;
    this.#at = FLAT_WORDS;
    this.#nameAt = 0;
    const id = this.#name(names, this.#layout[FLAT_ID_LENGTH]!);
    const tensors: Record<string, Tensors[string]> = Object.create(null);
    const inputs: InferInput[] = [];
    for (let i = 0; i < inputCount; i += 1) {
      const name = this.#name(names, this.#layout[this.#at + FLAT_INPUT_NAME_LENGTH]!);
      const tensor = this.#tensor();
      tensors[name] = tensor;
      const datatype = this.#datatypes[tensor.type];
      inputs.push({ name, datatype, shape: tensor.dims, parameters: NO_PARAMETERS });
    }
    if (outputCount === FLAT_NO_OUTPUTS) {
      return { json: { id, parameters: NO_PARAMETERS, inputs, outputs: undefined }, tensors };
    }
    const outputs = Array.from({ length: outputCount }, () => ({
      name: this.#name(names, this.#next()),
      parameters: NO_PARAMETERS,
    }));
    return { json: { id, parameters: NO_PARAMETERS, inputs, outputs }, tensors };
  }

  #tensor(): Tensors[string] {
    const layout = this.#layout;
    const at = this.#at;
    const type = this.#types.get(layout[at + FLAT_INPUT_TYPE]!)! as Exclude<ElementType, 'string'>;
    const rank = layout[at + FLAT_INPUT_RANK]!;
    const offset = layout[at + FLAT_INPUT_OFFSET]!;
    const count = layout[at + FLAT_INPUT_ELEMENTS]!;
    this.#at = at + FLAT_INPUT_WORDS;
    const dims: number[] = [];
    for (let i = 0; i < rank; i += 1) dims.push(this.#next());
    // The elements are copied, because the next request overwrites the block.
    return { type, dims, data: this.#views.copy(type, offset, count) } as Tensors[string];
  }

  #next(): number {
    const value = this.#layout[this.#at]!;
    this.#at += 1;
    return value;
  }

  #name(names: string, length: number): string {
    const start = this.#nameAt;
    this.#nameAt += length;
    return names.slice(start, this.#nameAt);
  }
}
