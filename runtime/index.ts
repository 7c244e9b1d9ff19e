/** @module The public interface of the runtime, which services use. */

export {
  type CancelSignal,
  type Codec,
  countPackedStrings,
  type Datatype,
  datatypes,
  type ElementData,
  type ElementType,
  type Engine,
  elementArrays,
  elementsIn,
  type InferRequest as CodecRequest,
  type JsonPiece,
  type PackedTensor,
  type Parameters,
  type ParameterValue,
  packStrings,
  quote,
  type RunResult,
  type Tensor,
  type TensorSpec,
  type Tensors,
  type Timings,
  tensorBytes,
  unpackStrings,
} from '../native/index.ts';
export type { Access, HeaderReader, Principal } from './access.ts';
export type { Admission } from './admission.ts';
export { BodyBudget, BodyShare } from './body-budget.ts';
export {
  type Bus,
  type BusMember,
  ChangeSequencer,
  type StateChange,
  type Vote,
} from './bus.ts';
export { type CacheOutcome, RememberedKey, type ResponseCache } from './cache/index.ts';
export {
  type Author,
  type Catalog,
  type CatalogEvent,
  type CatalogSnapshot,
  checkRegistration,
  type Expected,
  type LabelRecord,
  type ModelRecord,
  type OnceKey,
  type Probe,
  type ProbeRequest,
  type ProbeResult,
  probeArtifact,
  type Registration,
  type VersionPolicy,
  type VersionRecord,
  Workspace,
} from './catalog/index.ts';
export { checkSchema, listOf } from './check-schema.ts';
export type { Clock } from './clock.ts';
export {
  type Config,
  type ConfigSources,
  portSetting,
  processSources,
  readConfig,
  type ServerAddress,
  type ServicePorts,
  type SettingInForce,
  serverAddress,
  settingsHelp,
  settingsInForce,
  wantsHelp,
} from './config/index.ts';
export {
  createTensor,
  describeValue,
  elementCodec,
  elementCount,
  jsonElement,
} from './elements.ts';
export { fromEngine, invalidArgument, type ServeCode, ServeError } from './errors.ts';
export { checkArtifacts, checkRedis, scanRepository } from './examine.ts';
export { type Failure, fromFailure, toFailure } from './failure.ts';
export { MAX_BEAMS, MAX_STOP_CHARACTERS, MAX_STOPS } from './generation/limits.ts';
export {
  currentHost,
  exit,
  type Host,
  type IdleTimer,
  listenError,
  onStopSignal,
  onUncaughtError,
  type Parent,
  parentThread,
  type RequestHandler,
  startThread,
  type Thread,
} from './host/index.ts';
export { DecodeBudget, MAX_IMAGE_BYTES, tooManyImageBytes } from './image/decode/index.ts';
export type { ImageModel } from './image/image-model.ts';
export { InFlightCount } from './in-flight-count.ts';
export { isObject } from './is-object.ts';
export {
  type Answer,
  type BatchSource,
  DEFAULT_ATTEMPTS,
  type InferRoutes,
  type Job,
  type JobRequest,
  type JobStatus,
  Jobs,
  type JobTarget,
  jobJson,
  jobStatuses,
  type Made,
  MOST_ATTEMPTS,
  type Owner,
  tarImages,
  zipImages,
} from './jobs/index.ts';
export { createLog, type Log, onTerminal, readableLine } from './log.ts';
export type { HistogramSeries, Metrics } from './metrics/index.ts';
export type { ModelVersion } from './model.ts';
export { type JsonElement, type NonFinite, stringify, toNonFinite } from './non-finite.ts';
export { registerVersion } from './offline.ts';
export type {
  Caller,
  Inference,
  InferenceSteps,
  Outcome,
  Prepared,
} from './pipeline.ts';
export { type Platform, wantsStore } from './platform.ts';
export type { IndexEntry } from './registry/index.ts';
export { configType, type LoadOverride, type Skipped } from './repository/index.ts';
export type { Predicted } from './routing/arm-traffic.ts';
export { trafficRouteSchema } from './routing/route.ts';
export type { RouteContext, RouteTable } from './routing/route-table.ts';
export {
  createRuntime,
  type RepositoryControl,
  type Runtime,
  type RuntimeParts,
} from './runtime.ts';
export type { ModelStatus, ServedModel, VersionStatus } from './served-model.ts';
export { ShortTurns } from './short-turns.ts';
export {
  readTrust,
  type Signer,
  sign as signModel,
  verify as verifyModel,
} from './signing/index.ts';
export { checkStorable } from './storable.ts';
export {
  inspectStore,
  joinStore,
  openStore,
  type Store,
  type StoreState,
  type StoreTicket,
  shareStore,
} from './store/index.ts';
export { type ClassifyInput, type ClassifyOutput, classify } from './tasks/image/classify.ts';
export {
  type BoxDefaults,
  boxDefaults,
  type Detection,
  type DetectOutput,
  detect,
} from './tasks/image/detect.ts';
export { embedImage } from './tasks/image/embed-image.ts';
export { encodeImages } from './tasks/image/encode-images.ts';
export type {
  ImageInput,
  ImageOperation,
  ImageTools,
  ImageWaiter,
} from './tasks/image/operation.ts';
export { type ImageSegments, type SegmentOutput, segment } from './tasks/image/segment.ts';
export { segmentsJson } from './tasks/image/segments-json.ts';
export {
  type Features,
  type Outputs,
  type Prediction,
  ranksAbove,
  type TabularTask,
  type TaskName,
} from './tasks/index.ts';
export { type EmbedInput, type EmbedOutput, embed } from './tasks/text/embed.ts';
export type { Vectors } from './tasks/text/embedding.ts';
export { entities } from './tasks/text/entities.ts';
export { extract } from './tasks/text/extract.ts';
export { type GenerateTextContext, generateText } from './tasks/text/generate-text.ts';
export type { RequestedGeneration } from './tasks/text/generation-options.ts';
export type { PreparedText, TextInput, TextOperation, TextUsage } from './tasks/text/operation.ts';
export { type RerankInput, type RerankOutput, rerank } from './tasks/text/rerank.ts';
export { type Sentiment, sentiment } from './tasks/text/sentiment.ts';
export { similarity } from './tasks/text/similarity.ts';
export { summarize } from './tasks/text/summarize.ts';
export type { Summary, SummaryInput, SummaryOutput } from './tasks/text/summary.ts';
export { tokenize } from './tasks/text/tokenize.ts';
export { zeroShot } from './tasks/text/zero-shot.ts';
export { joinTokenizers, openTokenizers, type Tokenizers } from './text/tokenizer/index.ts';
export { roundMs, serverTiming } from './timings.ts';
export type { CanaryAction, ExperimentReport, RouteRecord, Traffic } from './traffic/index.ts';
export type { LoadSettings } from './version-source.ts';
