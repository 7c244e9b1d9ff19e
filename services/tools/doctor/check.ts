/** @module What an examination finds. */

/** `off` means that it is not configured, and `missing` that the next start creates it or does without. */
export type State = 'ok' | 'off' | 'missing' | 'failed';

export interface Check {
  readonly name: string;
  readonly state: State;
  readonly detail: string;
  /** The command or setting that mends it. */
  readonly remedy?: string;
}

/** Without the name of the check. */
export type Found = Omit<Check, 'name'>;
