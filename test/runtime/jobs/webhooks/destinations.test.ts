import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkWebhook,
  permitted,
  readAllowed,
} from '../../../../runtime/jobs/webhooks/destinations.ts';

const none = readAllowed([]);

/** Addresses that only this server may reach, by what they are. */
const LOCAL: Readonly<Record<string, readonly string[]>> = {
  'this host': ['0.0.0.0', '0.1.2.3', '::'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fdff::1'],
  'link-local': ['169.254.169.254', 'fe80::1', 'febf::1', 'fec0::1'],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255'],
  benchmark: ['198.18.0.1', '198.19.255.255', '2001:2::1'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
  'multicast and broadcast': ['224.0.0.1', '239.1.1.1', '255.255.255.255', 'ff02::1'],
  reserved: ['192.0.0.1', '240.0.0.1', '100::1', '2001::1', '2001:20::1', '4000::1', '5f00::1'],
  'IPv4-mapped': ['::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::ffff:0:10.0.0.1', '::127.0.0.1'],
  NAT64: ['64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1'],
  '6to4': ['2002:7f00:1::1', '2002:a9fe:a9fe::', '2002:c0a8:101::1'],
};

const PUBLIC = ['8.8.8.8', '100.63.255.255', '172.32.0.1', '2606:4700::1111', '64:ff9b::808:808'];

const inUrl = (address: string) => (address.includes(':') ? `[${address}]` : address);

const refusal = (url: string, allowed = none): string => {
  try {
    return `taken: ${checkWebhook(url, allowed)}`;
  } catch (error) {
    return (error as Error).message;
  }
};

for (const [kind, addresses] of Object.entries(LOCAL)) {
  test(`webhooks are never sent to ${kind}`, () => {
    for (const address of addresses) {
      assert.match(refusal(`https://${inUrl(address)}/hook`), /host of the internet/, address);
      const named = new URL('https://hooks.example.com/');
      assert.throws(() => permitted(named, [address], none), /host of the internet/, address);
    }
  });
}

test('webhooks are sent to hosts of the internet', () => {
  for (const address of PUBLIC) {
    const url = `https://${inUrl(address)}/hook`;
    assert.equal(checkWebhook(url, none), new URL(url).href);
    assert.deepEqual(permitted(new URL('https://a.example/'), [address], none), [address]);
  }
});

test('an address is recognised however it is written', () => {
  for (const host of [
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '①②⑦.0.0.1',
  ]) {
    assert.match(refusal(`https://${host}/`), /host of the internet/, host);
  }
  assert.match(refusal('https://[0:0:0:0:0:ffff:7f00:1]/'), /host of the internet/);
});

test('of the addresses of a name only the permitted ones are used', () => {
  const url = new URL('https://hooks.example.com/');
  assert.deepEqual(permitted(url, ['10.0.0.1', '8.8.8.8', '::1', 'nonsense'], none), ['8.8.8.8']);
  assert.throws(() => permitted(url, [], none), /host of the internet/);
});

test('mistakes in a URL are refused when the job is taken', () => {
  for (const [url, message] of [
    ['', /must be a URL/],
    ['hooks.example.com', /must be a URL/],
    ['//hooks.example.com/a', /must be a URL/],
    [`https://example.com/${'a'.repeat(2048)}`, /at most 2048/],
    ['ftp://example.com/', /start with https/],
    ['file:///etc/passwd', /start with https/],
    ['javascript:alert(1)', /start with https/],
    ['http://example.com/', /start with https/],
    ['http://8.8.8.8/', /start with https/],
    ['https://user@example.com/', /user name or a password/],
    ['https://user:secret@example.com/', /user name or a password/],
    ['https://:secret@example.com/', /user name or a password/],
  ] as const) {
    assert.match(refusal(url), message, url);
  }
});

test('a name is taken without being resolved', () => {
  assert.equal(checkWebhook('https://localhost/hook', none), 'https://localhost/hook');
  assert.throws(() => permitted(new URL('https://localhost/hook'), ['127.0.0.1', '::1'], none));
});

test('a named host may be local and without TLS, on its port', () => {
  const allowed = readAllowed(['hooks.internal', 'other.internal:8080', '10.0.0.5:80', '::1']);
  for (const url of [
    'http://hooks.internal/a',
    'http://HOOKS.internal:9999/a',
    'https://hooks.internal./a',
    'http://other.internal:8080/a',
    'http://10.0.0.5/a',
    'https://[::1]:8443/a',
  ]) {
    assert.equal(refusal(url, allowed), `taken: ${new URL(url).href}`);
    assert.deepEqual(permitted(new URL(url), ['10.0.0.1'], allowed), ['10.0.0.1']);
  }
  for (const url of [
    'http://other.internal:8081/a',
    'http://other.internal/a',
    'http://sub.hooks.internal/a',
    'http://hooks.internal.example.com/a',
    'https://10.0.0.5/a',
    'http://[::ffff:10.0.0.5]/a',
  ]) {
    assert.match(refusal(url, allowed), /^webhook must/, url);
  }
});

test('a named network may be local and without TLS', () => {
  const allowed = readAllowed(['10.1.0.0/16', 'fd00::/8']);
  for (const host of ['10.1.2.3', '[fd00::1]', '[::ffff:10.1.2.3]', '[64:ff9b::10.1.2.3]']) {
    assert.match(refusal(`http://${host}/`, allowed), /^taken/, host);
  }
  for (const host of ['10.2.0.1', '[fc00::1]', '8.8.8.8']) {
    assert.match(refusal(`http://${host}/`, allowed), /^webhook must/, host);
  }
  // Whether a name lies in the network is known when it is resolved.
  const url = new URL('http://hooks.internal/');
  assert.equal(checkWebhook(url.href, allowed), url.href);
  assert.deepEqual(permitted(url, ['10.1.0.9', '10.2.0.9', '8.8.8.8'], allowed), ['10.1.0.9']);
  assert.throws(() => permitted(url, ['8.8.8.8'], allowed), /start with https/);
});

test('a mistake in WEBHOOK_ALLOW stops the start', () => {
  for (const entry of ['', 'http://a', 'a/b', 'a b', 'user@a', 'a:99999', '10.0.0.0/33', 'a?b']) {
    assert.throws(() => readAllowed([entry]), /WEBHOOK_ALLOW has/, entry);
  }
});
