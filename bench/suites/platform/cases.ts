/** @module What the suite compares: services that differ in one part of the platform, by the same requests. */
import { JSON_HEADERS, type Load } from '../../drivers/types.ts';
import { MANY, type Ratio } from '../../lib/ratio.ts';

export type PlatformRequest = Pick<Load, 'body' | 'headers'>;

/** A prediction service with two versions of the model `tiny`, of which the first is the default. */
export interface PlatformServer {
  readonly name: string;
  /** Set for the bare floor, whose responses are as long as those of the server before it. */
  readonly isFloor?: true;
  /** Settings besides those of every server. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The content of `ROUTING_FILE`; none by default. */
  readonly routes?: object;
}

export interface PlatformCase {
  readonly name: string;
  readonly title: string;
  readonly request: PlatformRequest;
  readonly servers: readonly PlatformServer[];
  readonly judged: readonly JudgedRatio[];
}

/** A ratio with its target and the name of the aim. */
interface JudgedRatio {
  readonly target: string;
  readonly aim: string;
  readonly ratio: Ratio;
}

/** CPU time of the server for a request to one server ÷ that of another. */
const cpuRatio = (name: string, other: string, at: number): Ratio => ({
  name: `${name} ÷ ${other}`,
  at,
  needs: [name, other],
  of: 'serverCpuUs',
  value: (cpu) => cpu(name) / cpu(other),
});

export const cases: readonly PlatformCase[] = [
  {
    name: 'split',
    title: 'one row through a sticky split ÷ through a model without a route',
    request: {
      body: JSON.stringify({ features: [5.1, 3.5, 1.4, 0.2] }),
      headers: { ...JSON_HEADERS, 'X-User-Id': 'user-48151623' },
    },
    servers: [
      { name: 'plain' },
      {
        name: 'split',
        // The second version gets next to nothing, so that both servers form the same batches: two versions with half of the
        // requests each have smaller ones, which is not the cost of the route.
        routes: { tiny: { weights: { '1': 1, '2': 1e-9 }, sticky: { header: 'X-User-Id' } } },
      },
    ],
    judged: [1, MANY].map((at) => ({
      target: 'T26',
      aim: `C=${at}`,
      ratio: cpuRatio('split', 'plain', at),
    })),
  },
  {
    name: 'cache',
    title: 'one row whose response is cached ÷ a bare Hono route',
    request: { body: JSON.stringify({ features: [5.1, 3.5, 1.4, 0.2] }), headers: JSON_HEADERS },
    servers: [
      { name: 'hit', settings: { CACHE_TTL: '3600' } },
      { name: 'bare-floor', isFloor: true },
    ],
    judged: [1, MANY].map((at) => ({
      target: 'T27',
      aim: `C=${at}`,
      ratio: cpuRatio('hit', 'bare-floor', at),
    })),
  },
];
