/** @module What a suite is. */

export type CommandLine = readonly string[];
export type Environment = Readonly<Record<string, string>>;

/** What one process of a suite is to do. */
export interface Scope {
  /** How many cores it may use, at least 1. */
  readonly slots: number;
  /** Whether the files are all that the suite has. */
  readonly whole: boolean;
}

/** Command line that runs test files and writes a JUnit report. */
export type TestCommand = (files: readonly string[], report: string, scope: Scope) => CommandLine;

/**
 * Something that several suites need done before, such as a build. Those of one name are one and the
 * same, which is done once; it counts as no test.
 */
export interface Preparation {
  readonly name: string;
  /** What it changes: those of one place are done one after the other. */
  readonly place: string;
  /** Commands that must succeed, each made when the one before has ended. */
  readonly steps: readonly ((slots: number) => CommandLine)[];
}

export interface Suite {
  /** Shown in the summary and matched by `--only`. */
  readonly name: string;
  /** The run that takes it, where it is not both: `npm test` or `npm run verify`. */
  readonly run?: 'test' | 'verify';
  /** Globs of the test files, from the top folder. Each must match something. */
  readonly files?: readonly string[];
  /** Globs taken away from `files`. */
  readonly except?: readonly string[];
  /** Whether files that do not measure time may be divided among processes that run side by side. */
  readonly split?: boolean;
  /** Whether nothing else may run at the same time; or the globs of the files for which this holds. */
  readonly alone?: true | readonly string[];
  /** Why it cannot run on this machine, which skips it; undefined where it can. Asked after `needs`. */
  readonly absent?: () => string | undefined;
  /** For these files, or for all of them where undefined. */
  readonly needs?: (files?: readonly string[]) => Preparation;
  /** Without files and without a report, the command itself is one test, passed with exit code 0. */
  readonly command: TestCommand;
  readonly env?: Environment;
  /** Output that fails the suite whatever the exit code. */
  readonly alarm?: RegExp;
  /** Whether `--changed` takes it: where a change can affect it (default), always, or never. */
  readonly changed?: 'always' | 'never';
}
