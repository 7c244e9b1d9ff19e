/** @module The commands that a document shows. */

/** The code blocks of a document in one language. */
export const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(
    ([, block]) => block!,
  );

/** The commands of a block. A command continues on the next line within quotes or after a backslash. */
export function commandsOf(block: string): string[] {
  const found: string[] = [];
  let command = '';
  for (const line of block.trimEnd().split('\n')) {
    command += `${line}\n`;
    const quotes = command.split("'").length - 1;
    if (quotes % 2 === 1 || line.endsWith('\\')) continue;
    found.push(command.trimEnd());
    command = '';
  }
  return found;
}
