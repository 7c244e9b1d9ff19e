/**
 * Reads the JSON form of protocol buffers by the schema of the message, with the same result as their text
 * format. Field names are those of the schema, in snake_case. The format: https://protobuf.dev/programming-guides/json/
 *
 * @module
 */

import protobuf from 'protobufjs';
import { FormatError, integer, type Plain } from './text-format.ts';

type Fields = Readonly<Record<string, unknown>>;

/** @throws {FormatError} for text that is not a message of the type in JSON. */
export function parseJsonFormat(text: string, type: protobuf.Type): Plain {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new FormatError('it is not valid JSON');
  }
  return readMessage(json, type, '');
}

/** @param at The position for errors, such as `input[0]`; '' at the top. */
function readMessage(json: unknown, type: protobuf.Type, at: string): Plain {
  const message: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fieldsOf(json, at || 'it'))) {
    const field = Object.hasOwn(type.fields, name) ? type.fields[name]! : undefined;
    if (field === undefined) {
      const known = Object.keys(type.fields).join(', ') || 'none';
      throw new FormatError(`${at || type.name} has no field ${name}; its fields are ${known}`);
    }
    field.resolve();
    const read = value === null ? undefined : readField(field, value, at ? `${at}.${name}` : name);
    if (read === undefined) continue;
    const rival = field.partOf?.fieldsArray.find((other) => other.name in message);
    if (rival !== undefined) throw new FormatError(`${name} is given beside ${rival.name}`);
    message[name] = read;
  }
  return message;
}

/** Undefined for an empty list or map, which means the same as none. */
function readField(field: protobuf.Field, value: unknown, at: string): unknown {
  if (field.map) {
    const entries = Object.entries(fieldsOf(value, at));
    if (entries.length === 0) return undefined;
    const map: Record<string, unknown> = Object.create(null);
    for (const [key, content] of entries) map[key] = readValue(field, content, `${at}.${key}`);
    return map;
  }
  if (!field.repeated) return readValue(field, value, at);
  if (!Array.isArray(value)) throw wrong(at, 'a list', value);
  if (value.length === 0) return undefined;
  return value.map((each, index) => readValue(field, each, `${at}[${index}]`));
}

function readValue({ resolvedType, type }: protobuf.Field, value: unknown, at: string): unknown {
  if (resolvedType instanceof protobuf.Type) return readMessage(value, resolvedType, at);
  if (resolvedType instanceof protobuf.Enum) {
    if (typeof value === 'string' && Object.hasOwn(resolvedType.values, value)) return value;
    const name = typeof value === 'number' ? resolvedType.valuesById[value] : undefined;
    if (name !== undefined) return name;
    throw wrong(at, `one of ${Object.keys(resolvedType.values).join(', ')}`, value);
  }
  if (type === 'string' || type === 'bytes') return checked(at, 'a string', value, 'string');
  if (type === 'bool') return checked(at, 'true or false', value, 'boolean');
  if (type === 'double' || type === 'float') return checked(at, 'a number', value, 'number');
  const whole = ['number', 'string'].includes(typeof value)
    ? integer(String(value), type)
    : undefined;
  if (whole === undefined) throw wrong(at, `a whole number of type ${type}`, value);
  return whole;
}

function fieldsOf(value: unknown, at: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(at, 'an object', value);
}

function checked(at: string, wanted: string, value: unknown, type: string): unknown {
  if (typeof value === type) return value;
  throw wrong(at, wanted, value);
}

function wrong(at: string, wanted: string, found: unknown): FormatError {
  return new FormatError(`${at} must be ${wanted}, found ${JSON.stringify(found)?.slice(0, 40)}`);
}
