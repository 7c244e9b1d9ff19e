/** @module The inference service: the Open Inference Protocol V2 for every model of the repository. */

import { exampleInputs, findExample } from '../http/example-request.ts';
import { modelService } from './model-service.ts';

export const inference = modelService({
  name: 'inference',
  defaultPort: 8000,
  defaultGrpcPort: 9000,
  title: 'Inference service',
  description: 'The Open Inference Protocol V2 for every model of the repository.',
  panels: ['infer', 'generate'],
  example: (runtime) =>
    findExample(
      runtime,
      () => true,
      (version) => {
        const inputs = exampleInputs(version);
        const path = `/v2/models/${encodeURIComponent(version.model)}/infer`;
        return inputs && { path, body: JSON.stringify({ inputs }) };
      },
    ),
  ownRoutes: () => undefined,
  async listenGrpc(runtime, hostname, port) {
    // The library takes time and memory, so it is loaded only if gRPC is served.
    const { listenGrpc } = await import('./grpc/server.ts');
    return listenGrpc(runtime, hostname, port);
  },
});
