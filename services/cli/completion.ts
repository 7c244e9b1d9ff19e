/** @module `millrace completion`: scripts that let a shell complete commands and options. */

import type { Command } from 'commander';
import { Argument } from 'commander';
import { say, sayJson } from './output.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** A command with the words that may follow it. */
interface Words {
  /** The command with its parents, such as `models register`; '' for the program itself. */
  readonly command: string;
  readonly words: readonly string[];
}

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print a script that completes commands in a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nbash: source <(millrace completion bash)\nzsh:  source <(millrace completion zsh)\nfish: millrace completion fish | source',
    )
    .action((shell: Shell, { json }: { json?: boolean }) => {
      const script = scripts[shell](wordsOf(program));
      if (json) sayJson({ shell, script });
      else say(script);
    });
}

function wordsOf(command: Command, name = ''): Words[] {
  const words = [
    ...command.commands.map((each) => each.name()),
    ...command
      .createHelp()
      .visibleOptions(command)
      .flatMap(({ long }) => long ?? []),
  ];
  const below = command.commands.flatMap((each) => wordsOf(each, `${name} ${each.name()}`.trim()));
  return [{ command: name, words }, ...below];
}

const cases = (all: readonly Words[]): string =>
  all.map(({ command, words }) => `    '${command}') words='${words.join(' ')}' ;;`).join('\n');

/** Finds the command among the words typed so far, which are those before the first option. */
const bash = (all: readonly Words[]): string => `_millrace() {
  local command='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) break ;; esac
    command="\${command:+$command }$word"
  done
  case "$command" in
${cases(all)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ "\${#COMPREPLY[@]}" -eq 0 ] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _millrace millrace`;

const zsh = (all: readonly Words[]): string =>
  `autoload -U +X bashcompinit && bashcompinit\n${bash(all)}`;

const fish = (all: readonly Words[]): string =>
  all
    .flatMap(({ command, words }) => {
      const depth = command === '' ? 0 : command.split(' ').length;
      const typed = `test "(commandline -opc | string match -v -- '-*' | tail -n +2 | head -n ${depth} | string join ' ')" = '${command}'`;
      return words.map((word) =>
        word.startsWith('--')
          ? `complete -c millrace -n "${typed.replaceAll('"', '\\"')}" -l ${word.slice(2)}`
          : `complete -c millrace -f -n "${typed.replaceAll('"', '\\"')}" -a ${word}`,
      );
    })
    .join('\n');

const scripts: Readonly<Record<Shell, (all: readonly Words[]) => string>> = { bash, zsh, fish };
