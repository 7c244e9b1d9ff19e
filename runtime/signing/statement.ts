/** @module The statement that a signature makes about a model: the digests of its files. */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type ArtifactFile, checkPath, ONLY_FILE } from '../artifacts/index.ts';
import { rejected } from './bundle.ts';

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
const PREDICATE_TYPE = 'https://model_signing/signature/v1.0';
/** What the `model_signing` command never signs, and leaves out when it verifies. */
const GIT_PATHS = ['.git', '.gitattributes', '.github', '.gitignore'];
/** The name of a model that is one file, in a statement. */
const WHOLE = '.';

const hex = z.string().regex(/^[0-9a-f]{64}$/, 'it must be 64 hexadecimal digits');
const statementSchema = z.looseObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z
    .array(z.looseObject({ digest: z.looseObject({ sha256: hex }) }))
    .length(1, 'there must be exactly one'),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.looseObject({
    serialization: z.looseObject({
      method: z.literal('files'),
      hash_type: z.literal('sha256'),
      ignore_paths: z.array(z.string()).optional(),
    }),
    resources: z
      .array(z.looseObject({ name: z.string(), algorithm: z.literal('sha256'), digest: hex }))
      .min(1, 'there must be at least one'),
  }),
});

type Signed = ReadonlyMap<string, string>;

/** Whether a file of a folder is signed: not if it belongs to git or is a signature. */
const isSigned = (path: string, ignored: readonly string[]) =>
  !ignored.some((each) => path === each || path.startsWith(`${each}/`));

/**
 * The statement about a model.
 *
 * @param name Of the model; it is not checked when the signature is.
 * @param isFolder Whether the model is a folder, even if one with a single file.
 * @param signature The path within the folder where the signature will be, if it is there.
 */
export function statementOf(
  name: string,
  files: readonly ArtifactFile[],
  isFolder: boolean,
  signature?: string,
): string {
  const ignored = [...GIT_PATHS, ...(signature === undefined ? [] : [signature])];
  // The order of Python's paths, which compares them part by part.
  const key = ({ path }: ArtifactFile) => path.replaceAll('/', '\0');
  const resources = files
    .filter(({ path }) => isSigned(path, ignored))
    .toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
    .map(({ path, sha256 }) => ({
      name: isFolder ? path : WHOLE,
      algorithm: 'sha256',
      digest: sha256,
    }));
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: [{ name, digest: { sha256: rootDigest(resources.map(({ digest }) => digest)) } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      serialization: {
        method: 'files',
        hash_type: 'sha256',
        allow_symlinks: false,
        ignore_paths: ignored,
      },
      resources,
    },
  });
}

/** @throws {ServeError} `REJECTED` with the difference, unless the statement is about exactly these files. */
export function checkStatement(payload: Buffer, files: readonly ArtifactFile[]): void {
  const { signed, ignored } = parseStatement(payload);
  const actual = files.filter(({ path }) => signed.has(path) || !mayBeUnsigned(path, ignored));
  const [only] = actual;
  const whole = signed.get(WHOLE);
  if (whole !== undefined) {
    if (actual.length !== 1 || only?.path !== ONLY_FILE) {
      throw rejected('The signature is for a single model file, but the model is a folder.');
    }
    checkDigest(only.path, only.sha256, whole);
    return;
  }
  const found = new Map(actual.map(({ path, sha256 }) => [path, sha256]));
  for (const [path, digest] of signed) {
    const sha256 = found.get(path);
    if (sha256 === undefined) throw rejected(`The signed file '${path}' is missing.`);
    checkDigest(path, sha256, digest);
  }
  const extra = actual.find(({ path }) => !signed.has(path));
  if (extra !== undefined) throw rejected(`The file '${extra.path}' is not signed.`);
}

function checkDigest(path: string, actual: string, signed: string): void {
  if (actual !== signed) throw rejected(`The file '${path}' is not the one that was signed.`);
}

function parseStatement(payload: Buffer): { signed: Signed; ignored: readonly string[] } {
  const parsed = statementSchema.safeParse(parseJson(payload));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw rejected(`The signature is not one of a model: ${path.join('.')}: ${message}.`);
  }
  const { subject, predicate } = parsed.data;
  const { resources } = predicate;
  const signed = new Map<string, string>();
  for (const { name, digest } of resources) {
    if (name !== WHOLE) checkPath(name);
    if (signed.has(name)) throw rejected(`The signature names the file '${name}' twice.`);
    signed.set(name, digest);
  }
  if (signed.has(WHOLE) && signed.size > 1) {
    throw rejected('The signature is for a single model file and names others.');
  }
  if (subject[0]!.digest.sha256 !== rootDigest(resources.map(({ digest }) => digest))) {
    throw rejected('The signature contradicts itself: its digest is not that of its files.');
  }
  return { signed, ignored: predicate.serialization.ignore_paths ?? [] };
}

/** Files that the signer left out are accepted only where no part of a model is ever read from. */
function mayBeUnsigned(path: string, ignored: readonly string[]): boolean {
  return !isSigned(path, ignored) && (!isSigned(path, GIT_PATHS) || path.endsWith('.sig'));
}

function rootDigest(digests: readonly string[]): string {
  const hash = createHash('sha256');
  for (const digest of digests) hash.update(digest, 'hex');
  return hash.digest('hex');
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw rejected('The signature is not one of a model: its statement is not JSON.', cause);
  }
}
