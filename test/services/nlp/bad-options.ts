/** @module Options, models and forms that are wrong, by route. */

import {
  INVALID,
  NO_MODEL,
  NOT_JSON,
  NOT_READY,
  type Problem,
  problemsOf,
  TOO_LARGE,
  WRONG_TASK,
} from './problem.ts';

const good = { text: 'fine' };
const sentiment = '/analyze/sentiment';

const models: readonly Problem[] = [
  ...problemsOf({ path: sentiment, ...INVALID }, [
    ['a negative top_k', { ...good, top_k: -1 }, /top_k must be at least 0 but is -1/],
    ['half a top_k', { ...good, top_k: 1.5 }, /top_k must be a whole number but is 1.5/],
    ['a top_k that is a string', { ...good, top_k: '2' }, /top_k must be a number/],
    ['truncate that is a string', { ...good, truncate: 'yes' }, /truncate must be true or false/],
    ['a negative stride', { ...good, stride: -1 }, /stride must be at least 0/],
    ['half a stride', { ...good, stride: 0.5 }, /stride must be a whole number/],
    ['a stride of 1e300', { ...good, stride: 1e300 }, /stride must be/],
    ['a model that is a number', { ...good, model: 1 }, /model must be a string/],
    ['a version that is a list', { ...good, model_version: ['1'] }, /model_version must be a/],
  ]),
  ...problemsOf({ path: sentiment, ...NO_MODEL }, [
    [
      'an unknown model',
      { ...good, model: 'rose' },
      /^There is no model 'rose'; available for text-classification: 'sentiment'\.$/,
    ],
    ['the model __proto__', { ...good, model: '__proto__' }, /'__proto__'/],
  ]),
  ...problemsOf({ path: sentiment, status: 404, code: 'VERSION_NOT_FOUND' }, [
    ['an unknown version', { ...good, model_version: 'v9' }, /no version 'v9'/],
  ]),
  ...problemsOf({ path: sentiment, ...WRONG_TASK }, [
    ['a model for entities', { ...good, model: 'ner' }, /token-class.*text-class|text.*token/],
    ['a model for rows', { ...good, model: 'iris' }, /'iris'/],
    ['a zero-shot model', { ...good, model: 'nli' }, /zero-shot-classification/],
  ]),
  ...problemsOf({ path: '/embed', ...WRONG_TASK }, [
    ['a sentiment model for vectors', { ...good, model: 'sentiment' }, /feature-extraction/],
  ]),
  ...problemsOf({ path: '/embed', ...NOT_READY }, [
    ['a corrupt tokenizer.json', { ...good, model: 'broken' }, /tokenizer\.json/],
  ]),
  ...problemsOf({ path: sentiment, ...NOT_READY }, [
    ['fewer labels than scores', { ...good, model: 'beyond' }, /label/],
  ]),
  ...problemsOf({ path: sentiment, ...NOT_READY }, [
    ['a folder without tokenizer.json', { ...good, model: 'bare' }, /save_pretrained/],
  ]),
];

const ner = problemsOf({ path: '/analyze/ner', ...INVALID }, [
  ['an unknown aggregation', { ...good, aggregation: 'most' }, /must be one of "simple", "none"/],
  ['a threshold above 1', { ...good, threshold: 2 }, /threshold must be at most 1 but is 2/],
  ['a threshold below 0', { ...good, threshold: -0.1 }, /threshold must be at least 0/],
  ['a threshold that is a word', { ...good, threshold: 'high' }, /threshold must be a number/],
  ['a label that the model lacks', { ...good, labels: ['PLANET'] }, /"PLANET".*PER/],
  ['no labels to keep', { ...good, labels: [] }, /labels has 0 elements/],
  ['a number as a label', { ...good, labels: ['ORG', 1] }, /labels\[1\] must be a string/],
  ['an unknown unit', { ...good, offset_unit: 'bytes' }, /must be one of "utf16", "codepoint"/],
]);

const labelled = { ...good, labels: ['a'] };
const hundred = Array.from({ length: 100 }, (_, i) => `label ${i}`);

const zeroShot: readonly Problem[] = [
  ...problemsOf({ path: '/analyze/zero-shot', ...INVALID }, [
    ['no labels', good, /labels must be a list of strings but is missing/],
    ['an empty list of labels', { ...good, labels: [] }, /labels has 0 elements; send 1 to 100/],
    ['101 labels', { ...good, labels: Array(101).fill('a') }, /labels has 101 elements/],
    ['a label that is null', { ...good, labels: ['a', null] }, /labels\[1\]/],
    ['a surrogate in a label', '{"text":"a","labels":["b\\ud800"]}', /labels\[0\] has a lone/],
    ['a template without {}', { ...labelled, hypothesis_template: 'It.' }, /hypothesis_template/],
    ['a template of a number', { ...labelled, hypothesis_template: 1 }, /must be a string/],
    [
      'a surrogate in a template',
      '{"text":"a","labels":["b"],"hypothesis_template":"{}\\udfff"}',
      /hypothesis_template has a lone surrogate/,
    ],
    ['multi_label that is a word', { ...labelled, multi_label: 'no' }, /must be true or false/],
  ]),
  ...problemsOf({ path: '/analyze/zero-shot', ...TOO_LARGE }, [
    ['100,000 pairs', { texts: Array(1000).fill('a'), labels: hundred }, /100000|pairs/],
  ]),
];

const embed: readonly Problem[] = [
  ...problemsOf({ path: '/embed', ...INVALID }, [
    ['no dimensions', { ...good, dimensions: 0 }, /dimensions must be at least 1/],
    ['more dimensions than there are', { ...good, dimensions: 25 }, /dimensions.*(25.*24|24.*25)/],
    ['half a dimension', { ...good, dimensions: 1.5 }, /dimensions must be a whole number/],
    ['an unknown pooling', { ...good, pooling: 'median' }, /must be one of "mean", "cls"/],
    ['an unknown prompt', { ...good, prompt_name: 'question' }, /"question".*query/],
    ['normalize that is a number', { ...good, normalize: 1 }, /normalize must be true or false/],
    ['inputs and text', { ...good, inputs: 'a' }, /unknown key 'text'/],
    ['inputs that are a number', { inputs: 1 }, /inputs must be a string or a list/],
    ['ids of tokens', { inputs: [101, 102] }, /ids of tokens; send texts/],
    ['lists of ids', { inputs: [[101, 102]] }, /ids of tokens/],
    ['no inputs', { inputs: [] }, /inputs has 0 elements/],
    ['null among inputs', { inputs: ['a', null] }, /inputs\[1\]/],
    ['a cut at the start', { inputs: 'a', truncation_direction: 'left' }, /at their end/],
    ['an unknown direction', { inputs: 'a', truncation_direction: 'up' }, /direction must be/],
    ['a surrogate in inputs', '{"inputs":["a","\\ud800"]}', /inputs\[1\] has a lone surrogate/],
  ]),
  ...problemsOf({ path: '/', ...INVALID }, [
    ['our form at the root', good, /inputs must be a string or a list of strings/],
    ['no inputs at the root', {}, /inputs must be/],
  ]),
];

const ranked = { query: 'a', documents: ['b'] };

const rerank: readonly Problem[] = [
  ...problemsOf({ path: '/rerank', ...INVALID }, [
    ['no query', { documents: ['a'] }, /query must be a string but is missing/],
    ['a query that is a list', { ...ranked, query: ['a'] }, /query must be a string/],
    ['no documents', { query: 'a' }, /documents must be a list of strings but is missing/],
    ['an empty list of documents', { query: 'a', documents: [] }, /documents has 0 elements/],
    ['1,001 documents', { query: 'a', documents: Array(1001).fill('b') }, /documents has 1001/],
    ['a document of a number', { query: 'a', documents: ['b', 1] }, /documents\[1\] must be a/],
    ['a top_n of 0', { ...ranked, top_n: 0 }, /top_n must be at least 1/],
    ['a top_n that is a word', { ...ranked, top_n: 'all' }, /top_n must be a number/],
    ['a surrogate in a query', '{"query":"\\ud800","documents":["b"]}', /query has a lone/],
    [
      'a surrogate in a document',
      '{"query":"a","documents":["b","\\udc00"]}',
      /documents\[1\] has a lone surrogate/,
    ],
    ['documents and texts', { ...ranked, texts: ['b'] }, /unknown key 'documents'/],
    ['raw_scores of a number', { query: 'a', texts: ['b'], raw_scores: 1 }, /must be true or/],
  ]),
  ...problemsOf({ path: '/rerank', ...TOO_LARGE }, [
    [
      'a long query for 1,000 documents',
      { query: 'to be '.repeat(100), documents: Array(1000).fill('b') },
      /100000/,
    ],
  ]),
  ...problemsOf({ path: '/rerank', ...WRONG_TASK }, [
    ['a sentiment model for reranking', { ...ranked, model: 'sentiment' }, /rerank/],
  ]),
];

const tokenize: readonly Problem[] = [
  ...problemsOf({ path: '/tokenize', ...INVALID }, [
    ['special tokens of a word', { ...good, add_special_tokens: 'no' }, /must be true or false/],
  ]),
  ...problemsOf({ path: '/tokenize', ...WRONG_TASK }, [
    ['a model without a tokenizer', { ...good, model: 'iris' }, /'iris'/],
  ]),
  ...problemsOf({ path: '/tokenize', ...TOO_LARGE, isCounted: true }, [
    ['150,000 words to tokenize', { text: 'a '.repeat(150_000) }, /100000/],
  ]),
];

/** Problems whose error has the form of OpenAI. */
export const openAiProblems: readonly Problem[] = [
  ...problemsOf({ path: '/v1/embeddings', ...INVALID, param: 'input' }, [
    ['no input', { model: 'embedder' }, /input must be/],
    ['an input of ids', { input: [1, 2] }, /ids of tokens/],
    ['an input of many texts', { input: Array(2000).fill('a') }, /input has 2000/],
    ['an input with a number', { input: ['a', 1] }, /input\[1\] must be a string but is 1/],
    ['a surrogate in an input', '{"input":["a","\\ud800"]}', /input\[1\] has a lone surrogate/],
  ]),
  ...problemsOf({ path: '/v1/embeddings', ...INVALID, param: 'encoding_format' }, [
    ['an unknown encoding', { input: 'a', encoding_format: 'hex' }, /must be one of "float"/],
  ]),
  ...problemsOf({ path: '/v1/embeddings', ...INVALID, param: 'dimensions' }, [
    ['negative dimensions', { input: 'a', dimensions: -1 }, /dimensions must be at least 1/],
    ['more dimensions than there are', { input: 'a', dimensions: 25 }, /dimensions is 25/],
  ]),
  ...problemsOf({ path: '/v1/embeddings', ...INVALID, param: 'temperature' }, [
    ['a member of other routes', { input: 'a', temperature: 1 }, /unknown key 'temperature'/],
  ]),
  ...problemsOf({ path: '/v1/embeddings', ...INVALID }, [
    ['a list as the body', ['a'], /is a list/],
  ]),
  ...problemsOf({ path: '/v1/embeddings', ...NO_MODEL, param: 'model' }, [
    ['a model of OpenAI', { input: 'a', model: 'text-embedding-3-small' }, /'embedder'/],
  ]),
  ...problemsOf({ path: '/v1/embeddings', ...WRONG_TASK, param: 'model' }, [
    ['a sentiment model', { input: 'a', model: 'sentiment' }, /feature-extraction/],
  ]),
  ...problemsOf({ path: '/v1/embeddings', ...NOT_JSON }, [['half an object', '{', /not valid/]]),
  ...problemsOf({ path: '/v1/rerank', ...INVALID, param: 'documents' }, [
    ['a document without a text', { query: 'a', documents: [{}] }, /\[0\]\.text .* but is missing/],
    ['a document that is a list', { query: 'a', documents: [['b']] }, /\[0\] must be a string/],
  ]),
  ...problemsOf({ path: '/v1/rerank', ...INVALID, param: 'query' }, [
    ['a query that is missing', { documents: ['b'] }, /query must be a string/],
  ]),
  ...problemsOf({ path: '/v1/chat/completions', status: 404, code: 'ROUTE_NOT_FOUND' }, [
    [
      'a route of OpenAI that there is not',
      { messages: [] },
      /under \/v1; POST \/v1\/embeddings, /,
    ],
  ]),
  ...problemsOf(
    { method: 'GET', path: '/v1/embeddings', status: 405, code: 'METHOD_NOT_ALLOWED' },
    [['the method GET', undefined, /use POST/]],
  ),
];

/** A request of the protocol that has one row of three ids. */
const ids = (data: readonly number[]) => ({
  inputs: ['input_ids', 'attention_mask', 'token_type_ids'].map((name, i) => ({
    ...{ name, datatype: 'INT64', shape: [1, 3] },
    data: [data, [1, 1, 1], [0, 0, 0]][i],
  })),
});

const http: readonly Problem[] = [
  ...problemsOf({ path: '/v2/models/sentiment/infer', ...INVALID }, [
    ['ids beyond the embedding table', ids([2, 1_000_000, 3]), /./],
    ['negative ids', ids([2, -1_000_000, 3]), /./],
  ]),
  ...['GET', 'PUT', 'DELETE'].flatMap((method) =>
    problemsOf({ method, path: '/embed', status: 405, code: 'METHOD_NOT_ALLOWED' }, [
      [`the method ${method}`, undefined, /use POST/],
    ]),
  ),
  ...problemsOf({ path: '/analyze/mood', status: 404, code: 'ROUTE_NOT_FOUND' }, [
    ['an unknown route', good, /no such route/],
  ]),
  ...['text/plain', 'application/x-www-form-urlencoded', ''].flatMap((type) =>
    problemsOf(
      {
        ...{ path: sentiment, headers: { 'Content-Type': type } },
        ...{ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' },
      },
      [[`the content type "${type}"`, good, /must be JSON/]],
    ),
  ),
  ...['soon', '0', '-5'].flatMap((timeout) =>
    problemsOf({ path: sentiment, headers: { 'X-Request-Timeout-Ms': timeout }, ...INVALID }, [
      [`the timeout "${timeout}"`, good, /X-Request-Timeout-Ms must be a number/],
    ]),
  ),
  ...problemsOf(
    {
      ...{ path: sentiment, headers: { 'Content-Encoding': 'br' } },
      ...{ status: 415, code: 'UNSUPPORTED_ENCODING' },
    },
    [['an unknown coding', good, /gzip/]],
  ),
  ...problemsOf({ path: sentiment, headers: { 'Content-Encoding': 'gzip' }, ...INVALID }, [
    ['a body that is not compressed as it says', good, /not valid gzip data.*; compress it again/],
  ]),
  ...problemsOf({ path: sentiment, headers: { 'Content-Length': '8388609' }, ...TOO_LARGE }, [
    ['an announced length beyond the limit', good, /longer than/],
  ]),
];

export const badOptions: readonly Problem[] = [
  ...[...models, ...ner, ...zeroShot, ...embed, ...rerank, ...tokenize, ...http],
];
