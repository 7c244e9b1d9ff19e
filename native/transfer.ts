/**
 * Takes over the memory of large inputs instead of copying it.
 *
 * Why it may wait: .github/decisions/0014-a-body-is-lent-to-the-workers.md
 *
 * @module
 */

import { elementArrays, isHalfArray } from './elements.ts';
import type { ElementType, Tensor, Tensors } from './tensor-types.ts';
import type { TensorSpec } from './types.ts';

/** Inputs of this many bytes are borrowed when they are transferred; smaller ones are always copied. */
const BORROW_BYTES = 64 * 1024;

/** The memory of inputs that has been taken over from the caller. */
export interface Moved {
  /** The inputs in that memory by name, including small ones that share memory with large ones. */
  readonly views: ReadonlyMap<string, ArrayBufferView>;
  readonly owners: readonly ArrayBuffer[];
}

/**
 * Detaches the memory of large inputs from its owner, so that nobody can change or free it while the addon
 * reads it. With `lend` the memory is not detached, but only kept alive. Inputs that are not in the result must
 * be copied. Returns undefined if no input is large.
 */
export function transfer(
  specs: readonly TensorSpec[],
  inputs: Tensors,
  lend = false,
): Moved | undefined {
  if (!specs.some(({ name, type }) => isLarge(type, inputs[name]?.data))) return undefined;
  // Offsets and lengths are 0 once the memory is detached, so they are all read before any of it is.
  const views = specs.flatMap(({ name, type }) => {
    const data = inputs[name]?.data;
    const array = arrayOf(type, data);
    if (array === undefined) return [];
    const { buffer, byteOffset, byteLength, length } = data as Uint8Array;
    if (!(buffer instanceof ArrayBuffer)) return [];
    return [{ name, array, buffer, byteOffset, byteLength, length }];
  });
  const owners = new Map<ArrayBuffer, ArrayBuffer>();
  for (const { buffer, byteLength } of views) {
    if (byteLength < BORROW_BYTES || owners.has(buffer)) continue;
    const owner = lend ? buffer : detach(buffer);
    if (owner !== undefined) owners.set(buffer, owner);
  }
  const moved = new Map<string, ArrayBufferView>();
  for (const { name, array, buffer, byteOffset, length } of views) {
    const owner = owners.get(buffer);
    if (owner !== undefined) moved.set(name, new array(owner, byteOffset, length));
  }
  return { views: moved, owners: [...owners.values()] };
}

/**
 * Frees the memory at once where the runtime can. Otherwise hundreds of large inputs would wait for the garbage
 * collector, and each new request would have to map new memory.
 */
export function free({ owners }: Moved): void {
  for (const owner of owners) {
    try {
      if (canTransfer(owner)) owner.transfer(0);
    } catch {
      // Memory that cannot be detached, such as that of WebAssembly, belongs to somebody else.
    }
  }
}

/** Returns whether buffers have the method `transfer`, which Node 20 lacks. */
const canTransfer = (buffer: ArrayBuffer) => 'transfer' in buffer;

const isLarge = (type: ElementType, data: unknown) =>
  arrayOf(type, data) !== undefined && (data as Uint8Array).byteLength >= BORROW_BYTES;

/** Returns the class of a typed array of the type's elements or bytes; undefined for anything else. */
function arrayOf(type: ElementType, data: unknown) {
  if (type === 'string') return undefined;
  const array = elementArrays[type];
  if (data instanceof array) return array;
  if (type === 'float16' && isHalfArray(data)) return array;
  return data instanceof Uint8Array ? Uint8Array : undefined;
}

/** Moves the memory to a new buffer. Returns undefined if it cannot be detached, such as that of WebAssembly. */
function detach(buffer: ArrayBuffer): ArrayBuffer | undefined {
  try {
    return canTransfer(buffer)
      ? buffer.transfer()
      : structuredClone(buffer, { transfer: [buffer] });
  } catch {
    return undefined;
  }
}

/** Returns the inputs, of which `transfer` has moved the large ones to new memory. */
export function takeOver(specs: readonly TensorSpec[], inputs: Tensors): Tensors {
  const owned: Record<string, Tensor> = {};
  const moved = transfer(specs, inputs);
  for (const [name, tensor] of Object.entries(inputs)) {
    owned[name] = { ...tensor, data: moved?.views.get(name) ?? tensor.data } as Tensor;
  }
  return owned;
}
