/** @module Arbitrary parts of requests to the cache, for property tests. */

import fc from 'fast-check';
import {
  type ElementType,
  elementArrays,
  type Tensor,
  type Tensors,
} from '../../../native/index.ts';
import type { Principal } from '../../../runtime/access.ts';
import type { KeyedRequest } from '../../../runtime/cache/key.ts';

/** Few different texts, so that equal ones are frequent, and of which some are parts of others. */
export const text = fc.constantFrom(
  '',
  'a',
  'b',
  'ab',
  'ba',
  'a b',
  'é',
  '\u0000',
  'tenant a',
  'a'.repeat(70),
);

export const principal: fc.Arbitrary<Principal | undefined> = fc.option(
  fc.record({
    subject: fc.option(text, { nil: undefined }),
    tenant: fc.option(text, { nil: undefined }),
    keyId: fc.option(text, { nil: undefined }),
  }),
  { nil: undefined },
);

/** A tensor whose elements are any bytes, so that NaNs and negative zeros occur. */
export const tensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...(Object.keys(elementArrays) as ElementType[])), fc.nat(4))
  .chain(([type, count]) => {
    const array = elementArrays[type as keyof typeof elementArrays];
    const length = count * array.BYTES_PER_ELEMENT;
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => ({ type, dims: [count], data: new array(bytes.slice().buffer) }) as Tensor);
  });

export const texts: fc.Arbitrary<Tensor> = fc
  .array(fc.string({ unit: 'grapheme' }), { maxLength: 3 })
  .map((data) => ({ type: 'string', dims: [data.length], data }));

export const inputs: fc.Arbitrary<Tensors> = fc.dictionary(text, fc.oneof(tensor, texts), {
  maxKeys: 3,
  noNullPrototype: true,
});

export const request: fc.Arbitrary<KeyedRequest> = fc.record({
  runs: fc.array(inputs, { minLength: 1, maxLength: 2 }),
  outputs: fc.option(fc.array(text, { maxLength: 2 }), { nil: undefined }),
  packStrings: fc.boolean(),
});
