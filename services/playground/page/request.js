/** Sends the requests of the page. */

/**
 * What a panel asks the server: an object that becomes JSON, or the fields of a form with files. Fields that are undefined are left
 * out.
 *
 * @typedef {{
 *   path: string,
 *   body?: unknown,
 *   form?: readonly (readonly [name: string, value: File | string | number | boolean | undefined])[],
 * }} Ask
 *
 * What a response says about itself.
 * @typedef {{ status: number, ms: number, timing: string, cache: string, version: string, id: string }} About
 */

/**
 * Sends a request. Events of a stream are passed on as they come, and the last one with more than a delta is the response.
 *
 * @param {Ask} ask
 * @param {AbortSignal} signal
 * @param {(delta: string) => void} onDelta
 * @returns {Promise<{ json: any, about: About }>}
 * @throws {Error} with the sentence of the server
 */
export async function send({ path, body, form }, signal, onDelta) {
  const started = performance.now();
  const json = { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  // The browser writes the type of a form, with its boundary.
  const content = form === undefined ? json : { body: formOf(form) };
  const response = await fetch(path, { method: 'POST', ...content, signal });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  const answer = isStream ? await readEvents(response, onDelta) : await response.json();
  if (answer.error !== undefined) throw new Error(messageOf(answer.error));
  const header = (/** @type {string} */ name) => response.headers.get(name) ?? '';
  return {
    json: answer,
    about: {
      status: response.status,
      ms: performance.now() - started,
      timing: header('server-timing'),
      cache: header('x-cache'),
      version: answer.model_version ?? header('x-model-version'),
      id: header('x-request-id'),
    },
  };
}

/** @param {NonNullable<Ask['form']>} fields */
function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of fields) {
    if (value !== undefined) form.append(name, value instanceof File ? value : String(value));
  }
  return form;
}

/** @param {unknown} error */
const messageOf = (error) =>
  typeof error === 'string' ? error : /** @type {any} */ (error.message ?? 'The request failed.');

/**
 * @param {Response} response
 * @param {(delta: string) => void} onDelta
 */
async function readEvents(response, onDelta) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let last = {};
  let rest = '';
  for (;;) {
    const { done, value } = await /** @type {any} */ (reader).read();
    if (done) return last;
    const frames = (rest + value).split('\n\n');
    rest = frames.pop() ?? '';
    for (const frame of frames) {
      const data = frame.replace(/^data: /, '');
      if (data === '[DONE]') continue;
      const event = JSON.parse(data);
      const delta = event.delta ?? event.text_output;
      if (delta === undefined) last = event;
      else onDelta(delta);
    }
  }
}

/**
 * The command that sends the same request.
 *
 * @param {Ask} ask
 */
export function curl({ path, body, form }) {
  if (form !== undefined)
    return [`curl ${location.origin}${path}`, ...form.flatMap(part)].join(NEXT);
  const streams = /** @type {any} */ (body).stream === true || path.endsWith('_stream');
  const options = ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`];
  return [`curl ${streams ? '-N ' : ''}${location.origin}${path}`, ...options].join(NEXT);
}

const NEXT = ' \\\n  ';

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * An option of curl for a field of a form.
 *
 * @param {NonNullable<Ask['form']>[number]} field
 */
function part([name, value]) {
  if (value === undefined) return [];
  if (!(value instanceof File)) return [`--form-string ${quoted(`${name}=${value}`)}`];
  const isPlain = /^[\w.-]+$/.test(value.name);
  // Curl would take commas and semicolons for the ends of names.
  const file = isPlain ? value.name : `"${value.name.replace(/["\\]/g, '\\$&')}"`;
  return [`-F ${isPlain ? `${name}=@${file}` : quoted(`${name}=@${file}`)}`];
}

/**
 * The times of a response as rows of a table.
 *
 * @param {About} about
 * @returns {[string, string][]}
 */
export function times({ ms, timing, cache, version, id }) {
  const find = (/** @type {RegExp} */ pattern) => pattern.exec(timing)?.[1];
  /** @type {[string, string | undefined][]} */
  const rows = [
    ['Response', `${ms.toFixed(1)} ms`],
    ['Queue', withUnit(find(/queue;dur=([\d.]+)/))],
    ['Run', withUnit(find(/compute;dur=([\d.]+)/))],
    ['Rows in the batch', find(/batch;desc="([^"]+)"/)?.replace('/', ' of at most ')],
    ['Cache', cache],
    ['Version', version],
    ['Request', id],
  ];
  return /** @type {[string, string][]} */ (rows.filter(([, value]) => value));
}

/** @param {string | undefined} ms */
const withUnit = (ms) => (ms === undefined ? undefined : `${ms} ms`);
