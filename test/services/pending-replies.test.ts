/** @module A thread that waits for the reply of another thread gets one even if that thread ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PendingReplies } from '../../services/pending-replies.ts';

test('each message gets the reply to its own number', async () => {
  const replies = new PendingReplies<string>();
  const numbers: number[] = [];
  const send = (number: number) => void numbers.push(number);
  const both = Promise.all([replies.expect(send), replies.expect(send)]);
  replies.settle(numbers[1]!, 'second');
  replies.settle(numbers[0]!, 'first');
  replies.settle(numbers[0]!, 'too late');
  assert.deepEqual(await both, ['first', 'second']);
});

test('messages to a thread that has ended get the last reply, whether sent before or after its end', async () => {
  const replies = new PendingReplies<string>();
  const before = replies.expect(() => {});
  replies.end('ended');
  assert.equal(await before, 'ended');
  const after = replies.expect(() => assert.fail('nothing is sent to a thread that has ended'));
  assert.equal(await after, 'ended');
});

test('a message that cannot be sent is rejected, and its reply is no longer awaited', async () => {
  const replies = new PendingReplies<string>();
  let number = 0;
  const sent = replies.expect((assigned) => {
    number = assigned;
    throw new Error('cannot be copied');
  });
  await assert.rejects(sent, /cannot be copied/);
  replies.settle(number, 'too late');
  replies.end('ended');
});
