/** @module What an error answer must look like. */

import assert from 'node:assert/strict';

/** Checks an error answer whole and returns its sentence. */
export async function assertErrorResponse(
  response: Response,
  status: number,
  code: string,
): Promise<string> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get('content-type'), 'application/json');
  const body = JSON.parse(text) as Record<string, string>;
  assert.deepEqual(Object.keys(body), ['error', 'code', 'request_id']);
  assert.equal(body.code, code, text);
  assert.equal(body.request_id, response.headers.get('x-request-id'));
  assert.doesNotMatch(
    body.error!,
    /\/(?!ready|docs|json)|0x|\.so\b|\bat .*:\d+/,
    'it tells an internal',
  );
  assert.match(body.error!, /^\S.*\.$/, 'it is no sentence');
  return body.error!;
}
