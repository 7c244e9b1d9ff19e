/**
 * Encodes short responses as strings, from which the HTTP server makes a body faster than from bytes.
 *
 * @module
 */

import type { Datatypes, InferResponse } from './codec-types.ts';
import { ElementViews, elementArrays } from './elements.ts';
import type { ElementType, PackedTensor, Tensor } from './tensor-types.ts';

/** The most elements of an output, and the most outputs, of a response for which a string is quicker than bytes. */
const FEW_ELEMENTS = 64;

/** The function of the addon. It returns the first `count` elements in the memory as a JSON array. */
export type ElementsText = (
  nonFinite: number,
  type: number,
  memory: Uint8Array,
  count: number,
) => string;

type Output = InferResponse['outputs'][number];
type NumericTensor = Tensor<Exclude<ElementType, 'string'>>;

export class SmallResponses {
  readonly #elementsText: ElementsText;
  readonly #typeNumbers: Readonly<Record<ElementType, number>>;
  readonly #datatypes: Datatypes;
  /** The addon reads elements here: an array that it has not seen before costs the host an object for its memory. */
  readonly #memory = new Uint8Array(FEW_ELEMENTS * 8);
  readonly #views = new ElementViews(this.#memory.buffer);

  constructor(
    elementsText: ElementsText,
    typeNumbers: Readonly<Record<ElementType, number>>,
    datatypes: Datatypes,
  ) {
    this.#elementsText = elementsText;
    this.#typeNumbers = typeNumbers;
    this.#datatypes = datatypes;
  }

  /** Returns the response as a string, or undefined if it is not short or has binary data or strings. */
  write(response: InferResponse, nonFinite: number): string | undefined {
    const { modelName, modelVersion, id, parameters, outputs } = response;
    if (!areSmall(outputs)) return undefined;
    let text = `{"model_name":${jsonString(modelName)}`;
    if (modelVersion !== undefined) text += `,"model_version":${jsonString(modelVersion)}`;
    if (id !== undefined) text += `,"id":${jsonString(id)}`;
    if (parameters !== undefined) text += `,"parameters":${JSON.stringify(parameters)}`;
    let separator = ',"outputs":[';
    for (const { name, tensor } of outputs) {
      text += `${separator}{"name":${jsonString(name)},"datatype":"${this.#datatypes[tensor.type]}","shape":[${tensor.dims}],"data":${this.#elements(tensor, nonFinite)}}`;
      separator = ',';
    }
    return outputs.length === 0 ? `${text},"outputs":[]}` : `${text}]}`;
  }

  #elements({ type, data }: NumericTensor, nonFinite: number): string {
    this.#views.write(type, data);
    return this.#elementsText(nonFinite, this.#typeNumbers[type], this.#memory, data.length);
  }
}

/** All outputs are looked at before one is encoded, because one that is not small makes the text useless. */
function areSmall(
  outputs: readonly Output[],
): outputs is readonly (Output & { readonly tensor: NumericTensor })[] {
  return (
    outputs.length <= FEW_ELEMENTS &&
    outputs.every(({ tensor, binary }) => !binary && isSmall(tensor))
  );
}

function isSmall(tensor: Tensor | PackedTensor): tensor is NumericTensor {
  const { type, data } = tensor;
  return type !== 'string' && data.length <= FEW_ELEMENTS && data instanceof elementArrays[type];
}

/** Encodes a string as JSON. Names seldom need an escape, and the check is quicker than `JSON.stringify`. */
const jsonString = (text: string): string =>
  /^[\w .:/-]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
