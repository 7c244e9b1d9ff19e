/**
 * Models that generate text, behind the surface that every version has.
 *
 * ```
 * generative-session.ts  a run takes the tokens of a prompt, and returns those that follow
 * limits.ts              how many tokens a request may ask for
 * parameters.ts          the options of a generation as JSON, one of the inputs of a run
 * ```
 *
 * @module
 */

export { GenerativeSession } from './generative-session.ts';
