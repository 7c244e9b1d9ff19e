/** @module A pool of connections to PostgreSQL, for which each host has another driver (decision record 0029). */

export interface SqlResult {
  readonly rows: readonly object[];
  /** What the server did, such as `SELECT`; it answers `commit` with `ROLLBACK` if a statement before has failed. */
  readonly command: string;
}

/**
 * Where statements run. They reject with a `SqlError` if the server refuses them, and with any other error if the
 * connection is lost. Parameters are sent as text, so that the server alone decides about types.
 */
export interface SqlRunner {
  /** Without values, the text may have several statements, and the result is that of the last one. */
  run(text: string, values?: readonly unknown[]): Promise<SqlResult>;
}

/** A connection that nobody else uses until it is released. When it is lost, all later statements reject. */
export interface SqlConnection extends SqlRunner {
  /** @param reusable Whether its session is as it was before. Otherwise the connection is closed. */
  release(reusable: boolean): void;
}

export interface SqlPool extends SqlRunner {
  reserve(): Promise<SqlConnection>;
  /**
   * Listens on a connection of its own, which is opened again when it is lost.
   *
   * @param onListen Called when notifications begin to arrive, and again after each loss of the connection.
   */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): Promise<{ unlisten(): Promise<void> }>;
  /** Ends all connections. Statements that are in flight longer than that reject. */
  end(graceSecs: number): Promise<void>;
}

export interface SqlPoolOptions {
  /** Maximum connections. */
  readonly max: number;
  /** Seconds within which a connection must open. */
  readonly connectSecs: number;
  /** Seconds after which a connection that nobody uses is closed. */
  readonly idleSecs: number;
  /** Settings of each session, such as `statement_timeout`. */
  readonly session: Readonly<Record<string, string | number>>;
  /** Called when a connection has ended. */
  readonly onClose?: () => void;
}

/** An error that PostgreSQL reported. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  /** The five characters of SQLSTATE, such as `23505` for a unique violation. */
  readonly code: string;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
