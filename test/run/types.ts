/** @module The types of suites and of their preparations. */

export type CommandLine = readonly string[];
export type Environment = Readonly<Record<string, string>>;

/** The task of one process of a suite. */
export interface Scope {
  /** The number of cores that it may use, at least 1. */
  readonly slots: number;
  /** Whether the files are all files of the suite. */
  readonly whole: boolean;
}

/** Creates the command line that runs test files and writes a JUnit report. */
export type TestCommand = (files: readonly string[], report: string, scope: Scope) => CommandLine;

/**
 * A preparation of suites, such as a build. Preparations with the same name run once. A preparation does not count as a
 * test.
 */
export interface Preparation {
  readonly name: string;
  /** The place that it changes. Preparations of the same place run one after the other. */
  readonly place: string;
  /** Commands that must succeed. Each is created when the previous one has ended. */
  readonly steps: readonly ((slots: number) => CommandLine)[];
}

export interface Suite {
  /** Shown in the summary and matched by `--only`. */
  readonly name: string;
  /** The run that has this suite: `npm test` or `npm run verify`. Default: both. */
  readonly run?: 'test' | 'verify';
  /** Globs of the test files, relative to the top folder. Each must match a file. */
  readonly files?: readonly string[];
  /** Globs of files to exclude from `files`. */
  readonly except?: readonly string[];
  /** Whether files that do not measure time may be divided among concurrent processes. */
  readonly split?: boolean;
  /** Whether no other suite may run at the same time; or the globs of the files that need this. */
  readonly alone?: true | readonly string[];
  /** The reason why it cannot run on this machine and is skipped; undefined if it can. Called after `needs`. */
  readonly absent?: () => string | undefined;
  /** The preparations for these files; undefined means all files. */
  readonly needs?: (files?: readonly string[]) => Preparation;
  /** The command. Without files and without a report it is a single test, which passes with exit code 0. */
  readonly command: TestCommand;
  readonly env?: Environment;
  /**
   * Globs of all files that its result depends on, such as built programs. `npm test` repeats the suite only if one of them
   * has changed since it passed. Default: it always runs.
   */
  readonly inputs?: readonly string[];
  /** A pattern of output that fails the suite, whatever the exit code. */
  readonly alarm?: RegExp;
  /** Whether `--changed` runs it: if a change can affect it (default), always, or never. */
  readonly changed?: 'always' | 'never';
}
