/** @module Generates TypeScript types for a server's models, so that a wrong input does not compile. */

import type { Inference, ModelMetadata, TensorMetadata } from './contract.ts';

/**
 * Returns the text of a module that exports `Models`, the type argument of `createClient` and `createEngine`.
 *
 * @param inference The client or engine that has the models.
 * @param names Models to describe. Default: all that are ready.
 * @throws {InferenceError} `MODEL_NOT_FOUND`
 */
export async function generateTypes(
  inference: Inference,
  names?: readonly string[],
): Promise<string> {
  const wanted = names ?? (await inference.models());
  const models: ModelMetadata[] = [];
  for (const name of wanted) {
    if (names !== undefined || (await inference.ready(name))) {
      models.push(await inference.metadata(name));
    }
  }
  return [
    '// Written by `millrace codegen`: the models of a server, as it described them.',
    "import type { TensorOf } from 'millrace/client';",
    '',
    'export interface Models {',
    ...models.flatMap(modelLines),
    '}',
    '',
  ].join('\n');
}

function modelLines({ name, versions, inputs, outputs }: ModelMetadata): string[] {
  return [
    `  /** Versions: ${versions.join(', ') || 'none'}. */`,
    `  readonly ${property(name)}: {`,
    '    readonly inputs: {',
    ...inputs.map(tensorLine),
    '    };',
    '    readonly outputs: {',
    ...outputs.map(tensorLine),
    '    };',
    '  };',
  ];
}

/** A dynamic dimension has the type `number`. */
function tensorLine({ name, type, dims }: TensorMetadata): string {
  const sizes = dims.map((size) => (size === -1 ? 'number' : size)).join(', ');
  return `      readonly ${property(name)}: TensorOf<'${type}', readonly [${sizes}]>;`;
}

const property = (name: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
