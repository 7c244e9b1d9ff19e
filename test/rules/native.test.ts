/** @module Rules about the layers of the C++ sources: batching ← generation ← ort ← addon, and batching ← codec ← image ← addon. */
import { each, rule } from './rule.ts';
import { code, includesOf, occurrences, type Source } from './sources.ts';

const cpp = (folder: string) => [`native/src/${folder}/**/*.{h,cc}`];
const standard = /^<[a-z_0-9]+>$/;
const onnxruntime = /^<onnxruntime_c_api\.h>$/;
const nodeApi = /^<(?:napi|node_api|js_native_api)\.h>$/;
const posix = /^<(?:dlfcn|errno|fcntl|pthread|sched|time|unistd|sys\/\w+|linux\/\w+)\.h>$/;
/** Headers of instructions that not every processor has. */
const intrinsics = /^<(?:immintrin|cpuid)\.h>$/;

/** Checks that a layer includes only what one of the patterns allows, and its own files. */
function layer(allowed: readonly RegExp[], folders: readonly string[]) {
  const own = new RegExp(`^"(?:(?:${folders.join('|')})/)?[a-z_0-9]+\\.h"$`);
  return each((source: Source) =>
    includesOf(source)
      .filter((target) => ![...allowed, own].some((pattern) => pattern.test(target)))
      .map((target) => `${source.path} includes ${target}`),
  );
}

rule({
  title: 'batching/ includes the standard library and itself, and one file the futex call',
  files: cpp('batching'),
  check: (sources) => {
    const strict = layer([standard], ['batching'])(sources);
    const beyond = layer([standard, posix], ['batching'])(sources);
    const parkers = new Set(
      strict.filter((line) => !beyond.includes(line)).map((line) => line.split(' ')[0]),
    );
    return parkers.size > 1 ? strict : beyond;
  },
  breaches: [
    { path: 'native/src/batching/a.h', text: '#include <onnxruntime_c_api.h>' },
    { path: 'native/src/batching/a.h', text: '#include "ort/session.h"' },
    { path: 'native/src/batching/a.cc', text: '#include <unistd.h>' },
  ],
  allowed: [
    { path: 'native/src/batching/b.h', text: '#include <atomic>\n#include "batching/clock.h"' },
    {
      path: 'native/src/batching/futex.h',
      text: '#include <linux/futex.h>\n#include <sys/syscall.h>',
    },
  ],
});

rule({
  title: 'generation/ includes the standard library and batching/',
  files: cpp('generation'),
  check: layer([standard], ['batching', 'generation']),
  breaches: [
    { path: 'native/src/generation/a.cc', text: '#include <onnxruntime_c_api.h>' },
    { path: 'native/src/generation/a.cc', text: '#include "ort/session.h"' },
  ],
  allowed: [
    { path: 'native/src/generation/b.cc', text: '#include <span>\n#include "batching/clock.h"' },
  ],
});

rule({
  title: 'ort/ includes batching/, generation/ and ONNX Runtime',
  files: cpp('ort'),
  check: layer([standard, posix, intrinsics, onnxruntime], ['batching', 'generation', 'ort']),
  breaches: [
    { path: 'native/src/ort/a.cc', text: '#include <napi.h>' },
    { path: 'native/src/ort/a.cc', text: '#include "addon/convert.h"' },
  ],
  allowed: [{ path: 'native/src/ort/b.cc', text: '#include <dlfcn.h>\n#include "ort/api.h"' }],
});

rule({
  title: 'codec/ includes the standard library and batching/',
  files: cpp('codec'),
  check: layer([standard], ['batching', 'codec']),
  breaches: [
    { path: 'native/src/codec/a.cc', text: '#include <napi.h>' },
    { path: 'native/src/codec/a.cc', text: '#include "ort/session.h"' },
  ],
  allowed: [
    { path: 'native/src/codec/b.cc', text: '#include <charconv>\n#include "batching/tensor.h"' },
  ],
});

rule({
  title: 'image/ includes the standard library, batching/ and codec/',
  files: cpp('image'),
  check: layer([standard, intrinsics], ['batching', 'codec', 'image']),
  breaches: [
    { path: 'native/src/image/a.cc', text: '#include <napi.h>' },
    { path: 'native/src/image/a.cc', text: '#include "ort/session.h"' },
  ],
  allowed: [
    { path: 'native/src/image/b.cc', text: '#include <immintrin.h>\n#include "codec/image.h"' },
  ],
});

rule({
  title: 'addon/ includes the other layers and Node-API',
  files: cpp('addon'),
  check: layer(
    [standard, posix, nodeApi],
    ['batching', 'generation', 'codec', 'image', 'ort', 'addon'],
  ),
  breaches: [
    { path: 'native/src/addon/a.cc', text: '#include <onnxruntime_c_api.h>' },
    { path: 'native/src/addon/a.cc', text: '#include <v8.h>' },
  ],
  allowed: [
    { path: 'native/src/addon/b.cc', text: '#include <napi.h>\n#include "batching/batcher.h"' },
  ],
});

rule({
  title: 'functions that JavaScript can call are named JS_…, except constructors',
  files: cpp('addon'),
  check: each((source) =>
    occurrences(
      source,
      code(source.text, { strings: true }),
      /\b(?:napi_value|void|Napi::\w+)\s+(?:\w+::)?(?!JS_)\w+\s*\(\s*(?:const\s+)?(?:Napi::CallbackInfo\s*&|napi_env\s+\w+\s*,\s*napi_callback_info\b)/g,
    ),
  ),
  breaches: [
    { path: 'native/src/addon/a.h', text: 'Napi::Value Run(const Napi::CallbackInfo& info);' },
    {
      path: 'native/src/addon/a.cc',
      text: 'napi_value Close(napi_env env, napi_callback_info info) {',
    },
  ],
  allowed: [
    {
      path: 'native/src/addon/b.h',
      text: 'class ModelWrap {\n  ModelWrap(const Napi::CallbackInfo& info);\n  Napi::Value JS_run(const Napi::CallbackInfo& info);\n};',
    },
  ],
});

rule({
  title: 'only code of the JavaScript thread can use JavaScript values',
  files: [
    ...cpp('batching'),
    ...cpp('generation'),
    ...cpp('codec'),
    ...cpp('image'),
    ...cpp('ort'),
  ],
  check: each((source) =>
    occurrences(source, code(source.text), /\b(?:napi_\w+|Napi::\w+|v8::\w+)/g),
  ),
  breaches: [{ path: 'native/src/batching/a.h', text: 'napi_value result;' }],
});

const layoutFile = 'native/layout.ts';

/** The layout constants of a C++ header or of the TypeScript file, as `NAME = value`, in their order. */
function layoutConstants({ path, text }: Source): string[] {
  const pattern =
    path === layoutFile
      ? /^export const (\w+) = (-?\d+);$/gm
      : /^inline constexpr int k(\w+) = (-?\d+);$/gm;
  return [...text.matchAll(pattern)].map(([, name = '', value]) => {
    const constant = name.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
    return `${constant} = ${value}`;
  });
}

rule({
  title: 'layout.ts has the constants of the layout headers, with the same values',
  files: [layoutFile, 'native/src/addon/mailbox_layout.h', 'native/src/codec/flat_layout.h'],
  check: (sources) => {
    const constants = (own: boolean) =>
      sources.filter(({ path }) => (path === layoutFile) === own).flatMap(layoutConstants);
    const here = constants(true);
    const headers = constants(false);
    return [
      ...headers
        .filter((line) => !here.includes(line))
        .map((line) => `${layoutFile} lacks ${line}`),
      ...here.filter((line) => !headers.includes(line)).map((line) => `No header has ${line}`),
    ];
  },
  breaches: [
    { path: 'native/src/addon/a_layout.h', text: 'inline constexpr int kOutputRank = 1;' },
    { path: layoutFile, text: 'export const OUTPUT_RANK = 2;' },
  ],
  allowed: [
    { path: 'native/src/addon/b_layout.h', text: 'inline constexpr int kQueueMs = 5;' },
    { path: layoutFile, text: 'export const QUEUE_MS = 5;' },
  ],
});

/** The enums whose numbers TypeScript repeats: where each stands in C++, and the constant that repeats it. */
const enums = [
  ['native/src/batching/status.h', 'Code', 'native/errors.ts', 'errorCodes'],
  ['native/src/batching/policy.h', 'PolicyKind', 'native/binding.ts', 'POLICIES'],
  ['native/src/addon/loaded_model.h', 'BatchingMode', 'native/binding.ts', 'BATCHING_MODES'],
  ['native/src/batching/tensor.h', 'ElementType', 'native/codec.ts', 'typeNumbers'],
  ['native/src/codec/json_cursor.h', 'NonFinite', 'native/codec.ts', 'nonFiniteNumbers'],
  ['native/src/image/resample.h', 'ResampleFilter', 'native/images.ts', 'filterNumbers'],
  [
    'native/src/generation/options.h',
    'EarlyStopping',
    'native/generation-binding.ts',
    'EARLY_STOPPING',
  ],
] as const;

/** The enumerators of a C++ enum, as `name = number` in small letters; `undefined` and `ok` have no TypeScript. */
function enumerators(text: string, name: string): string[] {
  const body = new RegExp(`enum class ${name}\\b[^{]*\\{([^}]*)\\}`).exec(text)?.[1] ?? '';
  let next = 0;
  return [...body.replace(/\/\/.*/g, '').matchAll(/\bk(\w+)(?: = (\d+))?/g)]
    .map(([, enumerator = '', value]) => {
      const number = value === undefined ? next : Number(value);
      next = number + 1;
      return `${enumerator.toLowerCase()} = ${number}`;
    })
    .filter((line) => !/^(?:undefined|ok) = 0$/.test(line));
}

/** The same of a TypeScript object of numbers, or of a list of names whose first is 1. */
function repeated(text: string, name: string): string[] {
  const value = new RegExp(`const ${name}\\b[^=]*= ([[{][^\\]}]*)`).exec(text)?.[1] ?? '';
  const names = [...value.matchAll(/'(\w+)'/g)].map(([, item], index) => [item, index + 1]);
  const members = [...value.matchAll(/(\w+): (\d+)/g)].map(([, key, number]) => [key, number]);
  return [...names, ...members].map(
    ([key, number]) => `${String(key).replaceAll('_', '').toLowerCase()} = ${number}`,
  );
}

rule({
  title: 'enums that cross the addon have the same numbers in C++ and TypeScript',
  files: [...new Set(enums.flatMap(([header, , script]) => [header, script]))],
  check: (sources) =>
    enums.flatMap(([header, name, script, constant]) => {
      const textOf = (file: string) => sources.find(({ path }) => path === file)?.text;
      const [cppText, text] = [textOf(header), textOf(script)];
      if (cppText === undefined || text === undefined) return [];
      const expected = enumerators(cppText, name).sort().join(', ');
      const found = repeated(text, constant).sort().join(', ');
      const same = expected === found && found !== '';
      return same ? [] : [`${script}: ${constant} is ${found}, but ${name} is ${expected}`];
    }),
  breaches: [
    { path: 'native/errors.ts', text: "const errorCodes = ['NOT_FOUND', 'INVALID_ARGUMENT'];" },
    { path: 'native/errors.ts', text: "const errorCodes = ['INVALID_ARGUMENT'];" },
    { path: 'native/errors.ts', text: 'const others = 1;' },
    { path: 'native/binding.ts', text: 'const POLICIES = { busy: 0, timer: 2 };' },
  ],
  allowed: [
    {
      path: 'native/src/batching/status.h',
      text: 'enum class Code : uint8_t {\n  kOk,\n  kInvalidArgument,  // kNone\n  kNotFound,\n};',
    },
    {
      path: 'native/src/batching/policy.h',
      text: 'enum class PolicyKind : uint8_t { kBusy, kTimer };',
    },
  ],
});
