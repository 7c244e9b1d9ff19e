/** @module Loads the addon it is told to. */
import { createRequire } from 'node:module';

createRequire(import.meta.url)(process.argv[2]!);
