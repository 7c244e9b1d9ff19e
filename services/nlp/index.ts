/** @module The NLP service: what can be done with texts, in our form and in those that other servers' clients know. */

import type { RouteContext, Runtime } from '../../runtime/index.ts';
import { versionFor } from '../http/example-request.ts';
import type { ExampleRequest } from '../http/service-definition.ts';
import { modelService } from '../inference/model-service.ts';
import { cohereRoutes } from './cohere.ts';
import { embedRoutes } from './embed.ts';
import { nerRoute } from './ner.ts';
import { openAiRoutes } from './openai.ts';
import { rerankRoutes } from './rerank.ts';
import { sentimentRoute } from './sentiment.ts';
import { summarizeRoute } from './summarize.ts';
import { tokenizeRoute } from './tokenize.ts';
import { zeroShotRoute } from './zero-shot.ts';

/** Requests of which the start shows the first that a served model can answer. */
const EXAMPLES: readonly (Pick<RouteContext, 'tasks'> & ExampleRequest)[] = [
  {
    tasks: ['text-classification'],
    path: '/analyze/sentiment',
    body: '{"text":"This product is amazing!"}',
  },
  {
    tasks: ['token-classification'],
    path: '/analyze/ner',
    body: '{"text":"Apple Inc. is located in Cupertino, California."}',
  },
  {
    tasks: ['feature-extraction'],
    path: '/embed',
    body: '{"text":"What is the capital of France?"}',
  },
];

export const nlp = modelService({
  name: 'nlp',
  defaultPort: 8002,
  title: 'NLP service',
  description:
    'Sentiment, entities, summaries, embeddings and reranking, with models of Hugging Face.',
  panels: ['sentiment', 'ner', 'zero-shot', 'summarize', 'embed', 'rerank', 'tokens', 'generate'],
  example: (runtime) => EXAMPLES.find(({ tasks }) => hasDefault(runtime, tasks)),
  ownRoutes(builder) {
    sentimentRoute(builder);
    nerRoute(builder);
    zeroShotRoute(builder);
    summarizeRoute(builder);
    embedRoutes(builder);
    rerankRoutes(builder);
    cohereRoutes(builder);
    tokenizeRoute(builder);
    openAiRoutes(builder);
  },
});

/** Whether requests that name no model find one. */
const hasDefault = ({ routes }: Runtime, tasks: RouteContext['tasks']): boolean =>
  versionFor(routes, { model: undefined, version: undefined, tasks }) !== undefined;
