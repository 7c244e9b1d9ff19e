/**
 * Plain-text tables and numbers for the terminal.
 *
 * @module
 */

/** Formats rows in columns: the first is aligned left, the others right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    widths
      .map((width, column) => {
        const cell = cells[column] ?? '';
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return [
    line(header),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...rows.map(line),
  ].join('\n');
}

/** Formats a number with three significant digits and grouped thousands: `0.943`, `12.4`, `69,200`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  return new Intl.NumberFormat('en', { maximumSignificantDigits: 3 }).format(value);
}

/** Formats a share as a percentage, such as `±4 %` for half of a spread of 0.08. */
export function spread(value: number): string {
  return `±${(value * 50).toFixed(value < 0.1 ? 1 : 0)} %`;
}
