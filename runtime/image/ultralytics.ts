/** @module Reads what an export of Ultralytics says about itself in the metadata of its ONNX file. */

import { ServeError } from '../errors.ts';
import { namesInOrder } from './labels.ts';

/** Strings by key, as an ONNX file has them in `metadata_props`. */
export type Metadata = Readonly<Record<string, string>>;

export interface UltralyticsExport {
  readonly task: 'detect' | 'segment' | 'classify' | 'pose' | 'obb' | undefined;
  readonly labels: readonly string[] | undefined;
  /** The size of the input; undefined if the file does not say. */
  readonly size: { readonly width: number; readonly height: number } | undefined;
  /** Whether the export suppresses overlapping boxes itself, so that its rows are boxes. */
  readonly isEndToEnd: boolean;
}

/** Most characters of metadata that are read, and of pixels along a side. */
const MAX_TEXT = 4 * 1024 * 1024;
const MAX_SIDE = 16_384;

const TASKS = ['detect', 'segment', 'classify', 'pose', 'obb'] as const;

/**
 * What the metadata says; undefined if the file is no export of Ultralytics.
 *
 * @param hasLabels Whether another file has labels, so that `names` are not looked at.
 * @throws {ServeError} `INVALID_CONFIG` if it has `names` that are not what Ultralytics writes.
 */
export function ultralyticsExport(
  metadata: Metadata = {},
  hasLabels = false,
): UltralyticsExport | undefined {
  const { names, imgsz, task, author, stride, args, end2end, nms } = metadata;
  const isExport =
    author === 'Ultralytics' || (names !== undefined && (stride ?? imgsz) !== undefined);
  if (!isExport) return undefined;
  return {
    task: TASKS.find((each) => each === task),
    labels: names === undefined || hasLabels ? undefined : labelsOf(names),
    size: imgsz === undefined ? undefined : sizeOf(imgsz),
    isEndToEnd: [end2end, nms].includes('True') || /'nms': True/.test(args ?? ''),
  };
}

function labelsOf(text: string): readonly string[] | undefined {
  const names = text.length <= MAX_TEXT ? readNames(text) : undefined;
  if (names === undefined) {
    throw new ServeError(
      'INVALID_CONFIG',
      `The metadata 'names' of the model file must be a dictionary such as {0: 'person', 1: 'bicycle'} but begins with ${JSON.stringify(text.slice(0, 40))}; export the model again, or write "labels" in model.json.`,
    );
  }
  const labels = namesInOrder(names);
  if (typeof labels !== 'string') return labels;
  throw new ServeError(
    'INVALID_CONFIG',
    `The metadata 'names' of the model file ${labels}; export the model again, or write "labels" in model.json.`,
  );
}

/** `[height, width]`, or one number for both. */
function sizeOf(text: string): UltralyticsExport['size'] {
  const [, height, width = height] =
    /^\s*[[(]?\s*(\d+)\s*(?:,\s*(\d+)\s*)?[\])]?\s*$/.exec(text) ?? [];
  const sides = [height, width].map(Number);
  if (sides.every((side) => side >= 1 && side <= MAX_SIDE)) {
    return { height: sides[0]!, width: sides[1]! };
  }
  throw new ServeError(
    'INVALID_CONFIG',
    `The metadata 'imgsz' of the model file must be a size such as [640, 640] but is ${JSON.stringify(text.slice(0, 40))}; export the model again.`,
  );
}

/** A number and a colon, which a list does not have. */
const KEY = /\s*(?:(\d{1,9})|"(\d{1,9})"|'(\d{1,9})')\s*:/y;
const STRING = /\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")\s*/y;
const COMMA = /,/y;
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/g;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/**
 * The entries of a dictionary from numbers to strings, or of a list of strings, as Python or JSON writes them. Nothing is
 * evaluated.
 *
 * @returns Undefined for any other text.
 */
export function readNames(text: string): readonly (readonly [string, string])[] | undefined {
  const [, open, inner, close] = /^\s*([[{])([\s\S]*)([\]}])\s*$/.exec(text) ?? [];
  if (inner === undefined || (open === '{') !== (close === '}')) return undefined;
  const names: (readonly [string, string])[] = [];
  if (inner.trim() === '') return names;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(inner);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  for (;;) {
    const key = open === '{' ? take(KEY) : undefined;
    const value = key === null ? null : take(STRING);
    if (key === null || value === null) return undefined;
    const id = key === undefined ? String(names.length) : (key[1] ?? key[2] ?? key[3])!;
    const name = unescaped((value[1] ?? value[2])!);
    if (name === undefined) return undefined;
    names.push([String(Number(id)), name]);
    if (at === inner.length) return names;
    if (take(COMMA) === null) return undefined;
    if (inner.slice(at).trim() === '') return names;
  }
}

/** Undefined if an escape is none of those that Python writes. */
function unescaped(text: string): string | undefined {
  let isKnown = true;
  const name = text.replace(ESCAPE, (_, two, four, eight, one) => {
    const code = Number.parseInt(two ?? four ?? eight ?? '', 16);
    if (code <= 0x10ffff) return String.fromCodePoint(code);
    const character = one === undefined ? undefined : ESCAPES[one];
    isKnown &&= character !== undefined;
    return character ?? '';
  });
  return isKnown ? name : undefined;
}
