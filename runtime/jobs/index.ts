/** @module Requests that run later: stored in the database, run by the workers of all processes. */

export { tarImages, zipImages } from './archives/image-lines.ts';
export {
  type Answer,
  hasEnded,
  type InferRoutes,
  type Job,
  type JobRequest,
  type JobStatus,
  type JobTarget,
  jobStatuses,
} from './job.ts';
export { jobJson } from './job-json.ts';
export type { JobPage, Made, Owner } from './job-table.ts';
export { Jobs, type JobsParts } from './jobs.ts';
export type { BatchSource } from './receive.ts';
export { DEFAULT_ATTEMPTS, MOST_ATTEMPTS } from './retry.ts';
