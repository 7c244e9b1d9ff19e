/** @module Placeholder until the native functions on images are merged. */
import type { Images } from './image-types.ts';
export const openImages = (_options: { readonly addon?: string } = {}): Images => ({}) as Images;
