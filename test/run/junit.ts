/**
 * Reads the JUnit reports of bun, Deno, Node and ctest. They agree on `<testcase>` with
 * `<failure>`, `<error>` and `<skipped>` inside, and on little else.
 *
 * @module
 */

export type Outcome = 'passed' | 'failed' | 'skipped';

export interface Case {
  /** The name of the case after those of its groups, separated by ` > `, if the reporter has groups. */
  readonly name: string;
  readonly outcome: Outcome;
  /** The reason of a skip; '' if the reporter omits it, as those of bun and Deno do. */
  readonly reason: string;
}

const entities: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  amp: '&',
};

function decode(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal) return String.fromCodePoint(Number(decimal));
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return entities[name] ?? whole;
  });
}

function attribute(attributes: string, name: string): string {
  return decode(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
}

function outcomeOf(attributes: string, body: string): Outcome {
  if (/<(?:failure|error)\b/.test(body)) return 'failed';
  if (/<skipped\b/.test(body)) return 'skipped';
  const status = attribute(attributes, 'status');
  if (status === 'fail') return 'failed';
  return status === 'disabled' || status === 'notrun' ? 'skipped' : 'passed';
}

/** The reason of a skip. That of ctest is only the rule that applied, so the reason is read from GoogleTest's output. */
function reasonOf(body: string): string {
  const printed = /^\S+\.cc:\d+: Skipped\n(.*)$/m.exec(body)?.[1];
  if (printed !== undefined) return decode(printed);
  const skipped = /<skipped\b((?:[^>"]|"[^"]*")*)>/.exec(body)?.[1] ?? '';
  // GoogleTest writes file and line of the skip before its reason.
  return attribute(skipped, 'message').replace(/^\S+\.cc:\d+\s/, '');
}

/**
 * Reads the cases of one report.
 *
 * Deno also reports groups, and Node files without a test. They are cases only if nothing else shows their failure.
 */
export function parseJunit(xml: string): Case[] {
  const cases: Case[] = [];
  for (const [, attributes = '', body = ''] of xml.matchAll(
    /<testcase\b((?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const group = attribute(attributes, 'classname');
    const own = attribute(attributes, 'name');
    const isPath = group === '' || group === 'test' || /[/.]/.test(group);
    cases.push({
      name: isPath ? own : `${group} > ${own}`,
      outcome: outcomeOf(attributes, body),
      reason: reasonOf(body),
    });
  }
  return cases.filter((entry) => {
    const members = cases.filter((other) => other.name.startsWith(`${entry.name} > `));
    const isContainer = members.length > 0 || /\.test\.ts$/.test(entry.name);
    if (!isContainer) return true;
    return entry.outcome === 'failed' && members.every((member) => member.outcome !== 'failed');
  });
}
