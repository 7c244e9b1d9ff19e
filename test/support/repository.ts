/** @module Creates a model repository in a temporary folder. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestModel {
  /** The content of `model.json`, as an object or as text. Default: no such file. */
  readonly config?: object | string;
  /** The content of `config.pbtxt`. Default: no such file. */
  readonly triton?: string;
  /** The file to copy for each version; `''` creates an empty `model.onnx`, and `undefined` no file. */
  readonly versions: Readonly<Record<string, string | undefined>>;
}

export interface TestRepository extends Disposable {
  readonly path: string;
}

/** Creates the repository. The caller declares the result with `using`, which removes the folder at the end of the test. */
export function testRepository(models: Readonly<Record<string, TestModel>>): TestRepository {
  const path = mkdtempSync(join(tmpdir(), 'millrace-models-'));
  for (const [name, { config, triton, versions }] of Object.entries(models)) {
    mkdirSync(join(path, name));
    if (config !== undefined) {
      const text = typeof config === 'string' ? config : JSON.stringify(config);
      writeFileSync(join(path, name, 'model.json'), text);
    }
    if (triton !== undefined) writeFileSync(join(path, name, 'config.pbtxt'), triton);
    for (const [version, file] of Object.entries(versions)) {
      mkdirSync(join(path, name, version));
      const target = join(path, name, version, 'model.onnx');
      if (file === '') writeFileSync(target, '');
      else if (file !== undefined) copyFileSync(file, target);
    }
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
