/** @module Configurations in places where they have no effect. */

import type { Entry, Skip } from './files.ts';

/** Skips configurations in a folder below that of the model. */
export function skipConfigs(entries: readonly Entry[], skip: Skip): void {
  for (const { name, label } of entries) {
    if (name !== 'model.json' && name !== 'config.pbtxt') continue;
    const [model] = label.split('/');
    skip(label, `It has no effect here: the configuration of a model lies in ${model}/`);
  }
}
