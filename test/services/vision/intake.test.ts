/** @module Tests what is read of requests with images: forms, files, JSON, and their options. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  bytes,
  bytesHeld,
  END,
  FORM_TYPE,
  form,
  imagePart,
  inPieces,
  json,
  part,
  read,
  refusal,
  type Sent,
} from './intake-support.ts';

const MIB = 1024 * 1024;

/** The images as texts, and the rest of what was read. */
async function texts(sent: Sent) {
  const { images, isList, json: options, texts, members } = await read(sent);
  return {
    images: images.map((image) => Buffer.from(image).toString('latin1')),
    isList,
    options,
    texts,
    members,
  };
}

/** Bytes of every value, with the beginnings of boundaries among them. */
function trickyImage(length: number): Uint8Array<ArrayBuffer> {
  const image = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
  const trick = bytes('\r\n--edg', '\r\n--', '\r\r\n--edgE', '\r\n-', '\r\n--edge'.slice(0, -1));
  for (let at = 0; at + trick.length < length; at += 1000) image.set(trick, at);
  return image;
}

const base64 = (image: Uint8Array | string) =>
  Buffer.from(image as string, 'latin1').toString('base64');

describe('a form', () => {
  test('has one image and options', async () => {
    const found = await texts(form(imagePart('abc'), part('name="top_k"', '3')));
    assert.deepEqual(found, {
      images: ['abc'],
      isList: false,
      options: { top_k: '3' },
      texts: { top_k: '3' },
      members: {},
    });
  });

  test('has several images in their order, which make a list', async () => {
    const { images, isList } = await texts(
      form(imagePart('a'), part('name="x"', '1'), imagePart('b')),
    );
    assert.deepEqual([images, isList], [['a', 'b'], true]);
  });

  test('may call its images by other names, of which images makes a list', async () => {
    assert.equal((await texts(form(imagePart('a', 'file')))).isList, false);
    assert.equal((await texts(form(imagePart('a', 'images')))).isList, true);
  });

  test('has options that repeat, as lists', async () => {
    const { options } = await texts(
      form(
        part('name="classes"', 'cat'),
        imagePart(),
        part('name="classes"', 'dog'),
        part('name="classes"', Buffer.from('ö')),
      ),
    );
    assert.deepEqual(options, { classes: ['cat', 'dog', 'ö'] });
  });

  test('has no options that are empty', async () => {
    const fields = [
      part('name="model"', ''),
      part('name="top_k"', ''),
      part('name="classes"', ''),
      part('name="classes"', 'cat'),
    ];
    const found = await texts({ ...form(imagePart(), ...fields), query: '?top_k=5&model=' });
    assert.deepEqual(found.options, { top_k: '5', classes: 'cat' });
  });

  test('is refused with the place of an image of more than 20 MiB', async () => {
    const large = imagePart(new Uint8Array(20 * MIB + 1));
    const one = imagePart();
    assert.match(
      await refusal(form(one, one, large)),
      /^IMAGE_TOO_LARGE images\[2\] has more than/,
    );
    assert.match(await refusal(form(large)), /^IMAGE_TOO_LARGE image has more than/);
  });

  test('is one of the host, whose boundary it knows', async () => {
    const data = new FormData();
    const image = trickyImage(100_000);
    data.append('image', new Blob([image]), '../../a\0.jpg');
    data.append('ümläut "quoted"', 'ö');
    const { images, json: options } = await read({ body: data });
    assert.deepEqual(Buffer.from(images[0]!), Buffer.from(image));
    assert.deepEqual(Object.values(options as object), ['ö']);
  });

  test('may have text around it, blanks after boundaries, and a quoted boundary', async () => {
    const body = bytes(
      'before\r\n--edge \t\r\nContent-Disposition: form-data; name=image\r\n\r\nabc\r\n--edge--\r\nafter',
    );
    const { images } = await texts({
      body,
      type: 'multipart/form-data; charset=utf-8; boundary="edge"',
    });
    assert.deepEqual(images, ['abc']);
  });

  test('is read the same in pieces of any size', async () => {
    const image = trickyImage(3000);
    const whole = bytes(
      part('name="x"', '1'),
      imagePart(image),
      imagePart('b'),
      part('name="y"', '2'),
      END,
    );
    for (const size of [1, 2, 3, 7, 50, 1000, whole.length]) {
      const { images, json: options } = await read({
        body: inPieces(whole, size),
        type: FORM_TYPE,
      });
      assert.deepEqual(
        images.map((each) => Buffer.from(each)),
        [Buffer.from(image), Buffer.from('b')],
        `${size}`,
      );
      assert.deepEqual(options, { x: '1', y: '2' });
    }
  });

  test('has names that objects have, too', async () => {
    const { options } = await texts(
      form(imagePart(), part('name="__proto__"', 'x'), part('name="toString"', 'y')),
    );
    assert.deepEqual(Object.entries(options as object), [
      ['__proto__', 'x'],
      ['toString', 'y'],
    ]);
  });

  test('may be compressed', async () => {
    const { body } = form(imagePart('abc'));
    const sent = { body: Uint8Array.from(gzipSync(body as Uint8Array)), type: FORM_TYPE };
    assert.deepEqual((await texts({ ...sent, headers: { 'Content-Encoding': 'gzip' } })).images, [
      'abc',
    ]);
  });

  test('of 32 images and 60 MiB', async () => {
    const image = new Uint8Array(1.9 * MIB);
    const { images } = await read(form(...Array.from({ length: 32 }, () => imagePart(image))));
    assert.deepEqual(
      images.map(({ length }) => length),
      Array(32).fill(image.length),
    );
  });
});

describe('a file alone', () => {
  for (const type of [
    'image/jpeg',
    'image/x-anything; q=1',
    'application/octet-stream',
    'IMAGE/PNG',
    undefined,
  ]) {
    test(`is read as ${type}`, async () => {
      const found = await texts({ body: bytes('abc'), type, query: '?top_k=3' });
      assert.deepEqual(found, {
        images: ['abc'],
        isList: false,
        options: { top_k: '3' },
        texts: { top_k: '3' },
        members: {},
      });
    });
  }

  test('may be of 20 MiB, and come in pieces', async () => {
    const file = trickyImage(20 * MIB);
    const { images } = await read({ body: inPieces(file, 65_536), type: 'image/png' });
    assert.ok(Buffer.from(images[0]!).equals(file));
  });
});

describe('JSON', () => {
  test('has an image as a data URL or as base64 alone', async () => {
    for (const text of [
      `data:image/png;base64,${base64('abcd')}`,
      `DATA:;BASE64,${base64('abcd')}`,
      base64('abcd'),
      'YWJjZA',
    ]) {
      const found = await texts(json({ image: text, top_k: 3 }));
      assert.deepEqual(found, {
        images: ['abcd'],
        isList: false,
        options: { top_k: 3 },
        texts: {},
        members: { top_k: 3 },
      });
    }
  });

  test('has a list of images', async () => {
    const { images, isList } = await texts(json({ images: [base64('a'), base64('b')] }));
    assert.deepEqual([images, isList], [['a', 'b'], true]);
  });

  test('has a list of one image, which is a list, too', async () => {
    assert.equal((await texts(json({ images: [base64('a')] }))).isList, true);
  });

  test('has large images among other members, with and without escaped slashes', async () => {
    const image = trickyImage(5 * MIB + 1);
    const text = `data:image/jpeg;base64,${base64(image)}`;
    for (const escaped of [false, true]) {
      const written = JSON.stringify({
        a: 'x"\\',
        images: [text, base64('b'), text],
        z: ['\\"', 1],
      });
      const body = escaped ? written.replaceAll('/', '\\/') : written;
      const { images, json: options } = await read(json(body));
      assert.deepEqual(
        images.map(({ length }) => length),
        [image.length, 1, image.length],
      );
      assert.ok(Buffer.from(images[2]!).equals(image));
      assert.deepEqual(options, { a: 'x"\\', z: ['\\"', 1] });
    }
  });

  test('takes precedence over the query, of which a name may repeat', async () => {
    const sent = {
      ...json({ image: base64('a'), top_k: 3 }),
      query: '?top_k=5&classes=a&classes=b%20c&x=',
    };
    const found = await texts(sent);
    assert.deepEqual(found.options, { top_k: 3, classes: ['a', 'b c'] });
    assert.deepEqual(found.texts, { top_k: '5', classes: ['a', 'b c'] });
    assert.deepEqual(found.members, { top_k: 3 });
  });

  test('may be compressed', async () => {
    const body = Uint8Array.from(gzipSync(JSON.stringify({ image: base64('abc') })));
    const sent = { body, type: 'application/json', headers: { 'Content-Encoding': 'gzip' } };
    assert.deepEqual((await texts(sent)).images, ['abc']);
  });
});

describe('the end of the request', () => {
  const image = new Uint8Array(2 * MIB).fill(7);
  const bodies: readonly (readonly [kind: string, sent: Sent])[] = [
    ['a form', form(imagePart(image), imagePart(image))],
    ['a file', { body: image, type: 'image/png' }],
    ['JSON', json({ images: [base64(image), base64(image)] })],
  ];
  for (const [kind, sent] of bodies) {
    test(`frees the images of ${kind} if nothing reads them any more`, async () => {
      const { images } = await read(sent, undefined, (body) => body.free());
      assert.deepEqual(
        images.map(({ length }) => length),
        images.map(() => 0),
      );
    });

    test(`leaves the images of ${kind} to those who read them`, async () => {
      const { images, free } = await read(sent);
      assert.ok(images.every((each) => each.length === image.length && each[9] === 7));
      free();
      assert.ok(images.every(({ length }) => length === 0));
    });
  }
});

test('no bytes stay counted', () => {
  assert.equal(bytesHeld(), 0);
});
