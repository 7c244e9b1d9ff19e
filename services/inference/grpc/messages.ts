/** @module The messages of `inference.proto` as the library passes them on, with 64-bit integers as strings. */

export interface InferParameter {
  readonly parameter_choice:
    | 'bool_param'
    | 'int64_param'
    | 'string_param'
    | 'double_param'
    | 'uint64_param';
  readonly bool_param?: boolean;
  readonly int64_param?: string;
  readonly string_param?: string;
  readonly double_param?: number;
  readonly uint64_param?: string;
}

type InferParameters = Readonly<Record<string, InferParameter>>;

/** The packed bytes of the elements of each field, in pieces; each BYTES element is a piece. */
export interface Contents {
  readonly bool_contents?: readonly Uint8Array[];
  readonly int_contents?: readonly Uint8Array[];
  readonly int64_contents?: readonly Uint8Array[];
  readonly uint_contents?: readonly Uint8Array[];
  readonly uint64_contents?: readonly Uint8Array[];
  readonly fp32_contents?: readonly Uint8Array[];
  readonly fp64_contents?: readonly Uint8Array[];
  readonly bytes_contents?: readonly Uint8Array[];
}

export interface ModelInferRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: InferParameters;
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: string;
    /** Packed, as in `Contents`. */
    readonly shape: readonly Uint8Array[];
    readonly parameters: InferParameters;
    readonly contents?: Contents | null;
  }[];
  readonly outputs: readonly { readonly name: string; readonly parameters: InferParameters }[];
  readonly raw_input_contents: readonly Uint8Array[];
}

export interface ModelInferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, object>>;
  readonly outputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly contents?: Contents;
  }[];
  readonly raw_output_contents: readonly Uint8Array[];
}

/** A request that names a model. */
export interface ModelRequest {
  readonly name: string;
  readonly version: string;
}

interface RepositoryParameter {
  readonly parameter_choice: 'bool_param' | 'int64_param' | 'string_param' | 'bytes_param';
  readonly bool_param?: boolean;
  readonly int64_param?: string;
  readonly string_param?: string;
  readonly bytes_param?: Uint8Array;
}

export interface RepositoryRequest {
  readonly repository_name: string;
  readonly model_name: string;
  readonly parameters: Readonly<Record<string, RepositoryParameter>>;
}

export interface RepositoryIndexRequest {
  readonly repository_name: string;
  readonly ready: boolean;
}
