/** @module Signs webhooks, so that their receiver knows who sent them and when. */

import { createHmac } from 'node:crypto';

/**
 * The value of `X-Millrace-Signature`: `t=<seconds>,v1=<hexadecimal HMAC-SHA256 of "{t}.{body}">`.
 *
 * @param seconds Unix time.
 */
export function sign(body: string, seconds: number, secret: string): string {
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${mac}`;
}
