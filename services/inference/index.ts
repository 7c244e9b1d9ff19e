/** @module The inference service: the Open Inference Protocol V2 for every model of the repository. */

import type { ServiceDefinition } from '../http/service-definition.ts';
import { v2Routes } from './v2.ts';

export const inference: ServiceDefinition = {
  name: 'inference',
  defaultPort: 8000,
  defaultGrpcPort: 9000,
  title: 'Inference service',
  description: 'The Open Inference Protocol V2 for every model of the repository.',
  routes: v2Routes,
  async listenGrpc(runtime, hostname, port) {
    // Loaded only where it is served: the library takes time and memory.
    const { listenGrpc } = await import('./grpc/server.ts');
    return listenGrpc(runtime, hostname, port);
  },
};
