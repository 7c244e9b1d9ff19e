/**
 * Reads the text format of protocol buffers, in which `config.pbtxt` is written, by the schema of the message
 * (decision record 0011). The format: https://protobuf.dev/reference/protobuf/textformat-spec/
 *
 * @module
 */

import protobuf from 'protobufjs';

/** A message as plain values. Enums are names; 64-bit integers are strings if a number would be inexact. */
export type Plain = Readonly<Record<string, unknown>>;

/** The error for text that is not a valid message, with the position. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}

/** Longest number of any type, leading zeros included, characters. */
const MAX_DIGITS = 64;

/** Deepest nesting of messages. */
const MAX_DEPTH = 32;

/** @throws {FormatError} for text that is not a message of the type. */
export function parseTextFormat(text: string, type: protobuf.Type): Plain {
  const reader = new Reader(text);
  const message = readFields(reader, type, undefined, 0);
  return message;
}

/** White space and comments, which are skipped. The kinds of tokens follow. */
const BLANK = /(?:\s|#[^\n]*(?:\n|$))*/y;
const TOKEN =
  /[A-Za-z_]\w*|[-+]?(?:\d[\w.]*(?:(?<=[eE])[-+]\d+)?|\.\d[\w.]*)|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\S/y;

class Reader {
  readonly #text: string;
  #at = 0;
  /** The next token, '' at the end. */
  token = '';

  constructor(text: string) {
    this.#text = text;
    this.advance();
  }

  /** Returns the token and reads the next one. */
  advance(): string {
    const taken = this.token;
    BLANK.lastIndex = this.#at;
    BLANK.test(this.#text);
    TOKEN.lastIndex = BLANK.lastIndex;
    this.token = TOKEN.exec(this.#text)?.[0] ?? '';
    this.#at = this.token === '' ? this.#text.length : TOKEN.lastIndex;
    return taken;
  }

  take(token: string): boolean {
    if (this.token !== token) return false;
    this.advance();
    return true;
  }

  error(what: string): FormatError {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    return new FormatError(`line ${line}: ${what}`);
  }

  get found(): string {
    return this.token === '' ? 'the end' : this.token;
  }
}

/** Reads fields up to `end`, or to the end of the text if that is undefined. */
function readFields(
  reader: Reader,
  type: protobuf.Type,
  end: string | undefined,
  depth: number,
): Plain {
  if (depth > MAX_DEPTH) throw reader.error(`messages are nested deeper than ${MAX_DEPTH} levels`);
  const message: Record<string, unknown> = {};
  while (reader.token !== (end ?? '')) {
    const name = reader.advance();
    if (name === '') throw reader.error(`expected ${end}, found the end`);
    const field = Object.hasOwn(type.fields, name) ? type.fields[name]! : undefined;
    if (field === undefined) {
      const known = Object.keys(type.fields).join(', ') || 'none';
      throw reader.error(`${type.name} has no field ${name}; its fields are ${known}`);
    }
    field.resolve();
    const colon = reader.take(':');
    if (field.repeated && reader.token === '[') {
      for (const value of readList(reader, field, depth)) keep(reader, message, field, value);
    } else {
      const isMessage = field.map || field.resolvedType instanceof protobuf.Type;
      if (!colon && !isMessage)
        throw reader.error(`expected : after ${name}, found ${reader.found}`);
      keep(reader, message, field, readValue(reader, field, depth));
    }
    if (!reader.take(',')) reader.take(';');
  }
  reader.advance();
  return message;
}

function readList(reader: Reader, field: protobuf.Field, depth: number): unknown[] {
  reader.advance();
  const values: unknown[] = [];
  while (!reader.take(']')) {
    if (values.length > 0 && !reader.take(',')) {
      throw reader.error(`expected , or ] in ${field.name}, found ${reader.found}`);
    }
    values.push(readValue(reader, field, depth));
  }
  return values;
}

/** Adds a value to its message. A field that is not repeated may be set once, and of the fields of a `oneof` only one. */
function keep(
  reader: Reader,
  message: Record<string, unknown>,
  field: protobuf.Field,
  value: unknown,
): void {
  const { name } = field;
  if (field.repeated) {
    message[name] ??= [];
    (message[name] as unknown[]).push(value);
    return;
  }
  if (field.map) {
    const { key = '', value: content } = value as { key?: unknown; value?: unknown };
    message[name] ??= Object.create(null);
    (message[name] as Record<string, unknown>)[String(key)] = content ?? absent(field);
    return;
  }
  const rival = field.partOf?.fieldsArray.find((other) => other.name in message);
  if (name in message || rival !== undefined) {
    throw reader.error(
      `${name} is given ${rival && rival !== field ? `beside ${rival.name}` : 'twice'}`,
    );
  }
  message[name] = value;
}

/** The value of a map entry that contains none. */
const absent = (field: protobuf.Field) => (field.resolvedType === null ? '' : {});

function readValue(reader: Reader, field: protobuf.Field, depth: number): unknown {
  if (field instanceof protobuf.MapField) {
    return readEntry(reader, field, readOpening(reader, field.name), depth + 1);
  }
  const { resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) {
    return readFields(reader, resolvedType, readOpening(reader, field.name), depth + 1);
  }
  return readScalar(reader, field.name, resolvedType ?? field.type);
}

function readOpening(reader: Reader, name: string): string {
  if (reader.take('{')) return '}';
  if (reader.take('<')) return '>';
  throw reader.error(`expected { after ${name}, found ${reader.found}`);
}

function readEntry(reader: Reader, field: protobuf.MapField, end: string, depth: number) {
  const entry: { key?: unknown; value?: unknown } = {};
  while (!reader.take(end)) {
    const name = reader.advance();
    const colon = reader.take(':');
    if (name === 'key' && colon) {
      entry.key = readScalar(reader, 'key', field.keyType);
    } else if (name === 'value' && field.resolvedType instanceof protobuf.Type) {
      entry.value = readFields(reader, field.resolvedType, readOpening(reader, 'value'), depth);
    } else if (name === 'value' && colon) {
      entry.value = readScalar(reader, 'value', field.resolvedType ?? field.type);
    } else {
      throw reader.error(`expected key or value in ${field.name}, found ${name || 'the end'}`);
    }
    if (!reader.take(',')) reader.take(';');
  }
  return entry;
}

function readScalar(
  reader: Reader,
  name: string,
  type: string | protobuf.ReflectionObject,
): unknown {
  const token = reader.advance();
  const wrong = (wanted: string) =>
    reader.error(`${name} must be ${wanted}, found ${token === '' ? 'the end' : token}`);
  if (type instanceof protobuf.Enum) {
    const byNumber = type.valuesById[Number(token)];
    if (Object.hasOwn(type.values, token)) return token;
    if (byNumber !== undefined) return byNumber;
    throw wrong(`one of ${Object.keys(type.values).join(', ')}`);
  }
  if (type === 'string' || type === 'bytes') {
    if (!/^(["']).*\1$/s.test(token) || token.length < 2) throw wrong('a string in quotes');
    let text = unquote(token);
    while (/^["']/.test(reader.token)) text += unquote(reader.advance());
    return text;
  }
  if (type === 'bool') {
    if (/^(?:true|True|t|1)$/.test(token)) return true;
    if (/^(?:false|False|f|0)$/.test(token)) return false;
    throw wrong('true or false');
  }
  if (type === 'double' || type === 'float') {
    const number = Number(token.replace(/f$/i, ''));
    if (token === '' || Number.isNaN(number)) throw wrong('a number');
    return number;
  }
  return integer(token, String(type)) ?? fail(wrong(`a whole number of type ${String(type)}`));
}

function fail(error: Error): never {
  throw error;
}

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** A decimal number from 1 to 999,999,999. */
const SHORT = /^[1-9]\d{0,8}$/;

/** The number that a token stands for; undefined if it is not a whole number of the type. */
export function integer(token: string, type: string): number | string | undefined {
  const range = RANGES[type];
  // Most numbers are so short that every type holds them.
  if (range !== undefined && SHORT.test(token)) return Number(token);
  // The time that a number takes grows with the square of its digits.
  if (token.length > MAX_DIGITS) return undefined;
  const parts = /^([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(token);
  if (parts === null || range === undefined) return undefined;
  const digits = parts[2]!.replace(/^0(?=[0-7])/, '0o');
  const value = parts[1] === '-' ? -BigInt(digits) : BigInt(digits);
  if (value < range[0] || value > range[1]) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unquote(token: string): string {
  return token
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))/g, (_, hex, octal, other) =>
      hex !== undefined
        ? String.fromCharCode(Number.parseInt(hex, 16))
        : octal !== undefined
          ? String.fromCharCode(Number.parseInt(octal, 8))
          : (ESCAPES[other] ?? other),
    );
}
