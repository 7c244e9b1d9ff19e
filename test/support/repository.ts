/** @module A model repository in a temporary folder. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestModel {
  /** The content of `model.json`: an object, or the text itself. Default: no such file. */
  readonly config?: object | string;
  /** The text of `config.pbtxt`. Default: no such file. */
  readonly triton?: string;
  /** Versions, each with the file to copy; `''` makes an empty `model.onnx`, `undefined` none. */
  readonly versions: Readonly<Record<string, string | undefined>>;
}

export interface TestRepository extends Disposable {
  readonly path: string;
}

/** To be declared with `using`: the folder goes when the test ends. */
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
