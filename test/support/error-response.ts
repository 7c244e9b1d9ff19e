/** @module Checks error responses. */

import assert from 'node:assert/strict';

/** Checks status, headers and body of an error response, and returns its message. */
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
    /\/(?!ready|docs|playground|json)|0x|\.so\b|\bat .*:\d+/,
    'the message has a path or an address',
  );
  assert.match(body.error!, /^\S.*\.$/, 'the message is not a sentence');
  return body.error!;
}
