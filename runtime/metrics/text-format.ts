/**
 * The text format of Prometheus, version 0.0.4:
 * https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md
 *
 * @module
 */

export type Labels = Readonly<Record<string, string>>;

/** One line of a metric. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** The suffix of the line's name after the name of its metric. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

export interface MetricHead {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** A sentence for readers of the page. */
  readonly help: string;
}

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The lines that come before the samples of a metric, each with its end. */
export const formatHead = ({ name, type, help }: MetricHead): string =>
  `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;

/** The line of one sample, with its end. */
export const formatSample = ({ name }: MetricHead, { labels, value, suffix }: Sample): string =>
  `${name}${suffix ?? ''}${formatLabels(labels)} ${formatValue(value)}\n`;

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');

const escapeLabel = (text: string) => escapeHelp(text).replaceAll('"', '\\"');

function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
