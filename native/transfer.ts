/**
 * Taking over the memory of large inputs instead of copying it.
 *
 * Why it may wait: .github/decisions/0014-a-body-is-lent-to-the-workers.md
 *
 * @module
 */

import { elementArrays, isHalfArray } from './elements.ts';
import type { ElementType, Tensor, TensorSpec, Tensors } from './types.ts';

/** Inputs of this many bytes are borrowed when they are transferred; smaller ones are always copied. */
const BORROW_BYTES = 64 * 1024;

/** Memory that has been taken over. */
export interface Moved {
  /** The inputs in it by name, small ones that share memory with large ones included. */
  readonly views: ReadonlyMap<string, ArrayBufferView>;
  readonly owners: readonly ArrayBuffer[];
}

/**
 * Detaches the memory of large inputs from its owner, so that nobody can change or free it while the
 * addon reads it. `later`: it stays where it is, and is only kept alive. Inputs that are not among the
 * result's are to be copied. Undefined where none is large.
 */
export function transfer(
  specs: readonly TensorSpec[],
  inputs: Tensors,
  later = false,
): Moved | undefined {
  if (!specs.some(({ name, type }) => isLarge(type, inputs[name]?.data))) return undefined;
  // Offsets and lengths read 0 once their memory is detached, hence first all views, then all moves.
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
    const owner = later ? buffer : detach(buffer);
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
 * Gives taken memory back at once where the runtime can: until the next collection of garbage hundreds of
 * large inputs would be waiting, each in memory that has to be fetched anew.
 */
export function free({ owners }: Moved): void {
  for (const owner of owners) {
    try {
      if (canTransfer(owner)) owner.transfer(0);
    } catch {
      // What cannot be detached, such as WebAssembly's memory, is not ours to free.
    }
  }
}

/** False on Node 20. */
const canTransfer = (buffer: ArrayBuffer) => 'transfer' in buffer;

const isLarge = (type: ElementType, data: unknown) =>
  arrayOf(type, data) !== undefined && (data as Uint8Array).byteLength >= BORROW_BYTES;

/** The kind of array that `data` is; undefined where it is none that holds the type's elements or bytes. */
function arrayOf(type: ElementType, data: unknown) {
  if (type === 'string') return undefined;
  const array = elementArrays[type];
  if (data instanceof array) return array;
  if (type === 'float16' && isHalfArray(data)) return array;
  return data instanceof Uint8Array ? Uint8Array : undefined;
}

/** The memory under a new owner; undefined where it cannot be detached, such as WebAssembly's. */
function detach(buffer: ArrayBuffer): ArrayBuffer | undefined {
  try {
    return canTransfer(buffer)
      ? buffer.transfer()
      : structuredClone(buffer, { transfer: [buffer] });
  } catch {
    return undefined;
  }
}

/** The inputs with those that `transfer` moves in their new memory. */
export function takeOver(specs: readonly TensorSpec[], inputs: Tensors): Tensors {
  const owned: Record<string, Tensor> = {};
  const moved = transfer(specs, inputs);
  for (const [name, tensor] of Object.entries(inputs)) {
    owned[name] = { ...tensor, data: moved?.views.get(name) ?? tensor.data } as Tensor;
  }
  return owned;
}
