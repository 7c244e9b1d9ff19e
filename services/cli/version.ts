/** @module What the commands read of a version of a model. */

/** A version as the server describes it. */
export interface Version {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly reason: string | null;
  readonly digest: string | null;
  readonly bytes: number | null;
  readonly signature_status: string | null;
  readonly created_at: string;
}
