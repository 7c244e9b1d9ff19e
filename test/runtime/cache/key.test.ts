import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type ElementType,
  elementArrays,
  packStrings,
  type Tensor,
} from '../../../native/index.ts';
import type { Principal } from '../../../runtime/access.ts';
import {
  type CacheKey,
  identity,
  type KeyedRequest,
  KeyMaker,
  RememberedKey,
} from '../../../runtime/cache/key.ts';
import { tenantOf } from '../../../runtime/cache/tenant.ts';
import { principal, request, text } from './arbitraries.ts';

const keyed = fc.record({ parts: fc.array(text, { maxLength: 4 }), tenant: text, request });

interface Given {
  readonly parts: readonly string[];
  readonly tenant: string;
  readonly request: KeyedRequest;
}

/** The key of a request, in memory of its own. */
function keyOf({ parts, tenant, request }: Given) {
  const { hash, bytes } = new KeyMaker().make(identity(parts), tenant, request) as CacheKey;
  return { hash, bytes: bytes.slice() };
}

const bytesOf = (data: Tensor['data']) =>
  Array.isArray(data) ? [...packStrings(data)] : [...new Uint8Array((data as Uint8Array).buffer)];

/** The same, in a form that is equal exactly for requests that must have equal keys. */
const canonical = (given: Given) =>
  JSON.stringify([
    given.parts,
    given.tenant,
    given.request.outputs ?? null,
    given.request.packStrings,
    given.request.runs.map((run) =>
      Object.keys(run)
        .toSorted()
        .map((name) => [name, run[name]!.type, run[name]!.dims, bytesOf(run[name]!.data as never)]),
    ),
  ]);

describe('keys', () => {
  test('two keys are equal exactly if version, tenant, outputs and inputs are', () => {
    fc.assert(
      fc.property(keyed, keyed, fc.boolean(), (one, two, isCopy) => {
        const other = isCopy ? structuredClone(one) : two;
        const [a, b] = [keyOf(one), keyOf(other)];
        const isSame = canonical(one) === canonical(other);
        assert.equal(Buffer.compare(a.bytes, b.bytes) === 0, isSame);
        assert.equal(a.hash === b.hash, isSame);
      }),
      { numRuns: 500 },
    );
  });

  test('a change of any one part of a request changes the key', () => {
    const changes = [
      (given) => ({ ...given, tenant: `${given.tenant}x` }),
      (given) => ({ ...given, parts: [...given.parts, ''] }),
      (given) => ({
        ...given,
        request: { ...given.request, packStrings: !given.request.packStrings },
      }),
      (given) => ({
        ...given,
        request: { ...given.request, outputs: [...(given.request.outputs ?? []), 'x'] },
      }),
      (given) => ({ ...given, request: { ...given.request, runs: [...given.request.runs, {}] } }),
    ] satisfies ((given: Given) => unknown)[];
    fc.assert(
      fc.property(keyed, fc.constantFrom(...changes), (given, change) => {
        assert.notEqual(keyOf(given).hash, keyOf(change(given) as Given).hash);
      }),
    );
  });

  test('every bit of the inputs counts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), (bytes, at) => {
        const keyFor = (data: Uint8Array) => {
          const runs = [{ x: { type: 'uint8', dims: [data.length], data } } as const];
          return keyOf({
            parts: [],
            tenant: '',
            request: { runs, outputs: undefined, packStrings: false },
          });
        };
        const flipped = bytes.slice();
        const bit = at % (bytes.length * 8);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        assert.notEqual(keyFor(bytes).hash, keyFor(flipped).hash);
      }),
    );
  });

  test('the type and the shape of inputs count', () => {
    const data = new Uint8Array(16);
    const hashes = [...Object.keys(elementArrays), 'string'].flatMap((type) =>
      [[16], [2], [2, 1], [1, 2], [1], []].map((dims) => {
        const runs = [{ x: { type: type as ElementType, dims, data } }];
        const request = { runs, outputs: undefined, packStrings: false };
        return keyOf({ parts: [], tenant: '', request }).hash;
      }),
    );
    assert.equal(new Set(hashes).size, 14 * 6);
  });

  test('names, however they are cut, do not run into each other', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 2, maxLength: 4 }), fc.nat(), (parts, at) => {
        const cut = at % (parts.length - 1);
        const joined = parts.toSpliced(cut, 2, parts[cut]! + parts[cut + 1]!);
        assert.notDeepEqual(identity(parts), identity(joined));
      }),
    );
  });

  test('the order of inputs, and bytes instead of elements or texts, do not matter', () => {
    const packed = ({ type, dims, data }: Tensor, shift: number) => {
      const bytes = Array.isArray(data) ? packStrings(data) : Uint8Array.from(bytesOf(data));
      const memory = new Uint8Array(bytes.length + shift);
      memory.set(bytes, shift);
      return { type, dims, data: memory.subarray(shift) };
    };
    fc.assert(
      fc.property(keyed, fc.nat(7), (given, shift) => {
        const runs = given.request.runs.map((run) =>
          Object.fromEntries(
            Object.entries(run)
              .toReversed()
              .map(([name, each]) => [name, packed(each as Tensor, shift)]),
          ),
        );
        const other = { ...given, request: { ...given.request, runs } };
        assert.deepEqual(keyOf(other), keyOf(given));
      }),
    );
  });

  test('a remembered key is that of its version and its tenant only', () => {
    const maker = new KeyMaker();
    const given = { runs: [{}], outputs: undefined, packStrings: false };
    const remembered = new RememberedKey();
    const versions = [identity(['a']), identity(['b'])];
    const asked = fc.array(fc.tuple(fc.constantFrom(...versions), fc.constantFrom('', 't')));
    fc.assert(
      fc.property(asked, (asks) => {
        for (const [version, tenant] of asks) {
          const key = maker.make(version, tenant, { ...given, remembered }) as CacheKey;
          const { hash } = new KeyMaker().make(version, tenant, given) as CacheKey;
          assert.equal(key.hash, hash);
          assert.equal(maker.make(version, tenant, { ...given, remembered }), key);
        }
      }),
    );
  });

  test('a key does not depend on those that were made before, whatever their length', () => {
    const sized = fc.record({ first: request, length: fc.nat(300_000), second: request });
    fc.assert(
      fc.asyncProperty(sized, async ({ first, length, second }) => {
        const maker = new KeyMaker();
        const make = async (of: KeyedRequest) => {
          const { hash, bytes } = (await maker.make(identity(['v']), 't', of))!;
          return `${hash} ${Buffer.from(bytes).toString('latin1')}`;
        };
        const long: KeyedRequest = {
          ...first,
          runs: [{ x: { type: 'uint8', dims: [length], data: new Uint8Array(length).fill(255) } }],
        };
        const expected = await make(second);
        await make(first);
        const ofLong = await make(long);
        assert.ok((await make(second)) === expected);
        assert.ok((await make(long)) === ofLong);
      }),
      { numRuns: 40 },
    );
  });

  test('callers have the same tenant exactly if the first of claim, key and subject that they have is the same', () => {
    const effective = (given: Principal | undefined) => [
      given?.tenant,
      given?.tenant === undefined ? given?.keyId : undefined,
      given?.tenant === undefined && given?.keyId === undefined ? given?.subject : undefined,
    ];
    fc.assert(
      fc.property(principal, principal, (one, two) => {
        const isSame = JSON.stringify(effective(one)) === JSON.stringify(effective(two));
        assert.equal(tenantOf(one) === tenantOf(two), isSame);
      }),
      { numRuns: 500 },
    );
  });

  test('inputs of more than 8 MiB have no key', () => {
    const make = (...lengths: number[]) => {
      const runs = lengths.map((length) => ({
        x: { type: 'uint8', dims: [length], data: new Uint8Array(length) } as const,
      }));
      const request = { runs, outputs: undefined, packStrings: false };
      return new KeyMaker().make(identity([]), '', request);
    };
    assert.notEqual(make(8 * 1024 * 1024 - 1000), undefined);
    assert.equal(make(8 * 1024 * 1024), undefined);
    assert.equal(make(5 * 1024 * 1024, 5 * 1024 * 1024), undefined);
  });
});
