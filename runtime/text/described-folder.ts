/** @module The small files of a folder from Hugging Face, each checked when it is read. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { checkSchema } from '../check-schema.ts';
import { ServeError } from '../errors.ts';
import { readJson } from '../repository/files.ts';

export class DescribedFolder {
  /** The name of the model, for messages. */
  readonly model: string;
  readonly path: string;
  readonly #files: ReadonlySet<string>;

  private constructor(model: string, path: string, files: readonly string[]) {
    this.model = model;
    this.path = path;
    this.#files = new Set(files);
  }

  /** Lists the files. A folder that cannot be read has none, and its model file cannot be loaded. */
  static async open(model: string, path: string): Promise<DescribedFolder> {
    return new DescribedFolder(model, path, await readdir(path).catch(() => []));
  }

  has(file: string): boolean {
    return this.#files.has(file);
  }

  /** The first file whose name matches, in alphabetical order. */
  find(pattern: RegExp): string | undefined {
    return [...this.#files].toSorted().find((file) => pattern.test(file));
  }

  pathOf(file: string): string {
    return join(this.path, file);
  }

  /**
   * The content of a JSON file, without the keys that the schema does not have.
   *
   * @param file Its path in the folder.
   * @throws {ServeError} `INVALID_CONFIG` that names the file and its first mistake.
   */
  async read<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema>> {
    const json = await readJson(this.pathOf(file), `${file} of '${this.model}'`);
    const checked = checkSchema(schema, json);
    if ('data' in checked) return checked.data;
    throw this.wrong(file, checked.fault);
  }

  /** The same for a file that need not be there; undefined if it is not. */
  async readOptional<Schema extends z.ZodType>(
    file: string | undefined,
    schema: Schema,
  ): Promise<z.output<Schema> | undefined> {
    return file !== undefined && this.has(file) ? this.read(file, schema) : undefined;
  }

  /** The error for a file with a mistake, which is a clause. */
  wrong(file: string, fault: string): ServeError {
    return new ServeError('INVALID_CONFIG', `${file} of '${this.model}' is wrong: ${fault}.`);
  }
}
