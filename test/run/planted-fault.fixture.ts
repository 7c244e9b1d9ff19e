/** @module Loads the addon whose path is its argument. */
import { createRequire } from 'node:module';

createRequire(import.meta.url)(process.argv[2]!);
